"""Perturbations of an image that imitate other microscopes, cameras and preparations, at five strengths each."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.transform import rescale

Gray = NDArray[np.float32]
STRENGTHS = 5
MIDDLE = 2  # index of the strength by which a model is judged


@dataclass(frozen=True)
class Perturbation:
    """One kind of change.

    Args:
        name: name in the report.
        unit: unit of `strengths`.
        strengths: five values, from weak to strong.
        apply: function of gray values (C, H, W) in [0, 1], a strength and a generator that returns changed gray values.
        magnifies: whether the strength is a magnification, so that labels are resized, too.
    """

    name: str
    unit: str
    strengths: Sequence[float]
    apply: Callable[[Gray, float, np.random.RandomState], Gray]
    magnifies: bool = False


def magnify(image: Gray, factor: float, random: np.random.RandomState) -> Gray:
    """Another objective: the image resized by `factor`."""
    return rescale(image, factor, order=1, mode="reflect", anti_aliasing=factor < 1, channel_axis=0).astype(np.float32)


def magnify_label(label: NDArray, factor: float) -> NDArray:
    """Class indices or ids (H, W) resized like the image, by the nearest pixel."""
    return rescale(label, factor, order=0, mode="edge", anti_aliasing=False, preserve_range=True).astype(label.dtype)


def blur(image: Gray, sigma: float, random: np.random.RandomState) -> Gray:
    """Out of focus: a Gaussian of `sigma` pixels."""
    return ndimage.gaussian_filter(image, sigma, mode="mirror", axes=(1, 2))


def add_noise(image: Gray, std: float, random: np.random.RandomState) -> Gray:
    """Less light: Gaussian noise of standard deviation `std`."""
    return image + random.normal(0, std, image.shape).astype(np.float32)


def gamma(image: Gray, exponent: float, random: np.random.RandomState) -> Gray:
    """Another response of the camera: gray values to the power `exponent`."""
    return image.clip(0, 1) ** np.float32(exponent)


def illuminate(image: Gray, share: float, random: np.random.RandomState) -> Gray:
    """Uneven light: a linear gradient in a random direction, from 1 - share to 1 + share from side to side."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in image.shape[1:])
    ramp = np.float32(np.sin(angle)) * y[:, None] + np.float32(np.cos(angle)) * x
    return image * (1 + np.float32(share) * ramp / np.abs(ramp).max())


def flatten(image: Gray, factor: float, random: np.random.RandomState) -> Gray:
    """Less contrast: distances to the mean times `factor`, stored in 8 bits."""
    mean = image.mean(axis=(1, 2), keepdims=True)
    return mean + np.float32(factor) * (image - mean)


def compress(image: Gray, quality: float, random: np.random.RandomState) -> Gray:
    """Saved as JPEG of this quality, each channel by itself."""
    saved = []
    for plane in to_bytes(image):
        buffer = io.BytesIO()
        Image.fromarray(plane).save(buffer, "JPEG", quality=int(quality))
        saved.append(np.asarray(Image.open(buffer), dtype=np.float32))
    return np.stack(saved) / np.float32(255)


def to_bytes(image: Gray) -> NDArray[np.uint8]:
    """Gray values in [0, 1] as stored by an 8-bit camera."""
    return np.rint(image.clip(0, 1) * 255).astype(np.uint8)


PERTURBATIONS = (
    Perturbation("larger", "magnification", (1.1, 1.2, 1.35, 1.5, 2.0), magnify, magnifies=True),
    Perturbation("smaller", "magnification", (0.9, 0.83, 0.74, 0.67, 0.5), magnify, magnifies=True),
    Perturbation("blur", "sigma, pixels", (0.5, 1.0, 1.5, 2.0, 3.0), blur),
    Perturbation("noise", "standard deviation", (0.02, 0.05, 0.1, 0.15, 0.2), add_noise),
    Perturbation("darker", "gamma", (1.2, 1.5, 1.8, 2.2, 3.0), gamma),
    Perturbation("brighter", "gamma", (0.83, 0.67, 0.55, 0.45, 0.33), gamma),
    Perturbation("illumination", "share", (0.1, 0.2, 0.3, 0.45, 0.6), illuminate),
    Perturbation("contrast", "factor", (0.8, 0.6, 0.4, 0.2, 0.1), flatten),
    Perturbation("JPEG", "quality", (90, 70, 50, 30, 10), compress),
)
