"""This project's overlays as they are, their schedule stretched over the budget: quick, compact, finetune.

No image is held out for validation, and the current weights are scored, never the best by the scored images.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from PIL import Image

from custom.classes import as_prediction
from custom.data.gray import GrayRule
from custom.inferers import OverlapTileInferer, keep_freed_memory

from ..entrant import Entrant, Images, enter

CONFIGS = Path(__file__).parents[4] / "bundle" / "configs"
MANY = 10_000  # epochs; the budget ends the training
FROM_MODEL = "dic_hela"  # has never seen the data


def write_dataset(entrant: Entrant, folder: Path) -> None:
    """A data set as users have them: files, and `dataset.json` without validation images."""
    for name, images in (("image", entrant.images), ("label", 255 * entrant.labels)):
        (folder / name).mkdir(parents=True)
        for number, pixels in enumerate(images):
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    names = [f"{number:02}.png" for number in range(len(entrant.images))]
    content = {
        "name": "race",
        "label_kind": "classes",
        "labels": {"0": "membrane", "255": "cell"},
        "training": [{"image": f"image/{name}", "label": f"label/{name}"} for name in names],
        "validation": [],
    }
    (folder / "dataset.json").write_text(json.dumps(content), encoding="utf-8")


def read_config(variant: str, folder: Path) -> ConfigParser:
    """The training configuration with the overlay of the variant."""
    parser = ConfigParser()
    parser.read_config([CONFIGS / "train.json", CONFIGS / "experiments" / f"{variant}.json"])
    changes: dict[str, Any] = {
        "dataset_dir": str(folder / "data"),
        "output_dir": str(folder / "run"),
        "max_epochs": MANY,
        "time_limit": None,
        "validate#dataset#data": [],
    }
    if variant == "finetune":
        changes |= {"init_model": FROM_MODEL, "scale": 1.0}  # the model's own scale is that of its cells
    for name, value in changes.items():
        parser[name] = value
    return parser


def train(entrant: Entrant) -> None:
    """Train until the budget is used."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_dataset(entrant, folder / "data")
        parser = read_config(entrant.variant, folder)
        parser.get_parsed_content("prepare")
        keep_freed_memory()
        parser.get_parsed_content("start")
        trainer: Engine = parser.get_parsed_content("train#trainer")
        schedule = parser.get_parsed_content("lr_scheduler")
        network = parser.get_parsed_content("network")
        inferer = OverlapTileInferer(
            scale=parser.get_parsed_content("scale"),
            orientations=parser.get_parsed_content("test_orientations"),
            amp=parser.get_parsed_content("bfloat16"),
        )

        def predict(image: Images) -> Images:
            network.eval()
            with torch.no_grad():
                logits = torch.as_tensor(inferer(torch.from_numpy(GrayRule()(image))[None, None], network))
            network.train()
            return as_prediction(torch.softmax(logits[0], 0))[0].numpy()

        def follow_clock() -> None:
            schedule.share = entrant.share

        trainer.add_event_handler(Events.ITERATION_STARTED, follow_clock)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: entrant.step(predict))
        trainer.run()


if __name__ == "__main__":
    enter(train)
