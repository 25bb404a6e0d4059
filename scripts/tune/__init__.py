"""Fit post-processing to held-out images."""
