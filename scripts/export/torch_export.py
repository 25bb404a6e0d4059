"""`torch.export`: the graph for AOTInductor, ExecuTorch and other compilers of PyTorch 2."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import nn

from .about import ABOUT, as_json
from .size_check import SizeChecked
from .sizes import InputSizes, require_equal

PACKAGES: tuple[str, ...] = ()
SUFFIX = ".pt2"


def write(network: nn.Module, sizes: InputSizes, path: Path, about: dict[str, str]) -> None:
    """Export with free batch, H and W, write it with `about` as an extra file, and check what was written."""
    program = torch.export.export(
        SizeChecked(network, sizes).eval(), (sizes.example(),), dynamic_shapes=sizes.dynamic_shapes()
    )
    content = io.BytesIO()  # as in `torchscript`
    torch.export.save(program, content, extra_files={ABOUT: as_json(about)})
    path.write_bytes(content.getbuffer())
    require_equal(torch.export.load(path).module(), network, sizes, path)
