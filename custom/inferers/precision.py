"""Hardware support for bfloat16."""

from __future__ import annotations

import torch


def bfloat16_is_fast(device: torch.device | str) -> bool:
    """Whether the hardware behind `device` multiplies bfloat16 natively, so that autocast saves time.

    CUDA: compute capability 8 and newer. CPU: AVX512-BF16, which every processor with AMX has too. Elsewhere, and where
    bfloat16 is emulated, False.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return kind == "cpu" and torch.cpu._is_avx512_bf16_supported()
