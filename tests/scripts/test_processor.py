"""The processor by name, with and without what only some systems have."""

from __future__ import annotations

from scripts import processor


def test_name_where_the_system_has_no_cpuinfo(monkeypatch):
    monkeypatch.setattr(processor.Path, "is_file", lambda path: False)
    monkeypatch.setattr(processor.platform, "processor", lambda: "")
    monkeypatch.setattr(processor.platform, "machine", lambda: "riscv64")
    assert processor.name() == "riscv64"


def test_name_has_text():
    assert processor.name().strip()
