"""The scoring command on files: stacks, folders, masks, tables, and what it refuses."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from custom import metrics
from custom.data.image_io import write_channels
from scripts.score import __main__ as score

ISBI = ["pixel_error", "iou", "rand_error", "v_rand", "v_info", "warping_error"]


@pytest.fixture
def stack() -> tuple[NDArray, NDArray]:
    """Labels (0 and 255) and float32 probabilities, (3, 15, 28)."""
    random = np.random.RandomState(0)
    label = np.kron(random.randint(0, 2, (3, 3, 7)), np.ones((5, 4))).astype(np.uint8)
    return 255 * label, np.clip(label + random.normal(0, 0.4, label.shape), 0, 1).astype(np.float32)


def write(path: Path, images: NDArray) -> Path:
    """A multi-page TIFF if the path ends in .tif, or else a folder: float images as TIFF, others as PNG."""
    if path.suffix == ".tif":
        tifffile.imwrite(path, images, photometric="minisblack")
        return path
    path.mkdir()
    for number, image in enumerate(images):
        if image.dtype == np.float32:
            tifffile.imwrite(path / f"{number:02d}.tif", image)
        else:
            Image.fromarray(image).save(path / f"{number:02d}.png")
    return path


def run(challenge: str, pred: Path, label: Path, folder: Path, *more: str) -> tuple[dict, list[list[str]]]:
    """Content of the JSON and of the CSV file that the command writes."""
    outputs = ["--json", str(folder / "scores.json"), "--csv", str(folder / "scores.csv")]
    assert score.main([challenge, "--pred", str(pred), "--label", str(label), *outputs, *more]) == 0
    with (folder / "scores.csv").open() as file:
        return json.loads((folder / "scores.json").read_text()), list(csv.reader(file))


def expected(label: NDArray, proposal: NDArray, valid: NDArray | None = None) -> dict:
    scores = {name: getattr(metrics, name)(label, proposal, valid) for name in ISBI}
    return {name: {"value": result.value, **result.extras()} for name, result in scores.items()}


@pytest.mark.parametrize("layout", [("p.tif", "l.tif"), ("p", "l"), ("p", "l.tif")])
def test_stacks_and_folders(layout, stack, tmp_path, capsys):
    label, proposal = stack
    files = write(tmp_path / layout[0], proposal), write(tmp_path / layout[1], label)
    order = ["--pair_by", "order"] if layout == ("p", "l.tif") else []
    content, rows = run("isbi", *files, tmp_path, *order)
    assert content == expected(label, proposal)
    assert list(content) == ISBI
    assert set(content["pixel_error"]) == {"value", "threshold"}
    assert set(content["warping_error"]) == {"value", "threshold", "at_pixel_error_threshold"}
    names = ["00.tif", "01.tif", "02.tif"] if layout[0] == "p" else ["p.tif[0]", "p.tif[1]", "p.tif[2]"]
    assert rows[0] == ["image", *ISBI]
    assert [row[0] for row in rows[1:]] == names
    assert tuple(float(row[1]) for row in rows[1:]) == metrics.pixel_error(label, proposal).per_image
    table = capsys.readouterr().out
    assert all(f"{name:<15}{content[name]['value']:>12.6f}" in table for name in ISBI)


@pytest.mark.parametrize("top", [1, 255])
@pytest.mark.parametrize("suffix", ["", ".tif"])
def test_masks(top, suffix, stack, tmp_path):
    label, proposal = stack
    mask = proposal > 0.5
    mask[0] = False  # an empty mask is a mask, whatever the others hold
    files = write(tmp_path / f"p{suffix}", (top * mask).astype(np.uint8)), write(tmp_path / f"l{suffix}", label // 255)
    content, _ = run("isbi", *files, tmp_path)
    assert content == expected(label, mask)


def test_ignored_pixels(stack, tmp_path):
    label, proposal = stack
    label = label // 255
    label[:, 4:8, 5:12] = 7
    content, _ = run("isbi", write(tmp_path / "p", proposal), write(tmp_path / "l", label), tmp_path, "--ignore", "7")
    assert content == expected(label, proposal, label != 7)


def test_ctc(tmp_path, capsys):
    label = np.zeros((2, 6, 9), dtype=np.int16)
    label[0, :4, :4], label[0, 4:, 6:] = 5, 300
    label[0, 0, 0] = -1
    prediction = np.zeros_like(label)
    prediction[0, :4, :3] = 1
    prediction[1] = 2
    files = write(tmp_path / "p.tif", prediction), write(tmp_path / "l.tif", label)
    content, rows = run("ctc", *files, tmp_path, "--ignore", "-1")
    assert content == {"seg": {"value": (11 / 15) / 2, "objects": 2}}
    assert rows == [["image", "seg"], ["p.tif[0]", repr((11 / 15) / 2)], ["p.tif[1]", ""]]
    assert "objects 2" in capsys.readouterr().out


BAD = {
    "missing": ("nowhere", "no such file"),
    "empty folder": ("empty", "no image in this folder"),
    "other number": (np.zeros((2, 15, 28), np.float32), "2 images.* 3; give one label for each"),
    "other shape": (np.zeros((3, 28, 15), np.float32), r"\(28, 15\).*\(15, 28\)"),
    "above one": (np.full((3, 15, 28), 1.5, np.float32), "values from 1.5 to 1.5.*probabilities in"),
    "below zero": (np.full((3, 15, 28), -0.5, np.float32), "-0.5"),
    "nan": (np.full((3, 15, 28), np.nan, np.float32), "NaN"),
    "16 bits": (np.full((3, 15, 28), 65535, np.uint16), "uint16.*give probabilities as float"),
    "8-bit gray": (np.full((3, 15, 28), 128, np.uint8), "uint8.*give probabilities as float"),
    "0, 1 and 255": (np.tile(np.uint8([0, 1, 255, 0]), (3, 15, 7)), "is not a mask"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_predictions_end_in_one_line(case, stack, tmp_path, capsys):
    pred, message = BAD[case]
    (tmp_path / "empty").mkdir()
    path = tmp_path / pred if isinstance(pred, str) else write(tmp_path / "p.tif", pred)
    options = ["isbi", "--pred", str(path), "--label", str(write(tmp_path / "l.tif", stack[0]))]
    assert score.main([*options, "--json", str(tmp_path / "scores.json")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert re.search(message, captured.err)
    assert not (tmp_path / "scores.json").exists()


def test_probabilities_of_several_classes_are_refused(stack, tmp_path, capsys):
    write_channels(tmp_path / "p.ome.tif", np.full((3, 15, 28), 1 / 3, np.float32), ["ground", "cell", "nucleus"])
    label = write(tmp_path / "l.tif", stack[0][:1])
    assert score.main(["isbi", "--pred", str(tmp_path / "p.ome.tif"), "--label", str(label)]) == 2
    assert "has 3 channels, probabilities of 3 classes; give one of the foreground" in capsys.readouterr().err


def test_nothing_to_score(stack, tmp_path, capsys):
    label, proposal = stack
    zeros = write(tmp_path / "zeros.tif", np.zeros_like(label))
    arguments = ["isbi", "--pred", str(write(tmp_path / "p.tif", proposal)), "--label", str(zeros), "--ignore", "0"]
    assert score.main(arguments) == 2
    assert "leaves no pixel" in capsys.readouterr().err
    assert score.main(["ctc", "--pred", str(zeros), "--label", str(zeros)]) == 2
    assert "no object" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_scores_never_replace_an_image(option, stack, tmp_path, capsys):
    pred, label = tmp_path / "pred.tif", tmp_path / "label.tif"
    tifffile.imwrite(pred, stack[0])
    tifffile.imwrite(label, stack[1])
    before = pred.read_bytes()
    assert score.main(["isbi", "--pred", str(pred), "--label", str(label), option, str(pred)]) == 2
    assert "is the name of an image" in capsys.readouterr().err
    assert pred.read_bytes() == before


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_unwritable_output_is_refused_before_scoring(option, stack, tmp_path, capsys):
    file = str(write(tmp_path / "l.tif", stack[0]))
    assert score.main(["isbi", "--pred", file, "--label", file, option, str(tmp_path / "none" / "file")]) == 2
    captured = capsys.readouterr()
    assert "cannot be written" in captured.err
    assert captured.out == ""
