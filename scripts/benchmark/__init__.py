"""The parts of `python -m scripts.benchmark`, one file a part, and what they share."""
