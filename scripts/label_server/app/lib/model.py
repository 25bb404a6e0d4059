"""What a packaged model says of itself in its `model.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NOT_KNOWN = 255  # in labels of more than two classes


def class_names(bundle: str | Path) -> list[str]:
    """Names of the classes, in the order of their numbers."""
    return [part["name"] for part in _description(bundle)["classes"]]


def channel_names(bundle: str | Path) -> list[str]:
    """Names of the channels of an image."""
    return _description(bundle).get("channels", ["gray"])


def labels_of(classes: list[str]) -> dict[str, int]:
    """Number of each class but the first, which is the background, or the membrane, by name."""
    return {name: number for number, name in enumerate(classes) if number > 0}


def reading(conf: dict[str, str]) -> dict[str, Any]:
    """Channels and axes of the images, as the server's command line gives them: for each item that is read."""
    channel = [int(number) for number in conf.get("channel", "").split(",") if number]
    axes = conf.get("axes")
    return {**({"channel": channel} if channel else {}), **({"axes": axes} if axes else {})}


def _description(bundle: str | Path) -> dict[str, Any]:
    return json.loads((Path(bundle) / "models" / "model.json").read_text(encoding="utf-8"))
