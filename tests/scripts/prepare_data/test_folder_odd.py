"""Unusual folders: nothing is silently overwritten, inverted or skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from custom.data import LoadMicroscopyd, read_dataset, read_image, read_item, write_image
from custom.data.datalist import Datalist
from scripts.prepare_data.__main__ import main

SHAPE = (24, 33)
GENERATOR = np.random.default_rng(0)


def gray(*shape: int) -> np.ndarray:
    return GENERATOR.integers(0, 256, shape or SHAPE, dtype=np.uint8)


def disks(value: int = 255) -> np.ndarray:
    """A mask of two separate disks."""
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    inside = [(rows - 12) ** 2 + (columns - centre) ** 2 < 36 for centre in (8, 24)]
    return np.where(inside[0] | inside[1], value, 0).astype(np.uint8)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Four pairs whose names are not a series."""
    for name in ("ape", "bee", "cat", "dog"):
        write_image(tmp_path / "own/images" / f"{name}.png", gray())
        write_image(tmp_path / "own/masks" / f"{name}.png", disks())
    return tmp_path / "own"


def prepare(own: Path, *more: str) -> Datalist:
    output = own.parent / "out"
    assert main(["folder", "--source", str(own), "--output", str(output), *more]) == 0
    return read_dataset(output)


