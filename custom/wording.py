"""Numbers in sentences."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """A number and a regular noun: ``"1 image"``, ``"2 images"``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
