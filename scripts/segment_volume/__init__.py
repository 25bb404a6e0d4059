"""Segmentation of volumes larger than memory: source, gray values, blocks, journal, target and workers."""
