"""The report of a run: one self-contained HTML page from the results of training, evaluation and inference."""
