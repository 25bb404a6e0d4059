"""The processor by name and number of cores, with and without what only some systems have."""

from __future__ import annotations

import os

import psutil
import pytest

from scripts import processor


@pytest.mark.skipif(not hasattr(psutil.Process, "cpu_affinity"), reason="this system has no affinity")
def test_cores_are_those_that_this_process_may_use():
    allowed = psutil.Process().cpu_affinity()
    try:
        psutil.Process().cpu_affinity(allowed[:1])
        assert processor.cores() == 1
    finally:
        psutil.Process().cpu_affinity(allowed)
    assert processor.cores() == len(allowed)


def test_cores_where_the_system_has_no_affinity(monkeypatch):
    monkeypatch.delattr(psutil.Process, "cpu_affinity", raising=False)
    assert processor.cores() == os.cpu_count()


def test_name_where_the_system_has_no_cpuinfo(monkeypatch):
    monkeypatch.setattr(processor.Path, "is_file", lambda path: False)
    monkeypatch.setattr(processor.platform, "processor", lambda: "")
    monkeypatch.setattr(processor.platform, "machine", lambda: "riscv64")
    assert processor.name() == "riscv64"


def test_name_has_text():
    assert processor.name().strip()
