"""Cells of a volume are those of each whole slice, in any block size, after a kill, and linked through z on request."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import zarr
from scipy import ndimage

from custom.data import to_gray
from custom.inferers import OverlapTileInferer
from custom.model import write_model
from custom.networks import ValidUNet
from custom.transforms import ProbabilityToInstances
from scripts.segment_volume import __main__ as segment_volume
from scripts.segment_volume import instances, target
from scripts.segment_volume.blocks import Job
from tests.blockwise.test_components import assert_same_cells
from tests.models import make_model

ROOT = Path(__file__).parents[3]
SHAPE = (3, 70, 100)
RULE = {"threshold": 0.5, "min_size": 5, "grow": 1}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """A volume as TIFF, and the folder of a model that finds some cells in it."""
    folder = tmp_path_factory.mktemp("files")
    volume = ndimage.gaussian_filter(np.random.default_rng(0).random(SHAPE), (0, 2, 2))
    tifffile.imwrite(folder / "stack.tif", (2**16 * volume).astype(np.uint16), photometric="minisblack")
    torch.manual_seed(0)
    network = ValidUNet(features=4, depth=1).eval()
    with torch.no_grad():  # a third of the first slice becomes foreground
        gray = torch.from_numpy(to_gray((2**16 * volume[0]).astype(np.uint16)))[None, None]
        logits = OverlapTileInferer(amp=False)(gray, network)
        network.classify.bias[1] -= (logits[:, 1] - logits[:, 0]).quantile(0.67)
        network.classify.weight *= 50
        network.classify.bias *= 50
    model = make_model(folder / "model", features=4, depth=1)
    for name, value in RULE.items():
        setattr(model.postprocessing, name, value)
    write_model(folder / "model", model, network.state_dict())
    return folder / "stack.tif", folder / "model"


def command(files: tuple[Path, Path], output: Path, *more: str, block: int = 48) -> list[str]:
    fixed = ["--model", str(files[1]), "--block", str(block), "--bfloat16", "false", "--instances"]
    return [str(files[0]), str(output), *fixed, *more]


def read(path: Path, name: str = target.INSTANCES) -> np.ndarray:
    return zarr.open_array(path / name / "0", mode="r")[:]


@pytest.mark.parametrize(("version", "block"), [("0.4", 48), ("0.5", 128)])
def test_cells_are_those_of_whole_slices(files, tmp_path, version, block):
    output = tmp_path / "out.zarr"
    assert segment_volume.main(command(files, output, "--ome_zarr", version, block=block)) == 0
    found, probability = read(output), read(output, target.PROBABILITY)
    assert (found.shape, found.dtype) == (SHAPE, np.uint32)
    for z in range(SHAPE[0]):
        assert_same_cells(found[z], ProbabilityToInstances(**RULE)(probability[z][None])[0])
    ids = [np.unique(plane[plane > 0]) for plane in found]
    assert len(ids[0]) > 5
    np.testing.assert_array_equal(np.concatenate(ids), np.arange(1, found.max() + 1))
    labels = zarr.open_group(output / "labels", mode="r").attrs.asdict()
    assert labels.get("ome", labels)["labels"] == ["mask", "instances"]
    attributes = zarr.open_group(output / target.INSTANCES, mode="r").attrs.asdict()
    assert attributes.get("ome", attributes)["image-label"]["source"] == {"image": "../../"}
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]
    assert not [path for path in output.iterdir() if path.name in (instances.WORKING, instances.COUNTS, "journal.txt")]


def test_go_on_after_an_interruption(files, tmp_path, monkeypatch, capsys):
    output, calls = tmp_path / "out.zarr", []

    def full(job, z):
        if z == 1 and not calls:
            raise OSError(28, "No space left on device")
        return original(job, z)

    original = instances.segment_slice
    with monkeypatch.context() as context:
        context.setattr(instances, "segment_slice", full)
        assert segment_volume.main(command(files, output)) == 2
    assert "continue with --resume" in capsys.readouterr().err
    monkeypatch.setattr(instances, "segment_slice", lambda job, z: calls.append(z) or original(job, z))
    assert segment_volume.main(command(files, output, "--resume")) == 0
    assert calls == [1, 2]
    assert segment_volume.main(command(files, tmp_path / "again.zarr")) == 0
    np.testing.assert_array_equal(read(output), read(tmp_path / "again.zarr"))


def test_watershed_takes_whole_slices(files, tmp_path, capsys):
    output, options = tmp_path / "out.zarr", ("--method", "watershed", "--height", "1", "--sigma", "1", "--grow", "0")
    assert segment_volume.main(command(files, output, *options, "--memory", "0.0005")) == 2
    error = capsys.readouterr().err
    assert "a watershed of 70 x 100 pixels needs 0.0 GiB of memory" in error
    assert "--method components" in error
    assert not list(tmp_path.iterdir())
    assert segment_volume.main(command(files, output, *options)) == 0
    rule = ProbabilityToInstances(**{**RULE, "grow": 0}, method="watershed", height=1, sigma=1)
    for plane, probability in zip(read(output), read(output, target.PROBABILITY), strict=True):
        assert_same_cells(plane, rule(probability[None])[0])


def test_link_needs_instances(files, tmp_path, capsys):
    line = [part for part in command(files, tmp_path / "out.zarr", "--link_z") if part != "--instances"]
    assert segment_volume.main(line) == 2
    assert "--link_z: links instances; add --instances" in capsys.readouterr().err


@pytest.mark.parametrize("larger", [1, 2])
@pytest.mark.parametrize("block", [3, 20])
def test_linked_cells_are_those_that_overlap_most(block, larger, tmp_path):
    """A cell that divides goes on in the larger part; two that fuse go on as the larger; a gap ends a cell."""
    local = np.zeros((4, 8, 11), np.uint32)
    local[0, 1:4, 1:9] = 1
    local[0, 5:8, 1:4] = 2
    local[1, 1:4, 1:4], local[1, 1:4, 5:9] = 3 - larger, larger  # the first divides
    local[2, 1:8, 1:9] = 1  # both fuse; the second ends
    local[3, 0, 10] = 1  # meets nothing
    job = Job("", None, str(tmp_path), "", "", local.shape, block, 0, False, True, True)
    target.create_working_array(tmp_path / instances.WORKING, local.shape, block)
    target.open_level(tmp_path, instances.WORKING, 0)[:] = local
    (tmp_path / instances.COUNTS).mkdir()
    links = [np.load(instances._links(job, instances.link_slice(job, z))) for z in (1, 2, 3)]
    tables = [table.tolist() for _, table in instances.number([2, 2, 1, 1], [None, *links])]
    assert tables == [[0, 1, 2], [0, 1, 3] if larger == 1 else [0, 3, 1], [0, 1], [0, 4]]


@pytest.mark.parametrize("high", [1, 4, 2**32 - 1])
def test_overlaps_are_counted_pixel_by_pixel(high):
    generator = np.random.default_rng(0)
    one, other = (np.repeat(generator.integers(0, 3, (7, 13)), 2, axis=1).astype(np.uint32) for _ in range(2))
    one, other = one * np.uint32(high // 2), other * np.uint32(high // 4)
    expected: dict[tuple[int, int], int] = {}
    for pair in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True):
        if all(pair):
            expected[pair] = expected.get(pair, 0) + 1
    found = instances._overlaps(one, other)
    assert found.dtype == np.int64
    assert {(a, b): pixels for a, b, pixels in found.T.tolist()} == expected


def test_linked_run(files, tmp_path):
    output, count = tmp_path / "out.zarr", 0
    assert segment_volume.main(command(files, output, "--link_z")) == 0
    for plane, probability in zip(read(output), read(output, target.PROBABILITY), strict=True):
        alone = ProbabilityToInstances(**RULE)(probability[None])[0]
        assert_same_cells(plane, alone)
        count += alone.max()
    assert 0 < read(output).max() < count


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs requirements-volume.txt")
def test_cluster_gives_the_same(files, tmp_path, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert segment_volume.main(command(files, tmp_path / "here.zarr", "--link_z")) == 0
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        options = ("--link_z", "--scheduler", cluster.scheduler_address)
        assert segment_volume.main(command(files, tmp_path / "there.zarr", *options)) == 0
    np.testing.assert_array_equal(read(tmp_path / "here.zarr"), read(tmp_path / "there.zarr"))
