"""Planes larger than memory, window by window: gray values, and instances that are those of the whole plane."""
