"""Probabilities on the GPU beside those on the CPU, in float32: `python -m scripts.gpu_session.equality FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from custom import Segmenter
from custom.data.synthetic_tissue import draw_tissue
from custom.files import replace_file
from custom.model import Model, read_model
from custom.segmenter import Segmentation

TOLERANCE = 1e-3
SIZE = (300, 420)
MODELS = ["em", "dic_hela", "phc_u373"]


def differences(names: list[str], device: str) -> dict[str, dict[str, float]]:
    """For each model the largest difference of a probability, and the share of pixels whose class differs."""
    pixels = draw_tissue(np.random.default_rng(0), SIZE)[0]
    found = {}
    for name in names:
        model = read_model(name).model_copy(update={"orientations": 1})
        here, there = (segment(model, pixels, place) for place in ("cpu", device))
        found[name] = {
            "largest difference": float(np.abs(here.probability - there.probability).max()),
            "share of pixels of another class": float((here.mask != there.mask).mean()),
        }
    return found


def segment(model: Model, pixels: NDArray[np.uint8], device: str) -> Segmentation:
    """The segmentation in float32."""
    segmenter = Segmenter(model, device)
    segmenter.inferer.amp = False
    found = segmenter(pixels)
    assert isinstance(found, Segmentation)
    return found


def main(path: Path) -> int:
    """Write the differences; 1 if one is above the tolerance."""
    # Otherwise a GPU multiplies with the ten bits of TF32.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found = differences(MODELS, device)
    with replace_file(path) as temporary:
        content = json.dumps({"device": device, "tolerance": TOLERANCE, **found}, indent=1)
        temporary.write_text(content + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))
    return int(any(one["largest difference"] > TOLERANCE for one in found.values()))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
