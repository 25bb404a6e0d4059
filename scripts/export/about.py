"""What an exported file says of its inputs and outputs."""

from __future__ import annotations

import json

from custom.model import Model

ABOUT = "about.json"
"""Name, in files of PyTorch, of the JSON with these texts."""


def about(model: Model) -> dict[str, str]:
    """Names of the channels that go in and of the classes that come out, in their order, each as a JSON text.

    Contact, where a network has that output, is part of the class before it: it has the same value in masks.
    """
    values = [part.value for part in model.classes]
    return {
        "model": json.dumps(model.name),
        "channels": json.dumps(model.channels, ensure_ascii=False),
        "classes": json.dumps(model.output_names, ensure_ascii=False),
        "mask_values": json.dumps(values + values[-1:] * model.contact),
    }


def as_json(texts: dict[str, str]) -> str:
    """One JSON object of the texts."""
    return json.dumps({name: json.loads(text) for name, text in texts.items()}, ensure_ascii=False)
