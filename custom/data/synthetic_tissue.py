"""One drawn micrograph: cells tile the plane, membranes run along their borders, organelles lie inside them.

Gray values are on a scale where 0 is black and 1 white until the last step; lengths are in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

Array = NDArray[np.float64]
_BORDER = 24  # margin drawn around the image and cut off, to avoid border effects


def draw_tissue(generator: Generator, size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Image and label, each uint8 (H, W); label 0 = membrane, 255 = cell."""
    full = (size[0] + 2 * _BORDER, size[1] + 2 * _BORDER)
    cells = draw_cells(generator, full)
    border = _border_distance(cells)
    width = 1.8 + 2.2 * _uniform_field(generator, full, 22) ** 2
    membrane = border < width

    gray = _cytoplasm(generator, cells)
    _add_organelles(generator, gray, border - width)
    gray = _add_membranes(generator, gray, border, width)
    image = _photograph(generator, gray)
    inner = (slice(_BORDER, -_BORDER), slice(_BORDER, -_BORDER))
    return image[inner], np.where(membrane, 0, 255).astype(np.uint8)[inner]


def draw_cells(generator: Generator, size: tuple[int, int]) -> NDArray[np.int64]:
    """Cell index (H, W): an additively weighted, anisotropic Voronoi diagram seen through a wavy glass."""
    centres, radii = _pack_discs(generator, size)
    rows, columns = np.indices(size, dtype=np.float32)
    for sigma, amplitude in ((50, 14.0), (14, 5.0), (5, 1.2)):
        rows += np.float32(amplitude) * _field(generator, size, sigma).astype(np.float32)
        columns += np.float32(amplitude) * _field(generator, size, sigma).astype(np.float32)
    cells = np.zeros(size, np.int64)
    nearest = np.full(size, np.inf, np.float32)
    angles = generator.uniform(0, np.pi, len(radii))
    stretches = np.exp(generator.normal(0, 0.25, len(radii)))
    discs = np.column_stack([centres, radii, angles, stretches]).astype(np.float32)
    for index, (row, column, radius, angle, stretch) in enumerate(discs):
        along = (rows - row) * np.cos(angle) + (columns - column) * np.sin(angle)
        across = (columns - column) * np.cos(angle) - (rows - row) * np.sin(angle)
        distance = np.hypot(along / stretch, across * stretch) - radius
        closer = distance < nearest
        cells[closer], nearest[closer] = index, distance[closer]
    return cells


def _pack_discs(generator: Generator, size: tuple[int, int]) -> tuple[Array, Array]:
    """Centres (N, 2) and radii (N,) of discs that hardly overlap: a few large, then ever smaller ones in the gaps."""
    centres = np.empty((0, 2))
    radii = np.empty(0)
    margin = 30
    for radius, tries in ((48, 4), (30, 20), (19, 100), (12, 700), (8, 2500)):
        low, high = (-margin, -margin), (size[0] + margin, size[1] + margin)
        for centre in generator.uniform(low, high, (tries, 2)):
            own = radius * generator.uniform(0.8, 1.2)
            gap = np.hypot(*(centres - centre).T) - radii - own
            if len(gap) == 0 or gap.min() > 1.5:
                centres, radii = np.vstack([centres, centre]), np.append(radii, own)
    return centres, radii


def _border_distance(cells: NDArray[np.int64]) -> Array:
    """Distance (H, W) to the border between two cells, which runs between pixels."""
    inside = np.ones(cells.shape, bool)
    for axis in (0, 1):
        change = np.diff(cells, axis=axis) != 0
        inside &= ~np.pad(change, [(0, 1) if a == axis else (0, 0) for a in (0, 1)])
        inside &= ~np.pad(change, [(1, 0) if a == axis else (0, 0) for a in (0, 1)])
    return distance_transform_edt(inside)


def _cytoplasm(generator: Generator, cells: NDArray[np.int64]) -> Array:
    """Brightness of each cell with its texture: granules, and dark speckles such as microtubules."""
    tone = generator.normal(0.62, 0.085, cells.max() + 1)[cells]
    texture = 0.07 * _field(generator, cells.shape, 1.3) + 0.035 * _field(generator, cells.shape, 4)
    speckles = gaussian_filter((generator.random(cells.shape) < 0.008).astype(float), 1.0) * 6.0
    return tone + texture - 0.3 * np.minimum(speckles * _uniform_field(generator, cells.shape, 15), 1.5)


def _add_organelles(generator: Generator, gray: Array, room: Array) -> None:
    """Draw organelles into `gray`, each where `room`, the distance to the next membrane, is enough for it."""
    for draw, count, need in ((_mitochondrion, 34, 7.0), (_reticulum, 60, 4.0), (_vesicle, 260, 4.0)):
        rows, columns = np.nonzero(room > need)
        for chosen in generator.integers(0, max(len(rows), 1), count if len(rows) else 0):
            draw(generator, gray, (int(rows[chosen]), int(columns[chosen])), room)


