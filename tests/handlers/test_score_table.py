"""The table of an evaluation."""

from __future__ import annotations

import logging

import pytest
from ignite.engine import Engine

from custom.handlers import ScoreTable


def table(caplog: pytest.LogCaptureFixture, metrics: dict[str, float], classes: tuple[str, ...] = ()) -> list[str]:
    """Lines of the table, with single spaces, after its head."""
    evaluator = Engine(lambda engine, batch: None)
    evaluator.state.metrics = metrics
    ScoreTable("runs/x/evaluation/test", classes).attach(evaluator)
    with caplog.at_level(logging.INFO, logger="evaluation"):
        evaluator.run([0])
    (record,) = caplog.records
    first, empty, head, *rows, last = record.message.split("\n")
    assert first.endswith("are in runs/x/evaluation/test")
    assert (empty, last, head.split()[0]) == ("", "", "measure")
    column = head.index("score")
    assert all(row[column - 2 : column] == "  " and row[column].isdigit() for row in rows)
    return [" ".join(row.split()) for row in rows]


def test_measures_with_thresholds_and_meaning_in_the_order_of_the_report(caplog):
    metrics = {
        "pixel_error_threshold": 0.30000000000000004,
        "pixel_error": 0.125,
        "iou_threshold": 0.35,
        "iou": 0.75,
        "val_loss": 1.5,
        "warping_error_threshold": 0.5,
        "warping_error_at_pixel_error_threshold": 0.02,
        "warping_error": 0.01,
    }
    iou, pixels, warping, other, loss = table(caplog, metrics, ("membrane", "cell"))
    assert iou.startswith("IoU, cell 0.7500 1 0.35, the model's overlap of label")
    assert pixels.startswith("pixel error 0.1250 0 0.30, the best here 1 - F score")
    assert warping.startswith("warping error 0.0100 0 0.50, the best here share of pixels")
    assert other == "warping error, at pixel error threshold 0.0200 0 0.30, the pixel error's"
    assert loss == "loss 1.5000 0 cross entropy, with the weights of the training"


def test_scores_of_each_class_and_a_measure_without_description(caplog):
    rows = table(
        caplog, {"iou_big_cell": 0.5, "iou": 0.625, "iou_dirt": 0.75, "mine": 2.0}, ("none", "big cell", "dirt")
    )
    assert rows[0].startswith("IoU, mean of 3 classes 0.6250 1 overlap")
    assert rows[1:] == ["IoU, big cell 0.5000 1", "IoU, dirt 0.7500 1", "mine 2.0000"]


def test_the_pixel_error_of_classes_has_no_threshold_of_its_own(caplog):
    metrics = {"pixel_error": 0.5, "warping_error": 0.01, "warping_error_at_pixel_error_threshold": 0.02}
    rows = table(caplog, metrics | {"warping_error_threshold": 0.4}, ("none", "cell", "dirt"))
    assert rows[2] == "warping error, at pixel error threshold 0.0200 0"


def test_a_count_is_a_number_without_a_best(caplog):
    rows = table(caplog, {"seg": 0.875, "seg_objects": 1029})
    assert rows[1] == "SEG, objects 1,029"
