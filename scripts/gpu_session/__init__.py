"""Parts of `python -m scripts.gpu_session`."""
