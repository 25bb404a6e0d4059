"""Robustness of a model to changes of the images."""
