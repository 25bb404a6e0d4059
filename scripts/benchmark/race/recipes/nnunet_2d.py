"""nnU-Net's 2D configuration by its documentation: fingerprint, plan, preprocessing, `nnUNetTrainer`.

Trained on all training images (fold "all"), since no ensemble of five folds fits the budget. Its schedule is 1,000
epochs of 250 steps on a GPU; the budget ends it long before.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.optim.optimizer import register_optimizer_step_post_hook

from ..entrant import Entrant, Images, enter

NAME = "Dataset001_race"


def write_dataset(entrant: Entrant, folder: Path) -> None:
    """nnU-Net's raw data set, and the environment variables by which it finds its folders."""
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(folder / name)
    raw = folder / "raw" / NAME
    for name, suffix, images in (("imagesTr", "_0000", entrant.images), ("labelsTr", "", entrant.labels)):
        (raw / name).mkdir(parents=True)
        for number, pixels in enumerate(images):
            Image.fromarray(pixels).save(raw / name / f"s_{number:03}{suffix}.png")
    content = {
        "channel_names": {"0": "electron micrograph"},
        "labels": {"background": 0, "cell": 1},
        "numTraining": len(entrant.images),
        "file_ending": ".png",
    }
    (raw / "dataset.json").write_text(json.dumps(content), encoding="utf-8")


def make_trainer() -> Any:
    """nnU-Net's trainer, after planning and preprocessing."""
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments, preprocess
    from nnunetv2.run.run_training import get_trainer_from_args

    extract_fingerprints([1], show_progress_bar=False)
    plans = plan_experiments([1])
    preprocess([1], plans, configurations=("2d",), num_processes=(2,), show_progress_bar=False)
    return get_trainer_from_args("1", "2d", "all", plans_identifier=plans, device=torch.device("cpu"))


def train(entrant: Entrant) -> None:
    """Train until the budget is used."""
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(entrant, Path(folder))
        trainer = make_trainer()

        def predict(image: Images) -> Images:
            from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

            trainer.network.eval()
            trainer.set_deep_supervision_enabled(False)
            predictor = nnUNetPredictor(
                device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False
            )
            predictor.manual_initialization(
                trainer.network,
                trainer.plans_manager,
                trainer.configuration_manager,
                [trainer.network.state_dict()],
                trainer.dataset_json,
                "nnUNetTrainer",
                trainer.inference_allowed_mirroring_axes,
            )
            planes = image[None, None].astype(np.float32)
            found = predictor.predict_single_npy_array(planes, {"spacing": (999, 1, 1)}, None, None, True)
            trainer.set_deep_supervision_enabled(True)
            trainer.network.train()
            return np.asarray(found[1][1, 0])

        register_optimizer_step_post_hook(lambda *_: entrant.step(predict))
        trainer.run_training()


if __name__ == "__main__":
    enter(train)
