from __future__ import annotations

import itertools

import pytest

from custom.errors import UserError
from custom.inferers.geometry import Geometry
from custom.inferers.tiling import fewest_tiles, least_work, shift_to_end, tilings
from custom.networks.valid_unet import ValidUNet


def paper_geometry(halo: int = 0) -> Geometry:
    network = ValidUNet(features=1)
    return Geometry(network.margin, halo, network.divisor, network.next_admissible)


@pytest.mark.parametrize(("halo", "shift"), [(0, 0), (0, 4), (0, 15), (16, 0), (16, 7)])
@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1), (0, 4), (0, 5), (0, 16), (0, 388), (0, 512), (37, 611), (64, 1700)]
)
def test_every_tiling_covers_each_pixel_once_from_aligned_admissible_tiles(
    halo: int, shift: int, start: int, stop: int
) -> None:
    geometry = paper_geometry(halo)
    for tiling in tilings(geometry, start, stop, shift):
        assert geometry.next_admissible(tiling.input_size) == tiling.input_size
        spans = list(tiling.spans())
        assert len(spans) == tiling.count
        written = [i for span in spans for i in range(span.write.start, span.write.stop)]
        assert written == list(range(stop - start))
        for span in spans:
            origin = span.read + shift + geometry.border
            assert origin % geometry.divisor == 0
            assert 0 <= span.crop.start < span.crop.stop <= tiling.kept
            assert origin + span.crop.start == start + span.write.start
            assert span.crop.stop - span.crop.start == span.write.stop - span.write.start


@pytest.mark.parametrize("halo", [0, 16])
@pytest.mark.parametrize("size", [1, 16, 500, 512, 517])
def test_shifted_tiles_read_backwards_are_aligned_too(halo: int, size: int) -> None:
    geometry = paper_geometry(halo)
    shift = shift_to_end(geometry, size)
    assert 0 <= shift < geometry.divisor
    for tiling in tilings(geometry, 0, size, shift):
        for span in tiling.spans():
            end = span.read + tiling.input_size  # of the pixels that a backward reading takes, the first of all
            assert (size - end + geometry.border) % geometry.divisor == 0


@pytest.mark.parametrize("stop", [1, 20, 21, 512, 2048])
def test_no_admissible_tile_covers_with_fewer_tiles(stop: int) -> None:
    geometry = paper_geometry()
    found = {tiling.input_size: tiling.count for tiling in tilings(geometry, 0, stop)}
    for size in range(204, max(found) + 16, 16):
        kept = size - 184
        needed = next(n for n in itertools.count(1) if (n - 1) * (kept // 16 * 16) + kept >= stop)
        assert min(count for tile, count in found.items() if tile <= size) == needed


def test_tiles_shrink_to_just_cover() -> None:
    # 512 pixels: one tile of 700 gives 516; two tiles of 444 give 256 + 260, where two of 572 would feed 1,144 pixels.
    sizes = {tiling.count: tiling.input_size for tiling in tilings(paper_geometry(), 0, 512)}
    assert (sizes[1], sizes[2]) == (700, 444)
    assert fewest_tiles(tilings(paper_geometry(), 0, 512), 572).input_size == 444


def test_tile_size_below_the_smallest_is_refused() -> None:
    with pytest.raises(UserError, match=r"tile_size is 100: .* at least 204"):
        fewest_tiles(tilings(paper_geometry(), 0, 512), 100)


@pytest.mark.parametrize("area", [210**2, 500 * 300, 900**2, 1e9])
def test_least_work_is_the_least(area: float) -> None:
    rows, columns = tilings(paper_geometry(), 0, 700), tilings(paper_geometry(), 0, 333)
    costs = [
        (row.count * row.input_size * column.count * column.input_size, row.input_size * column.input_size)
        for row, column in itertools.product(rows, columns)
        if row.input_size * column.input_size <= area
    ]
    row, column = least_work(rows, columns, area)
    assert (row.work * column.work, row.input_size * column.input_size) == min(costs)


def test_of_equal_work_the_smallest_tile_wins() -> None:
    """Without a border every number of tiles that divides the length feeds the network each pixel once."""
    geometry = Geometry(margin=0, halo=0, divisor=1, next_admissible=lambda size: size)
    for rows, columns in ((12, 7), (7, 12)):
        best = least_work(tilings(geometry, 0, rows), tilings(geometry, 0, columns), 100)
        assert [(tiling.count, tiling.input_size) for tiling in best] == [(rows, 1), (columns, 1)]


def test_too_small_a_budget_is_refused() -> None:
    candidates = tilings(paper_geometry(), 0, 700)
    with pytest.raises(UserError, match="memory_budget .* 204 x 204"):
        least_work(candidates, candidates, 100)
