"""All parts of the campaign."""

from __future__ import annotations

from . import archives, documents, faults, inputs, masks, options, overrides
from .part import Part

GENERATED = (inputs, masks, documents, overrides, options, archives)
PARTS: list[Part] = [part for module in (*GENERATED, faults) for part in module.PARTS]
