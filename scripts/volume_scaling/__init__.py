"""Parts of `python -m scripts.volume_scaling`."""
