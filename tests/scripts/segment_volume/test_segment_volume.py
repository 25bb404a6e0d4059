"""A volume segmented in blocks equals whole slices: for any block size and source, on a cluster."""

from __future__ import annotations

import importlib.util
import os
import signal

import numpy as np
import pytest
import tifffile
import torch
import zarr

from custom.data import to_gray
from custom.inferers import OverlapTileInferer
from scripts.segment_volume import __main__ as segment_volume

from .stack import BLOCK, ROOT, SHAPE, command, equal

pytestmark = pytest.mark.usefixtures("one_thread")


@torch.no_grad()
def test_blocks_are_the_whole_slice(files, reference, network):
    probability = zarr.open_array(reference / "0", mode="r")[:]
    mask = zarr.open_array(reference / "labels" / "mask" / "0", mode="r")[:]
    assert (probability.shape, probability.dtype, mask.dtype) == (SHAPE, np.float32, np.uint8)
    for z, page in enumerate(tifffile.imread(files[0])):
        logits = OverlapTileInferer(amp=False)(torch.from_numpy(to_gray(page))[None, None], network)
        expected = logits.softmax(1)[0, 1].numpy()
        np.testing.assert_allclose(probability[z], expected, atol=1e-5)
        clear = abs(expected - 0.5) > 1e-5
        np.testing.assert_array_equal(mask[z][clear], (expected > 0.5)[clear])
    assert 0 < mask.mean() < 1


def test_zarr_gives_the_same_as_tiff(files, reference, tmp_path):
    source = zarr.create_array(tmp_path / "in.zarr", shape=SHAPE, chunks=(2, 50, 33), dtype="uint16")
    source[:] = tifffile.imread(files[0])
    assert segment_volume.main(command(tmp_path / "in.zarr", tmp_path / "out.zarr", files[1])) == 0
    assert equal(tmp_path / "out.zarr", reference)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_pyramid(files, reference, tmp_path, version):
    output = reference
    if version == "0.5":
        output = tmp_path / "out.zarr"
        assert segment_volume.main(command(files[0], output, files[1], "--ome_zarr", "0.5")) == 0
    root = zarr.open_group(output, mode="r")
    assert root.metadata.zarr_format == {"0.4": 2, "0.5": 3}[version]
    image, labels, mask = (
        group.attrs.asdict() if version == "0.4" else group.attrs["ome"]
        for group in (root, root["labels"], root["labels/mask"])
    )
    ome = image["multiscales"][0]
    assert (ome if version == "0.4" else image)["version"] == version
    assert [axis["name"] for axis in ome["axes"]] == ["z", "y", "x"]
    assert [dataset["path"] for dataset in ome["datasets"]] == ["0", "1", "2"]
    assert ome["datasets"][2]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1, 4, 4]},
        {"type": "translation", "translation": [0, 1.5, 1.5]},
    ]
    full, half = root["0"][:], root["1"][:]
    assert (half.shape, root["2"].shape) == ((5, 75, 105), (5, 38, 53))
    np.testing.assert_allclose(half, full.reshape(5, 75, 2, 105, 2).mean(axis=(2, 4)), atol=1e-6)
    np.testing.assert_array_equal(full, zarr.open_array(reference / "0")[:])
    assert labels["labels"] == ["mask"]
    assert mask["image-label"]["source"] == {"image": "../../"}
    np.testing.assert_array_equal(root["labels/mask/2"][:], root["labels/mask/0"][:, ::4, ::4])
    assert root["0"].chunks == (1, BLOCK, BLOCK)
    assert (output / ("0/0/0/0" if version == "0.4" else "0/c/0/0/0")).is_file()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs requirements-volume.txt")
def test_cluster_with_a_worker_killed_half_way(files, reference, tmp_path, monkeypatch):
    from distributed import LocalCluster

    original = segment_volume.segment_on_cluster
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def with_a_kill(job, todo, scheduler):
        for number, block in enumerate(original(job, todo, scheduler)):
            if number == len(todo) // 2:
                os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
            yield block

    monkeypatch.setattr(segment_volume, "segment_on_cluster", with_a_kill)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        options = ("--scheduler", cluster.scheduler_address)
        assert segment_volume.main(command(files[0], tmp_path / "out.zarr", files[1], *options)) == 0
    assert equal(tmp_path / "out.zarr", reference)