def refusal(own: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    assert main(["folder", "--source", str(own), "--output", str(own.parent / "out"), *more]) == 2
    assert not (own.parent / "out").exists()
    (line,) = capsys.readouterr().err.splitlines()
    return line


def foreground(dataset: Datalist, name: str) -> np.ndarray:
    (item,) = [item for item in dataset.training + dataset.validation if Path(item["image"]).stem == name]
    return LoadMicroscopyd()(item)["label"][0].numpy()


def test_pages_and_files_of_one_name_do_not_overwrite_each_other(own, capsys):
    for folder, stack in (("images", gray(2, *SHAPE)), ("masks", np.stack([disks(), disks()]))):
        tifffile.imwrite(own / folder / "ape.tif", stack, photometric="minisblack")
        (own / folder / "ape.png").rename(own / folder / "ape_000.png")
    line = refusal(own, capsys)
    assert "ape.tif and" in line
    assert "ape_000.png: both would become ape_000" in line


def test_names_that_differ_in_case_alone(own, capsys):
    for folder in ("images", "masks"):
        (own / folder / "bee.png").rename(own / folder / "APE.png")
    assert "both would become" in refusal(own, capsys)


def test_the_same_image_twice_is_refused(own, capsys):
    write_image(own / "images/cat.png", read_image(own / "images/ape.png"))
    held_out = ("--folds", "4", "--fold")
    lines = []
    for fold in range(4):
        output = own.parent / f"out{fold}"
        if main(["folder", "--source", str(own), "--output", str(output), *held_out, str(fold)]) == 2:
            lines.append(capsys.readouterr().err)
    assert len(lines) == 2  # the folds that hold out one of the two
    assert all("has the same pixels as training image" in line for line in lines)


@pytest.mark.parametrize("kind", ["palette", "imagej", "alpha"])
def test_masks_that_used_to_come_inverted_or_empty(own, kind):
    mask = disks()
    if kind == "palette":
        image = Image.fromarray((mask == 0).astype(np.uint8))
        image.putpalette([255, 255, 255, 0, 0, 0])  # white, the object, comes first
        image.save(own / "masks/ape.png")
    elif kind == "imagej":
        (own / "masks/ape.png").unlink()
        tifffile.imwrite(own / "masks/ape.tif", mask, photometric="miniswhite")
    else:
        drawn = np.zeros((*SHAPE, 4), np.uint8)
        drawn[..., 3] = mask
        Image.fromarray(drawn).save(own / "masks/ape.png")
    np.testing.assert_array_equal(foreground(prepare(own), "ape"), mask > 0)


def test_jpeg_masks_are_refused(own, capsys):
    (own / "masks/cat.png").unlink()
    Image.fromarray(disks()).save(own / "masks/cat.jpg")
    assert "cat.jpg: is a JPEG, which changes mask values" in refusal(own, capsys)


def test_black_and_white_masks_are_no_instances(own, capsys):
    assert "has separate regions of one value, which --instances takes for one object" in refusal(
        own, capsys, "--instances"
    )


def test_single_objects_and_numbered_ones_are_instances(own):
    numbered = disks()
    numbered[:, 16:] //= 2
    write_image(own / "masks/ape.png", numbered)
    assert prepare(own, "--instances").label_format.kind == "instances"


def test_negative_ids_are_refused(own, capsys):
    (own / "masks/cat.png").unlink()
    mask = disks().astype(np.int16)
    mask[0, 0] = -3
    tifffile.imwrite(own / "masks/cat.tif", mask)
    assert "cat.tif: unexpected mask values -3" in refusal(own, capsys, "--instances")


def test_invert(own, capsys):
    write_image(own / "masks/bee.png", 255 - disks())
    plain = foreground(prepare(own), "bee")
    output = own.parent / "inverted"
    assert main(["folder", "--source", str(own), "--output", str(output), "--invert"]) == 0
    np.testing.assert_array_equal(foreground(read_dataset(output), "bee"), 1 - plain)


def test_invert_is_for_two_classes(own, capsys):
    write_image(own / "masks/bee.png", np.maximum(disks(), disks()[::-1] // 2))
    assert "--invert: needs masks of two classes" in refusal(own, capsys, "--instances", "--invert")


def test_mostly_foreground_is_pointed_out(own, capsys):
    for name in ("ape", "bee", "cat", "dog"):
        write_image(own / f"masks/{name}.png", 255 - disks())
    prepare(own)
    assert "start again with --invert" in capsys.readouterr().out


def test_the_console_says_what_is_in_and_what_was_skipped(own, capsys):
    (own / "images/plate.czi").touch()
    (own / "images/notes.txt").touch()
    (own / "images/.DS_Store").touch()
    prepare(own)
    out = capsys.readouterr().out
    share = (disks() > 0).mean()
    assert f"foreground: {share:.1%} of the pixels" in out
    assert "connected regions of foreground: 2 in a typical image (2 to 2)" in out
    assert "skipped: notes.txt, plate.czi; export microscope formats as TIFF" in out
    assert "DS_Store" not in out


def test_only_microscope_formats(tmp_path, capsys):
    for folder in ("images", "masks"):
        (tmp_path / "own" / folder).mkdir(parents=True)
    (tmp_path / "own/images/plate.nd2").touch()
    assert "skipped: plate.nd2; export microscope formats" in refusal(tmp_path / "own", capsys)


def test_contact_sheet_shows_outlines_over_images(own):
    mask = disks()
    mask[:4] = 7
    write_image(own / "masks/dog.png", mask)
    prepare(own, "--ignore", "7")
    sheet = read_image(own.parent / "out/contact_sheet.png")
    assert sheet.shape[1] == 4 * 320
    tiles = np.split(sheet.astype(int), 4, axis=1)
    outlines = [(tile == (255, 200, 0)).all(axis=2) for tile in tiles]
    assert all(200 < outline.sum() < 4000 for outline in outlines)
    blue = [
        ((tile[..., 2] > tile[..., 0] + 30) & ~outline).sum() for tile, outline in zip(tiles, outlines, strict=True)
    ]
    assert blue[3] > 1000 > max(blue[:3])


@pytest.mark.parametrize("ending", ["_masks", "_label", "_labels", "_seg", "_gt", "_cp_masks"])
def test_images_and_masks_side_by_side(tmp_path, ending):
    for name in ("ape", "bee"):
        write_image(tmp_path / "own" / f"{name}.png", gray())
        write_image(tmp_path / "own" / f"{name}{ending}.png", disks())
    dataset = prepare(tmp_path / "own")
    assert (len(dataset.training), len(dataset.validation)) == (1, 1)
    assert dataset.about["name"] == "own"


def numbered(folder: Path, count: int) -> Path:
    for number in range(count):
        write_image(folder / "images" / f"t{number}.png", gray())
        write_image(folder / "labels" / f"t{number}.png", disks())
    return folder


def numbers(items: list[dict]) -> list[int]:
    return sorted(int(Path(item["image"]).stem.rpartition("_")[2].removeprefix("t")) for item in items)


def test_numbered_files_are_held_out_in_blocks(tmp_path, recwarn):
    dataset = prepare(numbered(tmp_path / "own", 12), "--test_fraction", "0.25")
    assert numbers(dataset.training) == list(range(7))
    assert numbers(dataset.validation) == [7, 8]
    assert numbers(dataset.test) == [9, 10, 11]
    assert not recwarn.list


def test_a_random_split_of_numbered_files_is_warned_of(tmp_path, capsys):
    output = str(tmp_path / "out")
    run = ["folder", "--source", str(numbered(tmp_path / "own", 12)), "--output", output, "--split", "random"]
    assert main([*run, "--validation_fraction", "0.4"]) == 0
    assert "warning: t" in (err := capsys.readouterr().err)
    assert err.count("neighbours by name") == 1


def test_one_stack_alone_is_split_by_pages(tmp_path):
    own = tmp_path / "own"
    for folder, stack in (("images", gray(6, *SHAPE)), ("masks", np.stack([disks()] * 6))):
        (own / folder).mkdir(parents=True)
        tifffile.imwrite(own / folder / "stack.tif", stack, photometric="minisblack")
    dataset = prepare(own, "--folds", "3", "--fold", "1")
    assert numbers(dataset.validation) == [2, 3]
    assert numbers(dataset.training) == [0, 1, 4, 5]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--test_fraction", "-0.5"), "--test_fraction: is -0.5"),
        (("--test_fraction", "0.5", "--validation_fraction", "0.6"), "leave some for training"),
        (("--test_fraction", "0.5", "--folds", "2"), "--test_fraction: cannot be combined with --folds"),
    ],
)
def test_impossible_fractions(own, capsys, more, message):
    assert message in refusal(own, capsys, *more)


def test_one_channel_of_several(own, capsys):
    channels = {name: gray(3, *SHAPE) for name in ("ape", "bee", "cat", "dog")}
    for name, array in channels.items():
        (own / "images" / f"{name}.png").unlink()
        tifffile.imwrite(own / "images" / f"{name}.tif", array, imagej=True, metadata={"axes": "CYX"})
    assert "has 3 channels that are not colours; choose one, channel 0 to 2" in refusal(own, capsys)
    dataset = prepare(own, "--channel", "2")
    for item in dataset.training + dataset.validation:
        np.testing.assert_array_equal(read_image(item["image"]), channels[Path(item["image"]).stem][2])


def test_colours_that_become_gray_are_told(own, capsys):
    colours = gray(*SHAPE)[..., None] * np.uint8([1, 0, 0])
    write_image(own / "images" / "ape.png", colours)
    write_image(own / "images" / "bee.png", np.repeat(colours[..., :1], 3, axis=-1))
    prepare(own)
    assert "1 of 4 images are in colour, and the network will see their gray values" in capsys.readouterr().out


def test_colours_that_are_kept_are_not_told(own, capsys):
    for name in ("ape", "bee", "cat", "dog"):
        write_image(own / "images" / f"{name}.png", gray(*SHAPE)[..., None] * np.uint8([1, 0, 0]))
    assert prepare(own, "--channels", "red", "green", "blue").channel_names == ("red", "green", "blue")
    assert "in colour" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "kept"), [(("a", "b", "c"), (0, 1, 2)), (("a", "b", "--channel", "2", "0"), (2, 0))]
)
def test_several_channels_are_kept_under_their_names(own, capsys, options, kept):
    channels = {name: gray(3, *SHAPE) for name in ("ape", "bee", "cat", "dog")}
    for name, array in channels.items():
        (own / "images" / f"{name}.png").unlink()
        tifffile.imwrite(own / "images" / f"{name}.tif", array, photometric="minisblack", metadata=None)
    said = refusal(own, capsys, "--channels", *options)
    assert "channels, say so: --axes CYX" in said
    dataset = prepare(own, "--channels", *options, "--axes", "CYX")
    assert dataset.channel_names == options[: len(kept)]
    for item in dataset.training + dataset.validation:
        expected = np.moveaxis(channels[Path(item["image"]).stem][list(kept)], 0, -1)
        np.testing.assert_array_equal(read_item(item), expected)
    assert read_image(own.parent / "out" / "contact_sheet.png").std() > 0


def test_names_for_another_number_of_channels(own, capsys):
    assert "--channel: has 1 numbers; name as many channels" in refusal(
        own, capsys, "--channels", "a", "b", "--channel", "1"
    )
    assert "has 1 channel, 2 are wanted (a, b)" in refusal(own, capsys, "--channels", "a", "b")
