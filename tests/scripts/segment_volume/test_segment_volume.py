"""A volume segmented in blocks equals whole slices: after a kill, on a cluster, for any block size."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import zarr

from custom.data import to_gray
from custom.files import replace_file
from custom.inferers import OverlapTileInferer
from custom.lock import lock
from custom.model import write_model
from custom.networks import ValidUNet
from scripts.segment_volume import __main__ as segment_volume
from scripts.segment_volume import blocks, target, workers
from tests.models import make_model

ROOT = Path(__file__).parents[3]
SHAPE = (5, 150, 210)
BLOCK = 80


@pytest.fixture(scope="module")
def network() -> ValidUNet:
    torch.manual_seed(0)
    return ValidUNet(features=4, depth=2).eval()


@pytest.fixture(scope="module")
def files(network, tmp_path_factory) -> tuple[Path, Path]:
    """A volume as TIFF, and the folder of a model."""
    folder = tmp_path_factory.mktemp("files")
    tifffile.imwrite(folder / "stack.tif", np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16))
    write_model(folder / "model", make_model(folder / "model", features=4, depth=2), network.state_dict())
    return folder / "stack.tif", folder / "model"


def command(source: Path, output: Path, model: Path, *more: str) -> list[str]:
    fixed = ["--model", str(model), "--block", str(BLOCK), "--bfloat16", "false"]
    return [str(source), str(output), *fixed, *more]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """As on the workers of a cluster: sums are rounded alike, and results can be equal bit for bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def reference(files, tmp_path_factory) -> Path:
    """The result of an uninterrupted run."""
    output = tmp_path_factory.mktemp("reference") / "out.zarr"
    assert segment_volume.main(command(files[0], output, files[1])) == 0
    return output


def equal(one: Path, other: Path) -> bool:
    """Whether two results have the same files, and the same values everywhere."""
    names = [sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()) for path in (one, other)]
    arrays = [f"{name}/{level}" for name in (".", target.MASK) for level in range(3)]
    same = [np.array_equal(zarr.open_array(one / a)[:], zarr.open_array(other / a)[:]) for a in arrays]
    return names[0] == names[1] and all(same)


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


def test_resume_after_a_kill(files, reference, tmp_path, monkeypatch):
    output = tmp_path / "out.zarr"
    journal = tmp_path / "out.zarr.part" / segment_volume.JOURNAL
    line = [sys.executable, "-m", "scripts.segment_volume", *command(files[0], output, files[1])]
    process = subprocess.Popen(line, cwd=ROOT, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while process.poll() is None and (not journal.exists() or journal.read_text().count("\n") < 2):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not output.exists()
    with journal.open("a") as file:
        file.write("\n[0, 6")  # a line torn by the kill
    calls = []
    original = blocks.segment_block
    monkeypatch.setattr(workers, "segment_block", lambda job, block: calls.append(block) or original(job, block))
    assert segment_volume.main(command(files[0], output, files[1], "--resume")) == 0
    assert 0 < len(calls) < 5 * 2 * 3
    assert equal(output, reference)
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]


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


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs requirements-volume.txt")
def test_no_scheduler_there(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(workers, "TIMEOUT", 1)
    options = ("--scheduler", "tcp://127.0.0.1:9")
    assert segment_volume.main(command(files[0], tmp_path / "out.zarr", files[1], *options)) == 2
    assert "no Dask scheduler answers" in capsys.readouterr().err


def refused(capsys, arguments: list[str], message: str) -> None:
    capsys.readouterr()
    assert segment_volume.main(arguments) == 2
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1]
    assert error[-1].startswith("error: ")


def test_missing_dask_is_named(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    line = command(files[0], tmp_path / "out.zarr", files[1], "--scheduler", "tcp://127.0.0.1:9")
    refused(capsys, line, "pip install -r requirements-volume.txt")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--block", "62"), "--block 62: give a multiple of 4"),
        (("--memory", "0"), "--memory 0.0: give a positive"),
        (("--memory", "0.000001"), "memory_budget holds tiles"),
        (("--resume",), "no interrupted run"),
        (("--channel", "2"), "has no channel 2"),
        (("--model", "nowhere"), "model nowhere: no model.json there"),
        (("--orientations", "3"), "--orientations 3: input should be 1, 7 or 8"),
    ],
)
def test_refusals(more, message, files, tmp_path, capsys):
    refused(capsys, command(files[0], tmp_path / "out.zarr", files[1], *more), message)
    assert not (tmp_path / "out.zarr").exists()


