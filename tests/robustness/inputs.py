"""Image files as input of the commands that segment: `inferring` and `segment_volume`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
import zarr
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from .images import Picture, pictures
from .judge import require_no_parts, require_nothing_in, require_refusal
from .material import tiny_model
from .part import Part
from .reader import probabilities
from .warm import Ending, call


def infer(source: Path, output: Path) -> Ending:
    """Segment a file or a folder with the tiny model."""
    options = {"model": tiny_model(), "dataset_dir": source, "output_dir": output, "bfloat16": "false"}
    return call("inferring", **options, save="['mask','probability']")


def outputs(output: Path, stem: str) -> list[NDArray]:
    """Probabilities of the pages of an image; their masks are checked."""
    probability = tifffile.imread(output / "probabilities" / f"{stem}.tif")
    file = next(output.joinpath("masks").glob(f"{glob_escape(stem)}.[pt][ni][gf]"))
    mask = tifffile.imread(file) if file.suffix == ".tif" else np.asarray(Image.open(file))
    np.testing.assert_array_equal(mask, np.where(probability >= 0.5, 255, 0))
    return list(probability) if probability.ndim == 3 else [probability]


def glob_escape(text: str) -> str:
    """A name as a pattern that matches it alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)


def require_right(found: list[NDArray], path: Path, picture: Picture) -> None:
    """Probabilities are those of the pages that an independent reader finds."""
    expected = probabilities(tiny_model(), path)
    shapes = [[page.shape for page in pages] for pages in (found, expected)]
    assert shapes[0] == shapes[1], f"{shapes[0]} is not {shapes[1]}: {picture!r}"
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=picture.atol, err_msg=repr(picture))


def check_file(picture: Picture, folder: Path) -> None:
    """One image."""
    path, output = picture.write(folder / "in"), folder / "out"
    ending = infer(path, output)
    require_no_parts(folder)
    if ending.code == 0:
        require_right(outputs(output, path.stem), path, picture)
        return
    require_refusal(ending, path)
    require_nothing_in(output)
    assert not picture.ordinary, f"refused: {picture!r}\n{ending}"


def check_folder(several: list[Picture], folder: Path) -> None:
    """Several images in a folder: those that cannot be read are listed, the others are segmented."""
    source, output = folder / "in", folder / "out"
    paths = {one.write(source): one for one in several}
    ending = infer(source, output)
    require_no_parts(folder)
    if ending.code != 0:
        require_refusal(ending, *paths, source)
    refused = [path for path in paths if any(_is_about(line, path) for line in ending.err.splitlines())]
    if ending.code == 2:
        require_nothing_in(output)
        return
    done = sorted(file.stem for file in output.joinpath("probabilities").iterdir())
    files = [path for path in paths if path.is_file()]  # only these are read from a folder
    assert done == sorted(path.stem for path in files if path not in refused), str(ending)
    assert bool(refused) == (ending.code == 1), str(ending)
    for path in files:
        if path not in refused:
            require_right(outputs(output, path.stem), path, paths[path])
        assert not (path in refused and paths[path].ordinary), f"refused: {paths[path]!r}\n{ending}"


def check_volume(picture: Picture, folder: Path) -> None:
    """A TIFF is refused, or has the probabilities that `inferring` finds."""
    path, output = picture.write(folder / "in"), folder / "volume"
    ending = call("segment_volume", path, output, model=tiny_model(), bfloat16="false", block=32)
    if ending.code != 0:
        require_refusal(ending, path, output)
        require_nothing_in(folder / "volume")  # what was done lies in volume.part, for --resume
        assert not picture.ordinary or picture.layout == "TIFF turned", f"refused: {picture!r}\n{ending}"
        return
    require_no_parts(folder)
    found = list(np.asarray(zarr.open_array(output / "0", mode="r")[:]))
    inferred = infer(path, folder / "out")
    if "images behind" in inferred.err:  # ImageJ's stacks beyond 4 GB, of which a page cannot be had alone
        return
    assert inferred.code == 0, f"segment_volume took what inferring refused: {picture!r}\n{inferred}"
    for one, other in zip(found, outputs(folder / "out", path.stem), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5, err_msg=repr(picture))


def _is_about(line: str, path: Path) -> bool:
    return f"{' '.join(str(path).splitlines())}: " in line


def _unlike_stems(several: list[Picture]) -> bool:
    return len({one.stem for one in several}) == len(several)


FOLDERS = st.lists(pictures(), min_size=2, max_size=4).filter(_unlike_stems)
PARTS = [
    Part("inferring", "image files", pictures(), check_file, quick=30),
    Part("inferring", "folders of image files", FOLDERS, check_folder, quick=8),
    Part("segment_volume", "TIFF files", pictures(suffixes=(".tif", ".tiff")), check_volume, quick=20),
]
