"""What several tests of the label server need."""

from __future__ import annotations

import hashlib
import socket
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.measure import grid_points_in_poly


def draw(polygon: list[list[int]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels inside a polygon, by the rule of even and odd, asked a little off their centres, where no cut passes."""
    corners = np.array([[y, x] for x, y in polygon]) - [0.5 + 0.013, 0.5 + 0.0071]
    return grid_points_in_poly(shape, corners)


def fake_bundle(folder: Path, content: str = "{}") -> Path:
    """A folder that looks like a packaged bundle, with checksums that agree."""
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(content)
    digest = hashlib.sha256(content.encode()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  configs/inference.json\n")
    return folder


def zipped(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return target


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
