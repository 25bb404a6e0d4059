"""Rows, order and sums of the images of a report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from custom.metrics import iou
from custom.report import content
from custom.report.content import ImageTable, threshold_curves
from custom.report.layers import IGNORED, Picture
from custom.report.page import Report, render

from .samples import make_picture, make_table, numbers


def test_the_worst_image_comes_first_whatever_the_order():
    pictures = [make_picture(name, seg=score) for name, score in (("a", 0.5), ("b", 0.1), ("c", 0.9))]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        assert [row["name"] for row in make_table(*(pictures[i] for i in order)).rows] == ["b", "a", "c"]


def test_pixel_error_counts_where_there_is_no_seg_and_more_is_worse():
    table = make_table(*(make_picture(name, pixel_error=score) for name, score in (("a", 0.1), ("b", 0.3))))
    assert [row["name"] for row in table.rows] == ["b", "a"]
    assert table.measures == ["pixel_error"]


def test_without_labels_the_most_uncertain_image_comes_first():
    sure, unsure = make_picture("sure", labelled=False), make_picture("unsure", labelled=False)
    unsure.probability[:] = 0.5
    table = make_table(sure, unsure)
    assert [row["name"] for row in table.rows] == ["unsure", "sure"]
    assert table.rows[0]["uncertainty"] == pytest.approx(1)
    assert table.rows[0]["objects"] is None
    assert not table.bins.any()


def test_objects_are_counted_with_their_errors():
    perfect, lost = make_table(make_picture("a")).rows[0], make_table(make_picture("a", shift=30)).rows[0]
    assert perfect["objects"] == lost["objects"] == 2
    assert perfect["errors"] == []
    assert lost["counts"] == {"missed": 2, "split": 0, "merged": 0, "invented": 2}
    assert [error["kind"] for error in lost["errors"]] == ["missed", "missed", "invented", "invented"]
    assert lost["errors"][0]["box"] == (10, 5, 30, 25)


def test_ids_beyond_three_bytes_are_numbered_anew():
    small, large = make_picture("a", shift=3), make_picture("a", shift=3)
    large.label[large.label > 0] += 2**40
    large.prediction[large.prediction == 7] = 2**24 - 1
    (small,), (large,) = make_table(small).rows, make_table(large).rows
    assert large["counts"] == small["counts"]
    found = [numbers(large["views"][0]["layers"][name]) for name in ("label", "prediction")]
    assert [np.unique(layer).tolist() for layer in found] == [[0, 1, 2, IGNORED], [0, 1, 2]]


def test_two_classes_have_components_as_objects_and_three_have_none():
    picture = make_picture("a", shift=30)
    picture.label[picture.label > 0] = 1
    two, three = ImageTable(objects=False, classes=2), ImageTable(objects=False, classes=3)
    two.add(picture)
    three.add(picture)
    assert two.rows[0]["objects"] == 2
    assert two.rows[0]["counts"]["missed"] == 2
    assert three.rows[0]["objects"] is None


def test_only_the_worst_have_pictures(monkeypatch):
    monkeypatch.setattr(content, "MAX_PICTURES", 2)
    table = make_table(*(make_picture(str(i), seg=i / 10) for i in (4, 1, 3, 2)))
    assert [bool(row["views"]) for row in table.rows] == [True, True, False, False]
    monkeypatch.setattr(content, "MAX_BYTES", 10)
    table = make_table(*(make_picture(str(i), seg=i / 10) for i in (4, 1)))
    assert [bool(row["views"]) for row in table.rows] == [True, False]


def test_the_lists_are_bounded_and_keep_every_kind():
    picture = make_picture("a", shift=30)
    picture.prediction[::2, 60:90:2] = np.arange(100, 100 + 30 * 15).reshape(30, 15)
    row = make_table(picture).rows[0]
    assert row["counts"]["invented"] > content.MAX_LISTED
    assert len(row["errors"]) <= content.MAX_LISTED
    assert {error["kind"] for error in row["errors"]} == {"missed", "invented"}


def test_the_threshold_curve_meets_the_measure_at_one_half():
    picture = make_picture("a", shift=4)
    table = make_table(picture)
    curves = threshold_curves(table.pixels)
    assert curves["IoU"][5] == pytest.approx(iou(picture.label > 0, picture.probability, picture.valid).value)
    assert curves["recall"][0] == 1


def membranes(height: int, width: int, noise: float) -> Picture:
    """Drawn cells between membranes, with `noise` in gray values and probability."""
    generator = np.random.default_rng(0)
    coarse = generator.normal(size=(height // 16, width // 16))
    field = ndimage.zoom(coarse, (height / len(coarse), width / coarse.shape[1]), order=3)
    gray = 0.5 + 0.15 * field + generator.normal(0, noise, field.shape)
    blurred = ndimage.gaussian_filter(generator.normal(size=field.shape), 2)
    probability = 1 / (1 + np.exp(-40 * (np.abs(field) - 0.15 + noise * blurred)))
    mask, label = (probability > 0.5).astype(int), (np.abs(field) > 0.15).astype(int)
    return Picture("a", np.clip(gray, 0, 1), probability, mask, label, {"pixel_error": 0.1})


@pytest.mark.parametrize(("shape", "noise", "shown"), [((512, 500), 0.15, 30), ((1100, 1000), 1.0, None)])
def test_a_page_of_thirty_images_stays_under_20_megabytes(shape, noise, shown):
    """Images as in the data sets of the paper with all their pictures; larger, noisier ones with those of the worst."""
    picture = membranes(*shape, noise)
    table = make_table(picture, objects=False)
    table.rows *= 29  # drawing and compressing thirty takes seconds
    table.rows = [dict(row, name=f"{number:02}") for number, row in enumerate(table.rows)]
    table.add(replace(picture, name="29"))
    pictures = sum(bool(row["views"]) for row in table.rows)
    assert len(render(Report("run", "validation", table, {})).encode()) < 20_000_000
    assert len(table.rows) == 30
    assert pictures == shown or (shown is None and 1 <= pictures < 30)
