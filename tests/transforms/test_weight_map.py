"""The weight map against its definition: one Euclidean distance transform per cell."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from monai.data import MetaTensor
from PIL import Image
from scipy import ndimage

from custom.errors import UserError
from custom.transforms import WeightMap, WeightMapD, WeightMapd, WeightMapDict, class_weights
from custom.transforms.weight_map import BAND, _nearest_in_column


def naive_border(cells: np.ndarray, w0: float, sigma: float) -> np.ndarray:
    """w0 exp(-(d1 + d2)^2 / (2 sigma^2)) with every distance to every cell, in float64."""
    ids = np.unique(cells[cells > 0])
    if len(ids) < 2:
        return np.zeros(cells.shape)
    distances = np.sort([ndimage.distance_transform_edt(cells != cell) for cell in ids], axis=0)
    return w0 * np.exp(-((distances[0] + distances[1]) ** 2) / (2 * sigma**2))


def assert_equals_definition(label, cells, w0=10.0, sigma=5.0, given=None) -> None:
    """Both switches; exact above 1e-6 w0, and 0 where the term is smaller. w_c is 1 to look at the border alone."""
    expected = naive_border(cells, w0, sigma)
    for everywhere in (False, True):
        weight_map = WeightMap(w0, sigma, class_weights=[0.0, 0.0], border_everywhere=everywhere)
        border = weight_map(label[None], None if given is None else given[None])[0]
        wanted = (label != 255) & (cells >= 0) & (everywhere | (label == 0))
        reference = np.where(wanted & (expected > 1e-6 * w0), expected, 0)
        np.testing.assert_allclose(border, reference, rtol=1e-5, atol=1.01e-6 * w0)
        large = reference > 1.001e-6 * w0
        np.testing.assert_allclose(border[large], reference[large], rtol=1e-5)


def isbi_label(real_data: Path, index: int) -> np.ndarray:
    return (np.asarray(Image.open(real_data / f"isbi2012/train/label/{index:02d}.png")) > 0).astype(np.uint8)


@pytest.mark.parametrize(
    ("index", "window"), [(0, np.s_[100:230, :]), (17, np.s_[:, 300:410]), (29, np.s_[380:, 200:])]
)
def test_real_em_labels(real_data, index, window):
    label = isbi_label(real_data, index)[window]
    assert_equals_definition(label, ndimage.label(label)[0])


@pytest.mark.parametrize("name", ["DIC-C2DH-HeLa/01_GT/SEG/man_seg034.tif", "PhC-C2DH-U373/01_GT/SEG/man_seg001.tif"])
def test_real_instances_that_touch(real_data, name):
    instances = tifffile.imread(real_data / name).astype(np.int32)[:, 20:480]
    assert_equals_definition((instances > 0).astype(np.uint8), instances, given=instances)


@pytest.mark.parametrize("sigma", [0.7, 5.0, 21.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3), (37, 53), (600, 23)])
def test_random_instances(shape, sigma):
    random = np.random.RandomState(sum(shape))
    for density in (0.02, 0.3, 0.9):
        instances = random.randint(1, 9, shape) * (random.random_sample(shape) < density)
        instances[random.random_sample(shape) < 0.05] = -1
        label = np.where(instances < 0, 255, instances > 0)
        label[random.random_sample(shape) < 0.1] = 0  # background carved out of instances
        assert_equals_definition(label, instances, w0=3.0, sigma=sigma, given=instances)


@pytest.mark.parametrize("shape", [(37, 53), (1, 60), (270, 31)])
def test_random_labels_without_instances(shape):
    label = (np.random.RandomState(3).random_sample(shape) < 0.4).astype(np.uint8)
    assert_equals_definition(label, ndimage.label(label)[0])


@pytest.mark.parametrize("shape", [(37, 53), (270, 31)])
@pytest.mark.parametrize("given", [False, True])
def test_several_classes(shape, given):
    """w_c of all classes, and the border term on class 0 between parts of any others, as the formula says."""
    random = np.random.RandomState(4)
    label = random.choice([0, 1, 2, 3, 255], shape, p=[0.6, 0.15, 0.1, 0.1, 0.05])
    label[:9, :7] = [[1] * 3 + [2] * 4] * 9  # two classes that touch are one part of the foreground
    foreground = (label > 0) & (label < 255)
    cells = random.randint(1, 6, shape) * foreground if given else ndimage.label(foreground)[0]
    counts = np.array([(label == k).sum() for k in range(4)])
    balance = np.where(label < 255, (counts.max() / counts)[np.minimum(label, 3)], 0)
    border = np.where(label == 0, naive_border(cells, 10, 5), 0)
    weight = WeightMap()(label[None], cells[None] if given else None)[0]
    np.testing.assert_allclose(weight, balance + border, rtol=1e-5, atol=2e-5)
    assert len(np.unique(balance)) == 5
    assert border.max() > 5


def test_cells_are_4_connected():
    label = np.zeros((9, 14), np.uint8)
    label[2:4, 2:4] = label[4:6, 4:6] = 1  # touch at a corner: two cells
    weight = WeightMap(class_weights=[0, 0])(label[None])[0]
    assert weight[3, 4] == pytest.approx(10 * np.exp(-4 / 50))


@pytest.mark.parametrize("label", [np.zeros((5, 8)), np.ones((5, 8)), np.pad(np.ones((2, 3)), 4), np.full((5, 8), 255)])
def test_fewer_than_two_cells_have_no_border(label):
    weight = WeightMap(border_everywhere=True)(label[None])
    np.testing.assert_array_equal(weight, WeightMap(w0=0)(label[None]))
    assert np.isfinite(weight).all()


def test_balance_per_image():
    label = np.array([[0, 1, 1, 1, 1, 2, 2, 255]])
    weight = WeightMap(w0=0)(label[None])[0]
    np.testing.assert_array_equal(weight, [[4, 1, 1, 1, 1, 2, 2, 0]])


def test_balance_given():
    label = np.array([[0, 1, 1, 255]])
    np.testing.assert_array_equal(WeightMap(w0=0, class_weights=(2.5, 0.5))(label[None])[0], [[2.5, 0.5, 0.5, 0]])


def test_balance_over_a_data_set():
    labels = [np.array([[[0, 0, 1]]]), torch.tensor([[[1.0, 1, 1], [3, 255, 255]]])]
    assert class_weights(iter(labels)) == [2, 1, 1, 4]
    assert class_weights([np.ones((1, 2, 3), np.uint8)]) == [1, 1]
    both = np.concatenate([np.zeros((1, 4, 5)), np.ones((1, 4, 5)), np.ones((1, 4, 5))], axis=2)
    per_image = WeightMap(w0=0)(both)
    np.testing.assert_array_equal(per_image, WeightMap(w0=0, class_weights=class_weights([both]))(both))
    with pytest.raises(UserError, match="all ignored"):
        class_weights([np.full((1, 2, 3), 255)])


def test_ignored_pixels_are_no_cell_and_no_class():
    label = np.zeros((11, 30), np.uint8)
    label[3:8, 4:10] = 1
    label[3:8, 14:20] = 255
    weight = WeightMap()(label[None])[0]
    assert (weight[label == 255] == 0).all()
    assert (weight[label == 0] == 1).all()  # one cell: no border
    np.testing.assert_array_equal(weight[label == 1], np.float32((label == 0).sum() / 30))


def test_ignored_instance_gets_weight_0():
    instances = np.array([[1, 1, 0, 2, -1, -1]])
    weight = WeightMap()((instances > 0)[None], instances[None])[0]
    assert (weight[0, 4:] == 0).all()
    assert weight[0, 2] == pytest.approx(3 + 10 * np.exp(-4 / 50))


def test_an_instance_under_an_ignored_label_is_no_cell():
    instances = np.zeros((1, 9, 30), np.int32)
    instances[0, 2:7, 3:9], instances[0, 2:7, 12:18] = 1, 2
    label = np.where(instances == 2, 255, instances)
    alone = np.where(instances == 2, -1, instances)
    np.testing.assert_array_equal(WeightMap()(label, instances), WeightMap()(label, alone))
    assert (WeightMap(class_weights=[0, 0])(label, instances) == 0).all()


def test_bands_of_rows_change_nothing(monkeypatch):
    label = (np.random.RandomState(5).random_sample((1, 90, 61)) < 0.1).astype(np.uint8)
    expected = WeightMap()(label)
    monkeypatch.setattr("custom.transforms.weight_map.BAND", 7)
    np.testing.assert_array_equal(WeightMap()(label), expected)


def test_distance_tables_hold_a_band_of_rows_alone(monkeypatch):
    heights = []

    def noted(cells, far):
        heights.append(len(cells))
        return _nearest_in_column(cells, far)

    monkeypatch.setattr("custom.transforms.weight_map._nearest_in_column", noted)
    WeightMap(sigma=5)(np.zeros((1, 1500, 3), np.uint8))
    assert len(heights) > 1
    assert max(heights) <= BAND + 2 * 27


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32, bool])
def test_containers(dtype):
    label = (np.random.RandomState(1).random_sample((1, 12, 19)) < 0.4).astype(dtype)
    before = label.copy()
    expected = WeightMap()(label)
    assert isinstance(expected, np.ndarray)
    assert expected.dtype == np.float32
    np.testing.assert_array_equal(label, before)
    tensor = torch.as_tensor(label.astype(np.int32))
    meta = MetaTensor(tensor, affine=torch.diag(torch.tensor([2.0, 3, 1, 1])), meta={"filename_or_obj": "a.png"})
    for given in (tensor, meta):
        weight = WeightMap()(given)
        assert type(weight) is type(given)
        assert weight.dtype == torch.float32
        np.testing.assert_array_equal(np.asarray(weight), expected)
    assert weight.meta["filename_or_obj"] == "a.png"
    torch.testing.assert_close(weight.affine, meta.affine)


def test_dictionary():
    instance = np.array([[[1, 1, 2, 2, 0, 0]]], np.int32)
    label = (instance > 0).astype(np.uint8)
    given = {"label": label, "instance": instance}
    result = WeightMapd(keys="label", border_everywhere=True)(given)
    assert set(given) == {"label", "instance"}
    np.testing.assert_array_equal(result["weight"], WeightMap(border_everywhere=True)(label, instance))
    components = WeightMap(border_everywhere=True)(label)
    assert not np.array_equal(result["weight"], components)
    without = WeightMapd(keys="label", border_everywhere=True, instance_key=None, weight_key="w")(given)
    np.testing.assert_array_equal(without["w"], components)
    absent = WeightMapd(keys="label", border_everywhere=True)({"label": label})
    np.testing.assert_array_equal(absent["weight"], components)
    assert WeightMapd(keys="label", allow_missing_keys=True)({"image": 1}) == {"image": 1}
    assert WeightMapd is WeightMapD is WeightMapDict
    pickle.loads(pickle.dumps(WeightMapd(keys="label")))(given)


@pytest.mark.parametrize(
    "label",
    [
        np.zeros((5, 8)),
        np.zeros((2, 5, 8)),
        np.zeros((1, 5, 0)),
        np.full((1, 5, 8), 0.5),
        np.full((1, 5, 8), np.nan),
        np.full((1, 5, 8), np.inf),
        np.full((1, 5, 8), -1),
        np.full((1, 5, 8), 256),
        np.full((1, 5, 8), 2.0**33),
    ],
)
def test_bad_labels(label):
    with pytest.raises(UserError, match="label"):
        WeightMap()(label)


def test_bad_arguments():
    label = np.ones((1, 5, 8), np.uint8)
    with pytest.raises(TypeError, match="list"):
        WeightMap()([[[0, 1]]])
    with pytest.raises(UserError, match="instance"):
        WeightMap()(label, np.ones((1, 8, 5)))
    with pytest.raises(UserError, match="instance"):
        WeightMap()(label, np.full((1, 5, 8), -2))
    with pytest.raises(UserError, match="class 1"):
        WeightMap(class_weights=[1.0])(label)
    with pytest.raises(UserError, match="keys"):
        WeightMapd(keys=["label", "other"])
    assert not WeightMap(ignore=1)(label).any()
    for bad in ({"w0": -1}, {"sigma": 0}, {"ignore": 256}, {"class_weights": [1, float("nan")]}):
        with pytest.raises(UserError, match=next(iter(bad))):
            WeightMap(**bad)
