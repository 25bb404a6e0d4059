"""The report of a run: one HTML page that stands alone, made of what training, evaluation and inference wrote."""
