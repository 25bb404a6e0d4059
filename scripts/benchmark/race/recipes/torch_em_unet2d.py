"""torch-em's default 2D U-Net by the recipe of its documentation.

`UNet2d` with its default depth and width, `default_segmentation_loader` (batches of 8 patches of 256 x 256 pixels,
250 an epoch, default augmentation) and `default_segmentation_trainer` (Dice loss, AdamW, rate reduced on plateaus). The
trainer needs validation data: the last two training images.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from ..entrant import Entrant, Images, enter

VALIDATION = 2


@contextmanager
def operators_may_lack() -> Iterator[None]:
    """Let torchvision be imported where its operators are built for CUDA and PyTorch is not; torch-em needs none."""
    register = torch.library.register_fake
    torch.library.register_fake = lambda *_, **__: lambda function: function  # type: ignore[assignment]
    yield
    torch.library.register_fake = register


def train(entrant: Entrant) -> None:
    """Train until the budget is used."""
    with operators_may_lack():
        import torch_em
    from torch_em.model import UNet2d
    from torch_em.transform.raw import standardize

    images = [image.astype(np.float32) for image in entrant.images]
    labels = list(entrant.labels)

    def loader(chosen: slice, samples: int) -> torch.utils.data.DataLoader:
        return torch_em.default_segmentation_loader(
            images[chosen], None, labels[chosen], None, batch_size=8, patch_shape=(256, 256), ndim=2, n_samples=samples
        )

    model = UNet2d(in_channels=1, out_channels=1, final_activation="Sigmoid")

    def predict(image: Images) -> Images:
        model.eval()
        with torch.no_grad():
            probability = model(torch.from_numpy(standardize(image.astype(np.float32)))[None, None])
        model.train()
        return probability[0, 0].numpy()

    with tempfile.TemporaryDirectory() as folder:
        trainer = torch_em.default_segmentation_trainer(
            name="race",
            model=model,
            train_loader=loader(slice(None, -VALIDATION), 250),
            val_loader=loader(slice(-VALIDATION, None), 25),
            save_root=folder,
        )
        register_optimizer_step_post_hook(lambda *_: entrant.step(predict))
        trainer.fit(iterations=1_000_000)


if __name__ == "__main__":
    enter(train)
