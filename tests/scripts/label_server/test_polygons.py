"""Polygons are the mask, and a region is cut out of the image."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.label_server.app.lib.polygons import mask_polygons, signed_area
from scripts.label_server.app.lib.region import region_mask

from .helpers import draw


class TestPolygons:
    @pytest.mark.parametrize("density", [0.2, 0.5, 0.8])
    def test_areas_are_pixel_counts(self, density):
        mask = np.random.default_rng(3).random((19, 27)) < density
        assert sum(signed_area(polygon) for polygon in mask_polygons(mask)) == mask.sum()

    @pytest.mark.parametrize("density", [0.4, 0.6, 0.9])
    def test_drawn_again_they_are_the_mask(self, density):
        mask = np.random.default_rng(4).random((23, 31)) < density
        drawn = np.logical_or.reduce([draw(polygon, mask.shape) for polygon in mask_polygons(mask)])
        np.testing.assert_array_equal(drawn, mask)

    def test_a_part_with_holes_is_one_polygon_that_leaves_them_out(self):
        mask = np.zeros((12, 17), bool)
        mask[1:11, 2:15] = True
        mask[3:5, 4:6] = mask[6:9, 9:11] = False
        (polygon,) = mask_polygons(mask)
        assert signed_area(polygon) == mask.sum()
        np.testing.assert_array_equal(draw(polygon, mask.shape), mask)

    def test_a_rectangle_has_four_corners(self):
        mask = np.zeros((5, 9), bool)
        mask[1:3, 2:7] = True
        assert sorted(mask_polygons(mask)[0]) == [[2, 1], [2, 3], [7, 1], [7, 3]]

    def test_pixels_that_touch_at_a_corner_are_two_polygons(self):
        assert len(mask_polygons(np.eye(2, 3, dtype=bool))) == 2

    def test_small_parts_can_be_left_out(self):
        mask = np.zeros((6, 8), bool)
        mask[0, 0] = mask[2:5, 3:6] = True
        assert [signed_area(p) for p in mask_polygons(mask, least_area=2)] == [9]

    def test_an_empty_mask_has_none(self):
        assert mask_polygons(np.zeros((3, 4), bool)) == []


class TestRegion:
    @pytest.mark.parametrize(
        ("location", "size", "rows", "columns"),
        [
            ([0, 0], [0, 0], (0, 9), (0, 14)),
            ([3, 2], [5, 4], (2, 6), (3, 8)),
            ([3, 2], [0, 0], (2, 9), (3, 14)),
            ([-3, -2], [5, 4], (0, 2), (0, 2)),
            ([-3, 2], [100, 4], (2, 6), (0, 14)),
            ([12, 7], [5, 5], (7, 9), (12, 14)),
            ([-8, 0], [5, 5], (0, 5), (0, 0)),
            ([40, 40], [5, 5], (0, 0), (0, 0)),
        ],
    )
    def test_it_ends_at_the_edges_of_the_image(self, location, size, rows, columns):
        expected = np.zeros((9, 14), bool)
        expected[slice(*rows), slice(*columns)] = True
        np.testing.assert_array_equal(region_mask((9, 14), location, size), expected)
