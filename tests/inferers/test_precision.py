from __future__ import annotations

from pathlib import Path

import pytest
import torch

from custom.inferers import bfloat16_is_fast


def test_cpu_flag() -> None:
    information = Path("/proc/cpuinfo")
    if not information.exists():
        pytest.skip("the processor's flags are read from /proc/cpuinfo")
    assert bfloat16_is_fast("cpu") == ("avx512_bf16" in information.read_text())


def test_a_gpu_that_emulates_bfloat16_is_not_fast_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for available, native in ((True, True), (True, False), (False, True)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation, native=native: native or including_emulation
        )
        assert bfloat16_is_fast("cuda:0") == (available and native)


def test_device_objects_and_other_devices() -> None:
    assert bfloat16_is_fast(torch.device("cpu")) == bfloat16_is_fast("cpu")
    assert not bfloat16_is_fast("meta")
    if not torch.cuda.is_available():
        assert not bfloat16_is_fast("cuda")
