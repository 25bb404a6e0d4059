"""One drawn fluorescence image of three classes in two channels: cells with a nucleus on dark ground.

Neither channel is enough: the first shows nuclei, and debris that looks like them; the second cell bodies, of which a
nucleus is a hole as dark as the ground.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

CHANNELS = ("DNA", "tubulin")
LABELS = {"0": "background", "100": "cytoplasm", "200": "nucleus"}
_BACKGROUND, _CYTOPLASM, _NUCLEUS = map(int, LABELS)


def draw_cells(generator: Generator, size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Channels (2, H, W) and label (H, W), both uint8; the label has the values of `LABELS`."""
    label = np.full(size, _BACKGROUND, np.uint8)
    dna, tubulin = np.full(size, 0.08), np.full(size, 0.1)
    for centre, radius in _places(generator, size):
        distance = _ellipse(generator, size, centre, radius)
        shift = generator.uniform(-0.2, 0.2, 2) * radius
        core = _ellipse(generator, size, centre + shift, 0.45 * radius)
        body, nucleus = (distance < 1) & (label == _BACKGROUND), (core < 1) & (distance < 0.9)
        label[body] = _CYTOPLASM
        label[nucleus & body] = _NUCLEUS
        tubulin[body] = generator.uniform(0.45, 0.7)
        tubulin[nucleus & body] = 0.14
        dna[nucleus & body] = generator.uniform(0.5, 0.8)
    for row, column in generator.uniform(0, size, (6, 2)):
        debris = (_ellipse(generator, size, np.array([row, column]), generator.uniform(4, 9)) < 1) & (label == 0)
        dna[debris] = generator.uniform(0.5, 0.8)
    planes = np.stack([dna, tubulin])
    texture = gaussian_filter(generator.standard_normal((2, *size)), (0, 2, 2))
    planes = gaussian_filter(planes * (1 + 0.6 * texture), (0, 0.9, 0.9)) + 0.03 * generator.standard_normal((2, *size))
    return np.clip(np.rint(255 * planes), 0, 255).astype(np.uint8), label


def _places(generator: Generator, size: tuple[int, int]) -> list[tuple[NDArray[np.float64], float]]:
    """Centres (row, column) and radii of cells that touch at most."""
    places: list[tuple[NDArray[np.float64], float]] = []
    for centre in generator.uniform(0, size, (300, 2)):
        radius = float(generator.uniform(17, 27))
        if all(np.hypot(*(centre - other)) > 0.9 * (radius + its) for other, its in places):
            places.append((centre, radius))
    return places


def _ellipse(
    generator: Generator, size: tuple[int, int], centre: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """Distance (H, W) from the centre of an ellipse in a random direction, as a share of its radius there."""
    rows, columns = np.indices(size) - centre[:, None, None]
    angle, stretch = generator.uniform(0, np.pi), np.exp(generator.normal(0, 0.12))
    along, across = rows * np.cos(angle) + columns * np.sin(angle), columns * np.cos(angle) - rows * np.sin(angle)
    return np.hypot(along / stretch, across * stretch) / radius
