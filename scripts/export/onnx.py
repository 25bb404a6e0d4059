"""ONNX: for onnxruntime, OpenCV, TensorRT, browsers; every language."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor, nn

from .sizes import InputSizes, require_equal

PACKAGES: tuple[str, ...] = ("onnx", "onnxscript", "onnxruntime")
SUFFIX = ".onnx"
OPSET = 18


def write(network: nn.Module, sizes: InputSizes, path: Path, about: dict[str, str]) -> None:
    """Export with free batch, H and W, write one file, and check it under onnxruntime.

    The input is called `image`, the output `output`. ONNX cannot refuse a size: the rule stands in the metadata, with
    what `about` says of channels and classes.
    """
    # Otherwise the exporter warns of torchvision's operators, which no network here has.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    program = torch.onnx.export(
        network,
        (sizes.example(),),
        dynamo=True,
        dynamic_shapes=sizes.dynamic_shapes(),
        input_names=["image"],
        output_names=["output"],
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None  # it is None for the older exporter alone
    program.model.metadata_props.update({"input_sizes": sizes.rule, **about})
    program.model.doc_string = sizes.rule
    program.save(str(path), external_data=False)
    require_equal(_session(path), network, sizes, path)


def _session(path: Path):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"image": images.numpy()})[0])

    return run
