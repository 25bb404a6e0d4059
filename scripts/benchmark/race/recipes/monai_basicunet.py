"""MONAI's BasicUNet by the recipe of MONAI's tutorial 2d_segmentation/torch/unet_training_dict.py.

The tutorial's `UNet` is replaced by `BasicUNet` with its default widths; loader, transforms, loss, optimizer, batch and
sliding window are the tutorial's. It validates every second epoch to choose a model; here the current weights are
scored, and no time is spent on validation.
"""

from __future__ import annotations

import numpy as np
import torch
from monai.data import DataLoader, Dataset, list_data_collate
from monai.inferers import sliding_window_inference
from monai.losses import DiceLoss
from monai.networks.nets import BasicUNet
from monai.transforms import (
    Compose,
    EnsureTyped,
    RandCropByPosNegLabeld,
    RandRotate90d,
    ScaleIntensity,
    ScaleIntensityd,
)

from ..entrant import Entrant, Images, enter

KEYS = ["img", "seg"]
WINDOW = [96, 96]


def train(entrant: Entrant) -> None:
    """Train until the budget is used."""
    files = [
        {"img": image[None], "seg": label[None]} for image, label in zip(entrant.images, entrant.labels, strict=True)
    ]
    transform = Compose(
        [
            EnsureTyped(keys=KEYS),
            ScaleIntensityd(keys=KEYS),
            RandCropByPosNegLabeld(keys=KEYS, label_key="seg", spatial_size=WINDOW, pos=1, neg=1, num_samples=4),
            RandRotate90d(keys=KEYS, prob=0.5, spatial_axes=(0, 1)),
        ]
    )
    loader = DataLoader(
        Dataset(files, transform), batch_size=2, shuffle=True, num_workers=4, collate_fn=list_data_collate
    )
    model = BasicUNet(spatial_dims=2, in_channels=1, out_channels=1)
    loss_function = DiceLoss(sigmoid=True)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def predict(image: Images) -> Images:
        model.eval()
        with torch.no_grad():
            scaled = torch.as_tensor(np.asarray(ScaleIntensity()(image[None].astype(np.float32))))
            logits = sliding_window_inference(scaled[None], WINDOW, 4, model)
        model.train()
        return torch.sigmoid(torch.as_tensor(logits))[0, 0].numpy()

    while True:
        for batch in loader:
            optimizer.zero_grad()
            loss_function(model(batch["img"]), batch["seg"]).backward()
            optimizer.step()
            entrant.step(predict)


if __name__ == "__main__":
    enter(train)
