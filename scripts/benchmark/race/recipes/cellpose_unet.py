"""Cellpose 3's network from random weights by `cellpose.train.train_seg` with its defaults.

The cells are the connected components of the labels. The score is that of its masks: foreground is where a pixel is in
a mask and not beside another one. Cellpose 4 has only a transformer of 300 million parameters.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import numpy as np
from cellpose import models
from cellpose import train as cellpose_train
from scipy import ndimage
from torch.optim.optimizer import register_optimizer_step_post_hook

from ..entrant import Entrant, Images, enter


def interior(masks: Images) -> Images:
    """1 in masks, 0 beside another mask and outside."""
    inside = masks > 0
    for axis in (0, 1):
        for step in (-1, 1):
            beside = np.roll(masks, step, axis)
            inside &= (beside == masks) | (beside == 0)
    return inside.astype(np.float32)


def train(entrant: Entrant) -> None:
    """Train until the budget is used."""
    model = models.CellposeModel(gpu=False, pretrained_model=False)
    cells = [ndimage.label(label)[0].astype(np.int32) for label in entrant.labels]

    def predict(image: Images) -> Images:
        predictor = copy.deepcopy(model)  # which converts its weights to a layout that cannot be trained
        predictor.net.eval()
        return interior(predictor.eval(image, channels=[0, 0], diameter=float(model.net.diam_labels))[0])

    register_optimizer_step_post_hook(lambda *_: entrant.step(predict))
    with tempfile.TemporaryDirectory() as folder:
        cellpose_train.train_seg(
            model.net, train_data=list(entrant.images), train_labels=cells, channels=[0, 0], save_path=Path(folder)
        )


if __name__ == "__main__":
    enter(train)
