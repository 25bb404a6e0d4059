"""Parts of `python -m scripts.label_server`."""
