"""Segmentation of arrays and files by a trained model, for scripts and notebooks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from .classes import as_prediction, classes_of, split_contact
from .data import count_pages, read_image
from .data.channels import check_axes
from .data.inputs import chosen_channel, every_channel
from .errors import UserError
from .inferers import OverlapTileInferer, bfloat16_is_fast
from .model import Model, read_model
from .transforms import ProbabilityToInstances


@dataclass(frozen=True)
class Segmentation:
    """Result of a model for one image (H, W).

    Attributes:
        mask: (H, W), the values of the model's classes, uint8 (uint16, if one is above 255).
        probability: float32 (H, W), of the foreground; of more than two classes (K, H, W), of each.
        instances: int32 (H, W), 0 background, objects from 1: parts of the foreground, which is all classes but the
            first.
    """

    mask: NDArray[np.unsignedinteger]
    probability: NDArray[np.float32]
    instances: NDArray[np.int32]


class Segmenter:
    """A trained model that segments arrays and files as `inferring` does, with the model's own settings.

    >>> import numpy as np
    >>> segment = Segmenter("em")
    >>> image = np.random.default_rng(0).integers(0, 255, (60, 80), np.uint8)
    >>> segment(image).mask.shape
    (60, 80)

    Args:
        model: name of a shipped model, folder of a training, or a `Model`, whose settings may have been changed.
        device: where the network runs; None: a GPU if there is one.
        pixel_size: of the images, in micrometres; None: as those that the model is for.

    Raises:
        UserError: there is no such model, it is broken, it knows no pixel size, or it has no contact for its method.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Model,
        device: str | torch.device | None = None,
        pixel_size: float | None = None,
    ) -> None:
        self.model = (model if isinstance(model, Model) else read_model(model)).at_pixel_size(pixel_size)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network: Any = self.model.network()  # the stubs of Module.to lack memory_format
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.inferer = OverlapTileInferer(
            scale=self.model.scale, orientations=self.model.orientations, amp=bfloat16_is_fast(self.device)
        )
        self.model.require_method(self.model.postprocessing.method)
        post = self.model.postprocessing.model_dump(exclude={"fitted_on"})
        self.to_instances = ProbabilityToInstances(**post)

    def __call__(
        self, image: Any, channel: int | Sequence[int] | None = None, axes: str | None = None
    ) -> Segmentation | list[Segmentation]:
        """Segment one image or several.

        Args:
            image: an array (H, W), or (H, W, C) with the model's channels (or colours), of NumPy, PyTorch or Zarr, of
                any real type; an image file; or a list of these.
            channel: of files: the channel to read, from 0, where channels are not colours; a list for a model of
                several.
            axes: of TIFF files that do not name their axes, or wrongly, such as "CYX".

        Returns:
            A :class:`Segmentation`; a list of them for a list, and for a file of several pages.

        Raises:
            UserError: another shape, other channels, pixels that are not finite, a file that cannot be read, or
                `channel` or `axes` for an array.
        """
        if isinstance(image, str | os.PathLike):
            return self._segment_file(Path(image), channel, check_axes(axes))
        if isinstance(image, Sequence):
            return [one for item in image for one in _as_list(self(item, channel, axes))]
        if channel is not None or axes is not None:
            raise UserError("channel, axes: are those of files; give an array as (H, W) or (H, W, C)")
        if isinstance(image, torch.Tensor):
            image = (image.float() if image.dtype == torch.bfloat16 else image).detach().cpu().numpy()
        return self._segment(np.asarray(image), "image")

    def prediction(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """The prediction (see `custom.classes`), float32 (1, H, W) or (K, H, W), of gray values (C, H, W)."""
        return self.maps(planes)[0]

    def cells(self, planes: NDArray[np.float32]) -> NDArray[np.int32]:
        """The objects, int32 (1, H, W), of gray values (C, H, W)."""
        return np.asarray(self.to_instances(*self.maps(planes)))

    @torch.no_grad()
    def maps(self, planes: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """The prediction, and the probability of contact, (1, H, W), of a model that has it: what `to_instances` takes.

        Args:
            planes: gray values (C, H, W) by the model's gray rule.
        """
        logits = self.inferer(torch.from_numpy(planes)[None].to(self.device), self.network)
        logits = logits.as_tensor() if isinstance(logits, MetaTensor) else logits
        probability, contact = torch.softmax(logits[0], dim=0).cpu().numpy(), None
        if self.model.contact:
            probability, contact = split_contact(probability)
        return as_prediction(probability), contact

    def _segment_file(
        self, path: Path, channel: int | Sequence[int] | None, axes: str | None
    ) -> Segmentation | list[Segmentation]:
        taken = chosen_channel(channel, self.model.channels)
        if taken is None:
            taken = every_channel(path, axes, self.model.channels)
        images = (read_image(path, page, taken, axes) for page in range(count_pages(path, axes)))
        pages = [self._segment(image, str(path)) for image in images]
        return pages if len(pages) > 1 else pages[0]

    def _segment(self, image: NDArray, name: str) -> Segmentation:
        if image.dtype.kind not in "buif" or 0 in image.shape:
            raise UserError(f"{name}: has shape {image.shape} and type {image.dtype}; give numbers, with pixels")
        if not np.isfinite(image).all():
            raise UserError(f"{name}: has pixels that are not finite; give finite gray values")
        planes = self.model.gray_rule().planes(image, name)
        prediction, contact = self.maps(planes)
        values = np.array([part.value for part in self.model.classes])
        values = values.astype(np.uint8 if values.max() < 256 else np.uint16)
        classes = classes_of(prediction, self.model.postprocessing.threshold)[0].astype(int)
        probability = prediction if len(prediction) > 1 else prediction[0]
        return Segmentation(values[classes], probability, np.asarray(self.to_instances(prediction, contact))[0])


def _as_list(found: Segmentation | list[Segmentation]) -> list[Segmentation]:
    return found if isinstance(found, list) else [found]
