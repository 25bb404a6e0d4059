"""Inference at a working scale: exact size, no shift, no seams, and similar results for the same picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from torch import Tensor, nn

from custom.errors import UserError
from custom.inferers import OverlapTileInferer
from custom.inferers.working_scale import Rescaled

from .oracle import random_images, random_network


class PixelNetwork(nn.Module):
    """Two classes from the pixel alone: logits +- `gain` * (x - 0.5)."""

    margin, halo, divisor = 0, 0, 1

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([-self.gain * (x - 0.5), self.gain * (x - 0.5)], dim=1)


def probability(scale: float, images: Tensor, network: nn.Module, **arguments) -> Tensor:
    return OverlapTileInferer(amp=False, scale=scale, **arguments)(images, network).softmax(1)


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.77, 1.5])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (2, 3), (50, 61), (61, 33)])
def test_logits_have_the_size_of_the_image(height, width, scale):
    images = MetaTensor(random_images(height, width, count=2), meta={"key": 1})
    logits = OverlapTileInferer(amp=False, scale=scale)(images, random_network())
    assert logits.shape == (2, 3, height, width)
    assert logits.meta["key"] == 1
    assert logits.isfinite().all()
    torch.testing.assert_close(logits.softmax(1), logits.exp())


@pytest.mark.parametrize("scale", [0.37, 0.5, 0.8, 2.0])
@pytest.mark.parametrize("shape", [(40, 61), (53, 32)])
def test_mirrored_and_transposed_images_have_mirrored_and_transposed_results(shape, scale):
    """So there is no shift to any side."""
    network = PixelNetwork(4.0)
    images = torch.rand((1, 1, *shape), generator=torch.Generator().manual_seed(3))
    result = probability(scale, images, network)
    for turn in (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.transpose(-1, -2)):
        torch.testing.assert_close(probability(scale, turn(images), network), turn(result), atol=1e-4, rtol=0)


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.77])
def test_a_ramp_comes_back_where_it_was(scale):
    ramp = torch.linspace(0.2, 0.8, 97).expand(1, 1, 60, 97)
    found = probability(scale, ramp, PixelNetwork(0.5))[0, 1]
    expected = torch.sigmoid(ramp[0, 0] - 0.5)
    torch.testing.assert_close(found[8:-8, 8:-8], expected[8:-8, 8:-8], atol=1e-3, rtol=0)


def test_half_scale_of_a_doubled_image_is_the_image():
    """On a smooth picture; a random network of the paper's kind."""
    network = random_network(depth=2)
    noise = torch.rand((1, 2, 16, 22), generator=torch.Generator().manual_seed(5))
    small = F.interpolate(noise, size=(61, 85), mode="bicubic", align_corners=True)
    large = F.interpolate(small, size=(121, 169), mode="bicubic", align_corners=True)
    expected = probability(1.0, small, network)
    found = probability(0.5, large, network)[..., ::2, ::2]
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)
    assert expected.std() > 0.02


@pytest.mark.parametrize("orientations", [1, 8])
def test_windows_and_tiles_meet(orientations):
    network, images = random_network(), random_images(75, 90)
    whole = probability(0.6, images, network, orientations=orientations)
    tile = network.next_admissible(2 * network.margin + 12)
    inferer = OverlapTileInferer(tile, 2, amp=False, scale=0.6, orientations=orientations)
    torch.testing.assert_close(inferer(images, network).softmax(1), whole, atol=1e-5, rtol=0)
    for rows, columns in [((0, 1), (0, 90)), ((17, 60), (31, 32)), ((40, 75), (3, 90))]:
        part = inferer.predict_roi(images, network, [slice(*rows), slice(*columns)])
        torch.testing.assert_close(part.softmax(1), whole[..., slice(*rows), slice(*columns)], atol=1e-5, rtol=0)


def test_reads_only_what_a_window_needs_and_writes_into_an_array():
    class Recording(np.ndarray):
        read: list[tuple[int, ...]] = []  # noqa: RUF012

        def __getitem__(self, key):
            part = np.asarray(self)[key]
            self.read.append(part.shape)
            return part

    images = random_images(400, 300).numpy()
    rescaled = Rescaled(images.view(Recording), 0.5)
    assert rescaled.shape == (1, 2, 201, 151)
    window = rescaled[0, slice(None), slice(20, 30), slice(40, 50)]
    assert window.shape == (2, 10, 10)
    assert max(Recording.read[-1][1:]) < 40
    out = np.zeros((1, 3, 400, 300), np.float32)
    network = random_network()
    found = OverlapTileInferer(amp=False, scale=0.5)(images, network, out=out)
    assert found is out
    expected = OverlapTileInferer(amp=False, scale=0.5)(torch.from_numpy(images), network)
    torch.testing.assert_close(torch.from_numpy(out), expected)


def test_scale_one_is_untouched():
    network, images = random_network(), random_images(41, 66)
    expected = OverlapTileInferer(amp=False)(images, network)
    assert torch.equal(OverlapTileInferer(amp=False, scale=1.0)(images, network), expected)


def test_bad_scale():
    for scale in (0, -1, 100, "half"):
        with pytest.raises(UserError, match="scale"):
            OverlapTileInferer(scale=scale)
    with pytest.raises(UserError, match="one channel"):
        OverlapTileInferer(amp=False, scale=0.5, halo=0, divisor=1)(torch.rand(1, 1, 9, 9), nn.Identity())


def test_restored_logits_are_on_the_device_of_the_image():
    rescaled = Rescaled(torch.empty((1, 1, 9, 13), device="meta"), 0.5)
    rows, columns = rescaled.around([slice(2, 7), slice(1, 12)])
    logits = torch.empty((1, 2, rows.stop - rows.start, columns.stop - columns.start), device="meta")
    restored = rescaled.restore(logits, [slice(2, 7), slice(1, 12)])
    assert (restored.device.type, restored.shape) == ("meta", (1, 2, 5, 11))


def test_bands_of_rows_do_not_show(monkeypatch):
    """An image of more rows than a band, and several bands, gives what one band gives."""
    images = random_images(37, 23)
    expected = probability(0.6, images, random_network())
    monkeypatch.setattr("custom.inferers.working_scale.BAND", 8)
    torch.testing.assert_close(probability(0.6, images, random_network()), expected, atol=1e-6, rtol=0)
