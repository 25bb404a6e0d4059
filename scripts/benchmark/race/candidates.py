"""Who races, and with what."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ...command import python_of

RECIPES = "scripts.benchmark.race.recipes"


@dataclass(frozen=True)
class Candidate:
    """One training recipe.

    Args:
        name: in tables and plots.
        recipe: module that trains it.
        settings: what it is run with.
        variant: which of several recipes of the module.
        environment: virtual environment that has its packages, a folder in `--environments`; "": this one.
        packages: to install there, beside torch of the same version as here.
        scheduled: whether its learning rate follows the budget, so that each budget is a training of its own. For the
            others one training has all marks.
    """

    name: str
    recipe: str
    settings: str
    variant: str = ""
    environment: str = ""
    packages: tuple[str, ...] = ()
    scheduled: bool = False

    def python(self, environments: Path | None) -> Path | None:
        """The interpreter, or None if there is no such environment."""
        if not self.environment:
            return Path(sys.executable)
        found = environments and python_of(environments / self.environment)
        return found if found and shutil.which(found) else None


OWN = [
    Candidate(
        "ours, quick",
        f"{RECIPES}.own",
        "experiments/quick.json: 16 features, AdamW, one cycle over the budget",
        "quick",
        "",
        (),
        True,
    ),
    Candidate(
        "ours, compact",
        f"{RECIPES}.own",
        "experiments/compact.json: 32 features, AdamW, one cycle over the budget",
        "compact",
        scheduled=True,
    ),
    Candidate(
        "ours, fine-tuned",
        f"{RECIPES}.own",
        "experiments/finetune.json from the shipped model of HeLa cells (32 features), at scale 1; mean of 8 "
        "orientations, as that model",
        "finetune",
        scheduled=True,
    ),
]
PEERS = [
    Candidate(
        "MONAI BasicUNet",
        f"{RECIPES}.monai_basicunet",
        "tutorial 2d_segmentation/torch/unet_training_dict.py with BasicUNet: batches of 8 windows of 96 pixels, Dice "
        "loss, Adam at 0.001",
    ),
    Candidate(
        "torch-em UNet2d",
        f"{RECIPES}.torch_em_unet2d",
        "default_segmentation_loader and default_segmentation_trainer: batches of 8 patches of 256 pixels, Dice loss, "
        "AdamW at 0.001, rate reduced on plateaus",
        environment="torch-em",
        packages=("torch_em==0.10.9",),
    ),
    Candidate(
        "Cellpose 3",
        f"{RECIPES}.cellpose_unet",
        "train_seg with its defaults from random weights: batches of 8 windows of 224 pixels, AdamW at 0.005",
        environment="cellpose",
        packages=("cellpose==3.1.1.2",),
    ),
    Candidate(
        "nnU-Net 2D",
        f"{RECIPES}.nnunet_2d",
        "plan, preprocessing and nnUNetTrainer with their defaults, fold all: batches and windows as planned, Dice and "
        "cross-entropy, SGD at 0.01 over 250,000 steps; mean of mirrored versions",
        environment="nnunetv2",
        packages=("nnunetv2==2.8.1",),
    ),
]
CANDIDATES = [*OWN, *PEERS]
