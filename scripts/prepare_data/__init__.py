"""One module per source of data; each writes a data set folder with its `dataset.json`."""
