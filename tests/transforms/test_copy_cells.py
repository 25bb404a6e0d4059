"""Copied cells: new ids beside old ones, gray values of their source, everything else as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose
from scipy import ndimage

from custom.errors import UserError
from custom.transforms import InstancesToClassesd, RandCopyCellsd, WeightMapd
from custom.transforms.copy_cells import RIM, cut_out, paste

SHAPE = (120, 170)
KEYS = ["image", "instance"]
EIGHT = np.ones((3, 3))
ANNOTATE = Compose([InstancesToClassesd(), WeightMapd("label", class_weights=1)])


def field(seed: int, cells: int = 5, gray: float = 0.0) -> dict[str, MetaTensor]:
    """An item with separate discs, numbered in steps of 7, on noise around `gray`."""
    random = np.random.RandomState(seed)
    rows, columns = np.indices(SHAPE)
    ids = np.zeros(SHAPE, np.int32)
    for number in range(1, cells + 1):
        row, column, radius = (
            random.randint(25, SHAPE[0] - 25),
            random.randint(25, SHAPE[1] - 25),
            random.randint(5, 13),
        )
        disc = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
        if not ids[ndimage.binary_dilation(disc, iterations=3)].any():
            ids[disc] = 7 * number
    image = gray + random.random_sample((2, *SHAPE)).astype(np.float32)
    return {"image": MetaTensor(torch.from_numpy(image)), "instance": MetaTensor(torch.from_numpy(ids[None]))}


def copying(prob: float = 1.0, sources: int = 3, seed: int = 0, most: int = 3) -> RandCopyCellsd:
    """Copies cells of brighter images; an item names its seed."""
    items = [{"seed": number} for number in range(50, 50 + sources)]
    return RandCopyCellsd(
        KEYS, items, lambda item: field(item["seed"], gray=10), ANNOTATE, prob, most
    ).set_random_state(seed)


def arrays(item) -> tuple[np.ndarray, np.ndarray]:
    return np.array(item["image"]), np.array(item["instance"])[0]


@pytest.mark.parametrize("seed", range(8))
def test_copies_touch_a_cell_and_leave_the_rest(seed):
    item = field(seed)
    image, before = (values.copy() for values in arrays(item))
    copied = copying(seed=seed)(item)
    gray, after = arrays(copied)
    np.testing.assert_array_equal(item["image"], image)  # the item may be in a cache
    np.testing.assert_array_equal(item["instance"][0], before)
    new = np.setdiff1d(after, before)
    assert len(new) in range(1, 4)
    for number in new:
        neighbours = np.unique(after[ndimage.binary_dilation(after == number, EIGHT)])
        assert len(neighbours[neighbours > 0]) > 1
    assert (gray[:, np.isin(after, new)] >= 10).all()
    for number in np.unique(before[before > 0]):
        assert (after == number).sum() >= (before == number).sum() / 2 ** len(new)
    far = ndimage.distance_transform_edt(~np.isin(after, new)) > 2 * 13 + RIM  # a copy may be half hidden
    assert far.any()
    np.testing.assert_array_equal(gray[:, far], image[:, far])
    np.testing.assert_array_equal(after[~np.isin(after, new)], before[~np.isin(after, new)])


def test_copied_gray_values_are_those_of_the_source():
    source = field(50, gray=10)
    image, ids = arrays(source)
    cutout = cut_out(image, ids)[0]
    canvas, empty = np.zeros((2, *SHAPE), np.float32), np.zeros(SHAPE, np.int32)
    corner = np.array([20, 31])
    paste(cutout, corner, True, canvas, empty)
    assert np.unique(empty).tolist() == [0, 1]
    rows, columns = (slice(start, start + length) for start, length in zip(corner, cutout.cell.shape, strict=True))
    np.testing.assert_array_equal(empty[rows, columns] == 1, cutout.cell)
    np.testing.assert_array_equal(canvas[:, empty == 1], cutout.image[:, cutout.cell])
    outside = np.ones(SHAPE, bool)
    outside[rows, columns] = False
    assert not canvas[:, outside].any()


def test_surroundings_of_a_cutout_hold_nothing_else():
    ids = np.zeros(SHAPE, np.int32)
    ids[40:50, 60:80] = 7
    ids[48, 83], ids[38, 70] = 5, -1
    (share,) = (one.share for one in cut_out(np.zeros((1, *SHAPE), np.float32), ids) if one.cell.sum() == 200)
    assert share.shape == (10 + 2 * RIM, 20 + 2 * RIM)
    assert (share[RIM:-RIM, RIM:-RIM] == 1).all()
    assert share[0].max() < 2e-4
    assert np.argwhere(share == 0).tolist() == [[RIM - 2, RIM + 10], [RIM + 8, RIM + 23]]


def test_cells_at_the_edge_are_not_copied():
    ids = np.zeros(SHAPE, np.int32)
    ids[: RIM + 3, 50:60] = 4
    ids[60:70, 100:110] = 9
    cutouts = cut_out(np.zeros((1, *SHAPE), np.float32), ids)
    assert [cutout.cell.sum() for cutout in cutouts] == [100]
    assert not cut_out(np.zeros((1, *SHAPE), np.float32), np.zeros(SHAPE, np.int32))


@pytest.mark.parametrize("in_front", [True, False])
@pytest.mark.parametrize(("overlap", "kept"), [(4, True), (6, False)])
def test_no_more_than_half_of_a_cell_is_hidden(in_front, overlap, kept):
    ids = np.zeros(SHAPE, np.int32)
    ids[40:50, 40:50] = 3
    cutout = cut_out(np.ones((1, *SHAPE), np.float32), ids)[0]
    image, instances = np.zeros((1, *SHAPE), np.float32), ids.copy()
    paste(cutout, np.array([40 - RIM, 50 - overlap - RIM]), in_front, image, instances)
    if not kept:
        np.testing.assert_array_equal(instances, ids)
        assert not image.any()
        return
    hidden = np.s_[40:50, 50 - overlap : 50]
    assert (instances[hidden] == (4 if in_front else 3)).all()
    assert image[0][hidden].all() == in_front
    assert (instances == 4).sum() == (100 if in_front else 100 - 10 * overlap)


@pytest.mark.parametrize(("column", "kept"), [(-4, True), (-6, False), (-300, False)])
def test_half_of_a_copy_may_leave_the_image(column, kept):
    ids = np.zeros(SHAPE, np.int32)
    ids[40:50, 40:50] = 3
    cutout = cut_out(np.ones((1, *SHAPE), np.float32), ids)[0]
    instances = np.zeros(SHAPE, np.int32)
    paste(cutout, np.array([40 - RIM, column - RIM]), False, np.zeros((1, *SHAPE), np.float32), instances)
    assert (instances == 1).sum() == (10 * (10 + column) if kept else 0)


def test_classes_and_weights_are_those_of_the_new_ids():
    copied = copying()(ANNOTATE(field(1)))
    expected = ANNOTATE({"instance": copied["instance"]})
    for key in ("label", "weight"):
        np.testing.assert_array_equal(copied[key], expected[key])
        assert (copied[key] != ANNOTATE(field(1))[key]).any()
    assert isinstance(copied["image"], MetaTensor)
    assert copied["image"].dtype == torch.float32
    assert copied["instance"].dtype == torch.int32


def test_ignored_pixels_stay_ignored_around_a_copy():
    item = field(2)
    item["instance"][0, :, 80:] = -1
    before = arrays(item)[1].copy()
    after = arrays(copying(seed=4)(item))[1]
    new = np.isin(after, np.setdiff1d(after, before))
    assert new.any()
    np.testing.assert_array_equal((after == -1), (before == -1) & ~new)


def test_draws_repeat_with_the_seed():
    first, same, other = (copying(seed=seed)(field(3)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first["image"], same["image"])
    assert (arrays(first)[1] != arrays(other)[1]).any()


def test_unchanged_without_a_draw_or_without_cells():
    item = ANNOTATE(field(4))
    assert all(copying(prob=0)(item)[key] is item[key] for key in item)
    empty = field(4, cells=0)
    assert copying()(empty)["image"] is empty["image"]
    sources = RandCopyCellsd(KEYS, [{}], lambda _: field(4, cells=0), ANNOTATE, 1.0)
    np.testing.assert_array_equal(sources(item)["instance"], item["instance"])


def test_needs_two_keys_and_instances():
    with pytest.raises(UserError, match="keys: got"):
        RandCopyCellsd(["image"], [], field, ANNOTATE)
    item = field(1)
    del item["instance"]
    with pytest.raises(UserError, match="labels are instances"):
        copying()(item)
