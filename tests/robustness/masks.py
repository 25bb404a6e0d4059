"""Images with masks in every usual form, as input of `prepare_data folder` and `score`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from .damage import DAMAGE
from .images import Picture, pictures
from .judge import require_no_parts, require_nothing_in, require_refusal
from .part import Part
from .reader import gray, shown
from .warm import call

SIZE = (17, 30)
Bits = NDArray[np.bool_]


def _palette_of_grays(path: Path, bits: Bits) -> None:
    image = Image.fromarray((~bits).astype(np.uint8), "P")
    image.putpalette([255, 255, 255, 0, 0, 0])  # white comes first
    image.save(path)


def _in_alpha(path: Path, bits: Bits) -> None:
    Image.fromarray(np.dstack([np.zeros((*bits.shape, 3), np.uint8), 255 * bits.astype(np.uint8)])).save(path)


MASKS: dict[str, tuple[str, Callable[[Path, Bits], None]]] = {
    "PNG": (".png", lambda path, bits: Image.fromarray(255 * bits.astype(np.uint8)).save(path)),
    "PNG of 1 bit": (".png", lambda path, bits: Image.fromarray(bits).save(path)),
    "PNG palette of grays": (".png", _palette_of_grays),
    "PNG RGB": (".png", lambda path, bits: Image.fromarray(255 * bits.astype(np.uint8)).convert("RGB").save(path)),
    "PNG alpha": (".png", _in_alpha),
    "BMP": (".bmp", lambda path, bits: Image.fromarray(255 * bits.astype(np.uint8)).save(path)),
    "TIFF of 16 bits": (".tif", lambda path, bits: tifffile.imwrite(path, bits.astype(np.uint16))),
    "TIFF WhiteIsZero": (
        ".tif",
        lambda path, bits: tifffile.imwrite(path, 255 * bits.astype(np.uint8), photometric="miniswhite"),
    ),
    "TIFF of floats": (".tif", lambda path, bits: tifffile.imwrite(path, bits.astype(np.float32), compression="zlib")),
    "TIFF NaN": (".tif", lambda path, bits: tifffile.imwrite(path, np.where(bits, np.nan, 0).astype(np.float32))),
    "JPEG": (".jpg", lambda path, bits: Image.fromarray(255 * bits.astype(np.uint8)).save(path)),
}
REFUSED = ("JPEG", "TIFF NaN")


@dataclass(frozen=True)
class Masked:
    """An image, the form of its mask, and what happened to the mask."""

    picture: Picture
    mask: str
    damage: str

    def __str__(self) -> str:
        return f"{self.picture}; mask {self.mask}, {self.damage}"

    @property
    def ordinary(self) -> bool:
        return self.picture.ordinary and self.damage == "intact" and self.mask not in REFUSED

    def write_mask(self, folder: Path, name: str, bits: Bits, damage: str = "intact") -> Path:
        """Write a mask of this form."""
        folder.mkdir(exist_ok=True)
        suffix, write = MASKS[self.mask]
        path = folder / f"{name}{suffix}"
        write(path, bits)
        DAMAGE[damage](path, np.random.default_rng(self.picture.seed))
        return path


def random_bits(seed: int, size: tuple[int, ...]) -> Bits:
    """A mask with both values, if it has two pixels."""
    bits = np.random.default_rng(seed).random(size) < 0.4
    bits.flat[0], bits.flat[-1] = True, False
    return bits


def size_of(path: Path, picture: Picture) -> tuple[int, ...]:
    """Rows and columns of an image as it is shown; as they were meant, if it is broken."""
    return shown(path)[0].shape[:2] if picture.damage == "intact" else picture.shape[1:]


def check_folder(case: Masked, folder: Path) -> None:
    """The data set has the pixels of image and mask, or is not made."""
    images, masks, output = folder / "images", folder / "masks", folder / "out"
    odd = case.picture.write(images)
    bits = {odd.stem: random_bits(case.picture.seed, size_of(odd, case.picture))}
    mask = case.write_mask(masks, odd.stem, bits[odd.stem], case.damage)
    for number in range(4):
        name = f"plain {number}"
        bits[name] = random_bits(number, SIZE)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, SIZE, dtype=np.uint8)).save(
            images / f"{name}.png"
        )
        case.write_mask(masks, name, bits[name])
    ending = call("prepare_data", "folder", source=folder, output=output)
    require_no_parts(folder)
    if ending.code != 0:
        require_refusal(ending, odd, mask, images, masks)
        require_nothing_in(output)
        assert not case.ordinary, f"refused: {case!r}\n{ending}"
        return
    content = json.loads((output / "dataset.json").read_text())
    for item in (*content["training"], *content["validation"]):
        name = Path(item["image"]).stem
        values = np.asarray(shown(output / item["label"])[0])
        np.testing.assert_array_equal(values == values.max(), bits[name], err_msg=repr(case))
        if name == odd.stem:
            written, original = shown(output / item["image"])[0], shown(odd)[0]
            np.testing.assert_allclose(gray(written), gray(original), atol=1e-6, err_msg=repr(case))


def check_score(case: Masked, folder: Path) -> None:
    """IoU of a prediction with a label is that of their pixels."""
    predicted, truth = random_bits(case.picture.seed, SIZE), random_bits(case.picture.seed + 1, SIZE)
    (folder / "a").mkdir()
    Image.fromarray(255 * predicted.astype(np.uint8)).save(folder / "a" / "x.png")
    label, output = case.write_mask(folder / "b", "x_mask", truth, case.damage), folder / "scores.json"
    ending = call("score", "isbi", pred=folder / "a", label=folder / "b", json=output)
    require_no_parts(folder)
    if ending.code != 0:
        require_refusal(ending, label, folder / "a" / "x.png", folder / "b")
        assert not output.exists()
        assert case.damage != "intact" or case.mask in REFUSED, f"refused: {case!r}\n{ending}"
        return
    if case.damage == "intact":
        expected = (predicted & truth).sum() / (predicted | truth).sum()
        np.testing.assert_allclose(json.loads(output.read_text())["iou"]["value"], expected, err_msg=repr(case))


SINGLE = pictures().filter(lambda picture: picture.shape[0] == 1 and picture.shape != (1, 1, 1))
DAMAGES = st.sampled_from(["intact"] * len(DAMAGE) + sorted(DAMAGE))
CASES = st.builds(Masked, SINGLE, st.sampled_from(sorted(MASKS)), DAMAGES)
PARTS = [
    Part("prepare_data", "images with masks", CASES, check_folder, quick=15),
    Part("score", "labels", CASES, check_score, quick=20),
]
