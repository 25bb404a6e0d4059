"""Handlers of the measures in an Ignite engine."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.handlers import MetricsSaver

from custom import metrics
from custom.handlers import metrics as handlers

HANDLERS = {
    "pixel_error": handlers.PixelErrorHandler,
    "iou": handlers.IoUHandler,
    "rand_error": handlers.RandErrorHandler,
    "v_rand": handlers.VRandHandler,
    "v_info": handlers.VInfoHandler,
    "warping_error": handlers.WarpingErrorHandler,
    "seg": handlers.SegHandler,
}


@pytest.fixture
def run() -> list[list[dict]]:
    """Two batches of decollated images (1, H, W) of different sizes."""
    random = np.random.RandomState(0)
    images = []
    for number, (height, width) in enumerate([(9, 14), (12, 7), (9, 14)]):
        label = np.kron(random.randint(0, 2, (1, 3, 7)), np.ones((4, 2)))[:, :height, :width]
        meta = {"filename_or_obj": f"image_{number}.png"}
        noisy = np.clip(label + random.normal(0, 0.4, label.shape), 0, 1)
        images.append({"pred": MetaTensor(torch.from_numpy(noisy), meta=meta), "label": torch.from_numpy(label)})
    return [images[:2], images[2:]]


def evaluate(name: str, data: list[list[dict]], tmp_path) -> tuple[Engine, list[np.ndarray], list[np.ndarray]]:
    def extract(batch):
        pred = [(image["pred"] > 0.5).float() if name == "seg" else image["pred"] for image in batch]
        return pred, [image["label"] for image in batch]

    engine = Engine(lambda _, batch: batch)
    HANDLERS[name](output_transform=extract).attach(engine, name)
    saver = MetricsSaver(
        str(tmp_path), metrics="*", metric_details="*", batch_transform=lambda batch: [i["pred"].meta for i in batch]
    )
    saver.attach(engine)
    engine.run(data)
    pairs = [extract(batch) for batch in data]
    return engine, *([image[0].numpy() for pair in pairs for image in pair[side]] for side in (1, 0))


@pytest.mark.parametrize("name", HANDLERS)
def test_value_details_and_files(name, run, tmp_path):
    engine, labels, predictions = evaluate(name, run, tmp_path)
    score = getattr(metrics, name)(labels, predictions)
    extras = {f"{name}_{key}": value for key, value in score.extras().items()}
    assert engine.state.metrics == {name: score.value, **extras}
    assert isinstance(engine.state.metrics[name], float)
    np.testing.assert_array_equal(engine.state.metric_details[name], score.per_image)
    with (tmp_path / f"{name}_raw.csv").open() as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows[1:]] == ["image_0.png", "image_1.png", "image_2.png"]
    assert [float(row[1]) for row in rows[1:]] == pytest.approx(score.per_image, abs=1e-4)


def test_each_run_starts_afresh(run, tmp_path):
    engine, _, _ = evaluate("pixel_error", run, tmp_path)
    first = dict(engine.state.metrics)
    engine.run(run)
    assert engine.state.metrics == first
    assert len(engine.state.metric_details["pixel_error"]) == 3


def test_details_can_be_left_out(run):
    engine = Engine(lambda _, batch: batch)
    handler = handlers.IoUHandler(lambda b: ([i["pred"] for i in b], [i["label"] for i in b]), save_details=False)
    handler.attach(engine, "iou")
    engine.run(run)
    assert not hasattr(engine.state, "metric_details")
    assert "iou" in engine.state.metrics
