"""`python -m scripts.run`: a workflow of the bundle, with every error in one line."""
