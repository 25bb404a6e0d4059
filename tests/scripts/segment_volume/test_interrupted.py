"""Runs that end half-way: killed, on a full disk, or resumed with something changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple

import numpy as np
import pytest
import tifffile
import zarr

from custom.files import replace_file
from custom.lock import lock
from scripts.segment_volume import __main__ as segment_volume
from scripts.segment_volume import blocks, workers

from .stack import ROOT, SHAPE, command, equal, refused

pytestmark = pytest.mark.usefixtures("one_thread")


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
