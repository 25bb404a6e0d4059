"""Overlays of the training configuration: experiments, and ablations, which change an experiment."""

from __future__ import annotations

from pathlib import Path

from custom.json_file import read_json

FOLDERS = ("experiments", "ablations")  # beside train.json


def with_base(overlay: Path) -> tuple[Path, ...]:
    """The overlay, after the experiment that it changes if it is an ablation (`experiment#base`).

    Raises:
        UserError: the file is not JSON.
    """
    content = read_json(overlay)
    base = content.get("experiment#base") if isinstance(content, dict) else None
    return (overlay.parents[1] / FOLDERS[0] / f"{base}.json", overlay) if base else (overlay,)
