"""TorchScript: for C++ (libtorch), for Java, and for Python programs that have torch but not this project."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import nn

from .about import ABOUT, as_json
from .size_check import SizeChecked
from .sizes import InputSizes, require_equal

PACKAGES: tuple[str, ...] = ()
SUFFIX = ".ts"


def write(network: nn.Module, sizes: InputSizes, path: Path, about: dict[str, str]) -> None:
    """Script the network, write it with `about` as an extra file, and check what was written."""
    content = io.BytesIO()  # written to a file by PyTorch, a full disk would abort the process
    torch.jit.save(torch.jit.script(SizeChecked(network, sizes)), content, _extra_files={ABOUT: as_json(about)})
    path.write_bytes(content.getbuffer())
    require_equal(torch.jit.load(str(path)), network, sizes, path)
