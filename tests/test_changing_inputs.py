"""Files that change or vanish while a command reads them: one line that names the file, no traceback, nothing mixed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from custom import run_settings
from custom.blockwise import LargeImages, large_images
from custom.handlers import SegmentationSaver
from scripts.prepare_data import folder as prepare_folder
from scripts.segment_volume import __main__ as segment_volume
from scripts.segment_volume import workers

from .robustness.judge import require_no_parts, require_nothing_in, require_refusal
from .robustness.material import SHAPE, image, tiny_model, write_dataset
from .robustness.warm import Ending, call


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_by_text(path: Path) -> None:
    path.write_text("moved to another disk")


def replace_by_another_size(path: Path) -> None:
    pixels = np.full((3, SHAPE[0] + 7, SHAPE[1] - 5), 9, np.uint8)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="minisblack")
    else:
        Image.fromarray(pixels[0]).save(path)


CHANGES = (remove, truncate, replace_by_text, replace_by_another_size)


def before(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, change: Callable[[], None], calls: int = 1) -> None:
    """Make a change before the given call of a function."""
    original, count = getattr(owner, name), [0]

    def changed(*args: Any, **kwargs: Any) -> Any:
        count[0] += 1
        if count[0] == calls:
            change()
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, changed)


def infer(folder: Path, output: Path) -> Ending:
    return call("inferring", model=tiny_model(), dataset_dir=folder, output_dir=output, bfloat16="false")


MOMENTS = {
    "before its size is looked at": (large_images, "is_large", 1),
    "before the first is read": (LargeImages, "run", 1),
    "after a page": (SegmentationSaver, "save", 2),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_an_image_to_segment(change, moment, name, tmp_path, monkeypatch):
    """`a.png` is done when it changes after a page."""
    path = tmp_path / "in" / name
    path.parent.mkdir()
    pages = np.stack([image(n) for n in range(3)])
    if name == "a.tif":
        tifffile.imwrite(path, pages, photometric="minisblack")
    else:
        Image.fromarray(pages[0]).save(path)
    Image.fromarray(pages[1]).save(path.with_name("b.png"))
    owner, function, calls = MOMENTS[moment]
    before(monkeypatch, owner, function, lambda: change(path), calls)
    ending = infer(path.parent, tmp_path / "out")
    if (name, moment) == ("a.png", "after a page"):
        assert ending.code == 0
        return
    require_refusal(ending, path)
    assert ending.code == 2
    require_nothing_in(tmp_path / "out")


@pytest.mark.parametrize("change", CHANGES)
def test_an_image_or_label_to_train_on(change, tmp_path, monkeypatch):
    for kind in ("image", "label"):
        data = tmp_path / kind
        write_dataset(data)
        monkeypatch.undo()
        path = data / kind / "1.png"
        before(monkeypatch, run_settings, "require_fitting_network", lambda path=path: change(path))
        tiny = {"network_def#depth": 1, "network_def#features": 2, "input_size": 44, "bfloat16": "false"}
        ending = call("training", dataset_dir=data, output_dir=tmp_path / "run", max_epochs=1, **tiny)
        require_refusal(ending, path, "its image 1.png")
        require_nothing_in(tmp_path / "run")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["image", "label"])
def test_an_image_or_mask_to_prepare(change, kind, tmp_path, monkeypatch):
    write_dataset(tmp_path)
    path = tmp_path / kind / "1.png"
    before(monkeypatch, prepare_folder, "new_dataset", lambda: change(path))
    folders = {"images": tmp_path / "image", "masks": tmp_path / "label"}
    ending = call("prepare_data", "folder", "--instances", **folders, output=tmp_path / "out")
    require_refusal(ending, path, "its image 1.png")
    require_nothing_in(tmp_path / "out")
    require_no_parts(tmp_path)


def other_values(path: Path) -> None:
    """The same size and the same bytes but for the pixels of a middle slice."""
    content = bytearray(path.read_bytes())
    content[-3 * SHAPE[0] * SHAPE[1] // 2 :][:200] = bytes(200)
    content[-2 * SHAPE[0] * SHAPE[1] + 99] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize("change", [*CHANGES, other_values])
@pytest.mark.parametrize("moment", [(segment_volume, "begin", 1), (workers, "segment_block", 2)])
def test_a_volume(change, moment, tmp_path, monkeypatch):
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.stack([image(n) for n in range(3)]), photometric="minisblack")
    before(monkeypatch, *moment[:2], lambda: change(path), moment[2])
    ending = call("segment_volume", path, tmp_path / "out", model=tiny_model(), bfloat16="false", block=32)
    require_refusal(ending, path)
    assert not (tmp_path / "out").exists()
