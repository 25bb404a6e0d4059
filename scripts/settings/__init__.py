"""`python -m scripts.settings`: the settings of the workflows."""
