"""TorchScript: for C++ (libtorch), for Java, and for Python programs that have torch but not this project."""

from __future__ import annotations

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
    torch.jit.script(SizeChecked(network, sizes)).save(str(path), _extra_files={ABOUT: as_json(about)})
    require_equal(torch.jit.load(str(path)), network, sizes, path)
