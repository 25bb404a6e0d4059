"""All parts of the campaign."""

from __future__ import annotations

from . import archives, documents, faults, inputs, overrides
from .part import Part

PARTS: list[Part] = [*inputs.PARTS, *documents.PARTS, *overrides.PARTS, *archives.PARTS, *faults.PARTS]
