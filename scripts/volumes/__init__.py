"""Segmentation of volumes larger than memory: source, gray values, blocks, ledger, target, and who does the work."""