def test_targets_that_cannot_be_made(files, tmp_path, capsys):
    (tmp_path / "out.zarr").mkdir()
    for path, message in ((tmp_path / "out.zarr", "exists already"), ("/", "/: exists already"), ("a.tif", "a.zarr")):
        refused(capsys, command(files[0], Path(path), files[1]), message)


def test_full_disk_is_noticed_before_the_work(files, tmp_path, capsys, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6 - 1000, 1000))
    refused(capsys, command(files[0], tmp_path / "out.zarr", files[1]), "free some space or choose another")
    assert not list(tmp_path.iterdir())


def test_disk_that_fills_up(files, reference, tmp_path, capsys, monkeypatch):
    output = tmp_path / "out.zarr"

    def full(job, block):
        if block.z == 1:
            raise OSError(28, "No space left on device")
        return blocks.segment_block(job, block)

    with monkeypatch.context() as context:
        context.setattr(workers, "segment_block", full)
        refused(capsys, command(files[0], output, files[1]), "No space left on device")
    assert not output.exists()
    refused(capsys, command(files[0], output, files[1]), "continue with --resume")
    assert segment_volume.main(command(files[0], output, files[1], "--resume")) == 0
    assert equal(output, reference)


def test_a_disk_that_is_full_at_the_start_leaves_nothing_to_resume(files, tmp_path, capsys, monkeypatch):
    output = tmp_path / "out.zarr"

    def full(journal, header):
        with replace_file(journal.path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(segment_volume.Journal, "start", full)
    message = f"{output / segment_volume.JOURNAL}: cannot be written (No space left on device)"
    refused(capsys, command(files[0], output, files[1]), message)
    assert not list(tmp_path.iterdir())


def test_two_processes_do_not_resume_one_run(files, reference, tmp_path, capsys, monkeypatch):
    output, part = tmp_path / "out.zarr", tmp_path / "out.zarr.part"
    line = command(files[0], output, files[1], "--resume")

    def interrupted(job, block):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(workers, "segment_block", interrupted)
        assert segment_volume.main(command(files[0], output, files[1])) == 130
    with lock(part):
        refused(capsys, line, f"{part}: another process is writing to it")
    assert segment_volume.main(line) == 0
    assert equal(output, reference)
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]
    assert not list(output.rglob(".lock"))


def test_resume_after_the_source_was_replaced(files, tmp_path, capsys, monkeypatch):
    source, output = tmp_path / "in.tif", tmp_path / "out.zarr"
    volume = tifffile.imread(files[0])
    tifffile.imwrite(source, volume)

    def interrupted(job, block):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(workers, "segment_block", interrupted)
        assert segment_volume.main(command(source, output, files[1])) == 130
    line = command(source, output, files[1], "--resume")
    refused(capsys, [*line, "--ome_zarr", "0.5"], "was started with ome_zarr 0.4, not 0.5")
    for z in (0, len(volume) - 1):
        tifffile.imwrite(source, volume + (np.arange(len(volume)) == z)[:, None, None].astype(np.uint16))
        refused(capsys, line, "was started with source with pixels")


def test_broken_chunk_stops_the_run_and_can_be_restored(files, reference, tmp_path, capsys):
    source, output = tmp_path / "in.zarr", tmp_path / "out.zarr"
    array = zarr.create_array(source, shape=SHAPE, chunks=(1, 150, 210), dtype="uint16")
    array[:] = tifffile.imread(files[0])
    chunk = source / "c" / "3" / "0" / "0"
    intact = chunk.read_bytes()
    chunk.write_bytes(intact[:100])
    refused(capsys, command(source, output, files[1]), "in.zarr: slice 3")
    chunk.write_bytes(intact)
    assert segment_volume.main(command(source, output, files[1], "--resume")) == 0
    assert equal(output, reference)


def test_resume_of_another_job(files, tmp_path, capsys):
    part = tmp_path / "out.zarr.part"
    part.mkdir()
    (part / segment_volume.JOURNAL).write_text(json.dumps({"source": "another.tif"}))
    line = command(files[0], tmp_path / "out.zarr", files[1], "--resume")
    refused(capsys, line, "was started with source another.tif")
