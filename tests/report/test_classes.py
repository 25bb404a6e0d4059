"""A report of three classes: which pixels are wrong, the scores and shares of each class, names and colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from custom.data import make_synthetic, read_dataset
from custom.report.content import ImageTable
from custom.report.facts import dataset_facts
from custom.report.layers import Picture, make_views, uncertainty
from custom.report.page import Report, class_scores, render, write_page

from .browser import CHROMIUM, DRIVER, browser

NAMES = ["background", "cytoplasm", "nucleus"]
SCORES = {"iou": 0.7, "iou_background": 0.9, "iou_cytoplasm": 0.75, "iou_nucleus": 0.45, "dice_nucleus": 0.62}


def make_picture() -> Picture:
    """A nucleus in a cell, found but for its lower half, which is taken for cytoplasm; two channels, H != W."""
    label = np.zeros((40, 70), np.int64)
    label[5:35, 10:60], label[10:30, 25:45] = 1, 2
    label[:, 68:] = -1
    prediction = np.where(label < 0, 0, label)
    prediction[20:30, 25:45] = 1
    probability = np.stack([np.where(prediction == k, 0.8, 0.1) for k in range(3)])
    colours = np.linspace(0, 1, 40 * 70 * 3).reshape(40, 70, 3)
    return Picture("a.tif", colours, probability, prediction, label, {"iou": 0.7})


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Report:
    folder = tmp_path_factory.mktemp("data") / "set"
    make_synthetic(folder, size=(48, 64), counts={"training": 2, "validation": 1}, kind="cells")
    table = ImageTable(objects=False, classes=3)
    table.add(make_picture())
    return Report("run", "test", table, {}, dataset_facts(read_dataset(folder)), scores=SCORES)


def test_another_class_is_wrong_though_both_are_foreground():
    picture = make_picture()
    wrong = np.zeros((40, 70), bool)
    wrong[20:30, 25:45] = True
    np.testing.assert_array_equal(picture.wrong, wrong)
    np.testing.assert_allclose(picture.foreground[12, 30], 0.8 / 0.9)
    np.testing.assert_allclose(uncertainty(picture.probability), -(0.8 * np.log2(0.8) + 0.2 * np.log2(0.1)))
    assert make_views(picture)[0]["height"] == 40
    np.testing.assert_allclose(uncertainty(np.full((3, 2, 4), 1 / 3)), np.log2(3))


def test_scores_and_shares_of_each_class_are_shown(report):
    text = render(report)
    table = text[text.index('<table id="classes">') :].partition("</table>")[0]
    for name in NAMES:
        row = table[table.index(f'<th scope="row">{name}</th>') :].partition("</tr>")[0]
        assert f"<td>{SCORES[f'iou_{name}']:.4f}</td>" in row
    assert table.count("0.6200") == 1
    training = report.facts["splits"][0]  # type: ignore[index]
    assert sum(training["shares"]) == pytest.approx(1)
    assert training["shares"][1] + training["shares"][2] == pytest.approx(training["foreground"][0])
    assert f"nucleus {100 * training['shares'][2]:.1f} %" in text
    assert '<p id="legend"' in text


def test_of_two_classes_the_second_has_the_scores_without_a_name():
    scores = {"iou": 0.9, "iou_membrane": 0.7, "pixel_error": 0.1, "iou_threshold": 0.5}
    assert class_scores(["membrane", "cell"], scores) == {"membrane": {"iou": 0.7}, "cell": {"iou": 0.9}}
    assert class_scores(["membrane", "cell"], {"iou": 0.9}) == {}
    assert class_scores([], scores) == {}


@pytest.mark.slow
@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the path")
def test_the_legend_names_the_colours(report, tmp_path: Path):
    write_page(report, tmp_path / "report.html")
    with browser(tmp_path / "profile") as page:
        page.open(tmp_path / "report.html")
        assert page.script("document.getElementById('legend').textContent").split() == NAMES[1:]
        colours = page.script("[...document.querySelectorAll('.swatch')].map(e => e.style.background)")
        assert len(set(colours)) == 2
        box = "document.getElementById('canvas').getBoundingClientRect()"
        place = f"{{clientX: {box}.left + {box}.width / 2, clientY: {box}.top + {box}.height / 2, bubbles: true}}"
        page.script(f"document.getElementById('canvas').dispatchEvent(new PointerEvent('pointermove', {place}))")
        assert "label: nucleus" in page.script("document.getElementById('status').textContent")
        page.screenshot(tmp_path / "report.png")
        assert page.log() == []
