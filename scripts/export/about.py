"""What an exported file says of its inputs and outputs."""

from __future__ import annotations

import json

from custom.model import Model

ABOUT = "about.json"
"""Name, in files of PyTorch, of the JSON with these texts."""


def about(model: Model, whole_image: bool) -> dict[str, str]:
    """What a program has to know to use the file, each part as a JSON text.

    - ``channels`` that go in and ``classes`` that come out, in their order, and the ``mask_values`` of the classes.
      Contact, where a network has that output, is part of the class before it: it has the same value in masks.
    - ``gray_values`` of each channel, see `custom.data.gray.GrayRule`; ``pixel_size`` of the images in micrometres.
    - ``scale`` and ``orientations`` that the program has to apply itself: 1 with `whole_image`, which does both inside.
    - ``postprocessing`` from probabilities to objects, see `custom.transforms.ProbabilityToInstances`.
    """
    values = [part.value for part in model.classes]
    content = model.model_dump(mode="json")
    gray_values = content["gray_values"]
    return {
        name: json.dumps(value, ensure_ascii=False)
        for name, value in {
            "model": model.name,
            "channels": model.channels,
            "classes": model.output_names,
            "mask_values": values + values[-1:] * model.contact,
            "gray_values": gray_values if isinstance(gray_values, list) else [gray_values] * len(model.channels),
            "pixel_size": model.pixel_size,
            "scale": 1.0 if whole_image else model.scale,
            "orientations": 1 if whole_image else model.orientations,
            "postprocessing": content["postprocessing"],
        }.items()
    }


def as_json(texts: dict[str, str]) -> str:
    """One JSON object of the texts."""
    return json.dumps({name: json.loads(text) for name, text in texts.items()}, ensure_ascii=False)
