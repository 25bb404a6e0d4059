"""The parts of `python -m scripts.benchmark`, one file per part, and shared functions."""
