"""Planes larger than memory, window by window: gray values, and instances that are those of the whole plane."""

from __future__ import annotations

from .large_images import LargeImages, others

__all__ = ["LargeImages", "others"]