def _window(gray: Array, centre: tuple[int, int], reach: int) -> tuple[tuple[slice, slice], Array, Array]:
    """Slices of the square around `centre`, and row and column offsets from the centre in it."""
    area = tuple(slice(max(c - reach, 0), min(c + reach + 1, n)) for c, n in zip(centre, gray.shape, strict=True))
    rows, columns = np.mgrid[area].astype(float)
    return (area[0], area[1]), rows - centre[0], columns - centre[1]


def _mitochondrion(generator: Generator, gray: Array, centre: tuple[int, int], room: Array) -> None:
    """A dark ellipse with a darker rim and parallel cristae."""
    minor = min(room[centre] * 0.75, generator.uniform(6, 14))
    major = minor * generator.uniform(1.0, 2.0)
    area, rows, columns = _window(gray, centre, int(major) + 4)
    angle = generator.uniform(0, np.pi)
    along, across = rows * np.cos(angle) + columns * np.sin(angle), columns * np.cos(angle) - rows * np.sin(angle)
    wobble = 0.12 * np.sin(3 * np.arctan2(across, along) + generator.uniform(0, 2 * np.pi))
    depth = (1 + wobble - np.hypot(along / major, across / minor)) * minor  # about the distance from the rim, inwards
    depth = np.minimum(depth, room[area] - 2)
    cristae = 0.5 + 0.5 * np.cos(along * generator.uniform(0.9, 1.4) + 0.35 * across + generator.uniform(0, 6))
    body = generator.uniform(0.40, 0.5) - 0.17 * cristae
    rim = np.exp(-(((depth - 1) / 1.2) ** 2))
    cover = np.clip(depth + 0.5, 0, 1)
    gray[area] += cover * (body - 0.25 * rim - gray[area])


def _reticulum(generator: Generator, gray: Array, centre: tuple[int, int], room: Array) -> None:
    """A thin dark curve, as of endoplasmic reticulum, that ends inside the cell."""
    area, rows, columns = _window(gray, centre, 16)
    angle, curvature = generator.uniform(0, np.pi), generator.normal(0, 0.035)
    along, across = rows * np.cos(angle) + columns * np.sin(angle), columns * np.cos(angle) - rows * np.sin(angle)
    line = np.exp(-(((across - curvature * along**2) / 1.1) ** 2)) * (np.abs(along) < generator.uniform(5, 15))
    gray[area] -= generator.uniform(0.12, 0.3) * line * np.clip(room[area] - 1, 0, 1)


def _vesicle(generator: Generator, gray: Array, centre: tuple[int, int], room: Array) -> None:
    """A small ring with a light or a dark core."""
    area, rows, columns = _window(gray, centre, 9)
    radius = min(room[centre] - 1.5, generator.uniform(1.5, 4.5))
    distance = np.hypot(rows, columns)
    core = generator.choice([0.08, -0.25], p=[0.8, 0.2]) * (distance < radius)
    gray[area] += core - generator.uniform(0.15, 0.35) * np.exp(-(((distance - radius) / 0.9) ** 2))


def _add_membranes(generator: Generator, gray: Array, border: Array, width: Array) -> Array:
    """Darken along the borders; here and there the membrane is cut obliquely: wider than its label, and faint."""
    oblique = np.clip(2.5 * _uniform_field(generator, gray.shape, 14) - 1.6, 0, 1)
    profile_width = width * (0.8 + 1.3 * oblique)
    contrast = (0.42 - 0.24 * oblique) * (0.75 + 0.4 * _uniform_field(generator, gray.shape, 9))
    return gray - contrast * np.exp(-((border / profile_width) ** 4))


def _photograph(generator: Generator, gray: Array) -> NDArray[np.uint8]:
    """Blur, uneven section thickness and illumination, grain, 8 bits."""
    gray = gaussian_filter(gray, 0.7)
    gray = gray * (1 + 0.10 * _field(generator, gray.shape, 70)) + 0.05 * _field(generator, gray.shape, 35)
    gray += 0.05 * generator.standard_normal(gray.shape) + 0.045 * _field(generator, gray.shape, 0.7)
    return np.clip(np.rint(255 * gray), 0, 255).astype(np.uint8)


def _field(generator: Generator, size: tuple[int, ...], sigma: float) -> Array:
    """Smooth random field (H, W) of mean 0 and standard deviation 1 that varies over about `sigma` pixels."""
    # Coarse noise, enlarged, costs the same for any sigma.
    step = max(sigma / 2, 1.0)
    coarse = generator.standard_normal([int(np.ceil(n / step)) + 8 for n in size])
    coarse = gaussian_filter(coarse, sigma / step, mode="wrap")
    coarse = (coarse - coarse.mean()) / coarse.std()
    if step == 1:
        return coarse[: size[0], : size[1]]
    points = np.meshgrid(*(np.arange(n) / step + 2 for n in size), indexing="ij")
    return map_coordinates(coarse, points, order=3, mode="reflect")


def _uniform_field(generator: Generator, size: tuple[int, ...], sigma: float) -> Array:
    """As `_field`, squeezed into 0 to 1."""
    return 1 / (1 + np.exp(-1.7 * _field(generator, size, sigma)))
