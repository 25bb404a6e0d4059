"""Run a network on images: seamless overlap tiles for prediction, bfloat16 for training."""

from __future__ import annotations

from .autocast import AutocastInferer
from .malloc import keep_freed_memory
from .overlap_tile import OverlapTileInferer
from .precision import bfloat16_is_fast

__all__ = ["AutocastInferer", "OverlapTileInferer", "bfloat16_is_fast", "keep_freed_memory"]
