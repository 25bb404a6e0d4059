"""A package of the BioImage Model Zoo (bioimage.io, specification 0.5): for ilastik, deepImageJ, QuPath and others."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from custom.data.gray import PERCENTILES, to_gray
from custom.data.image_io import read_image
from custom.data.mirror import mirror_window
from custom.data.synthetic_tissue import draw_tissue
from custom.errors import UserError
from custom.files import sha256_of
from custom.model import Model

from . import onnx, torchscript
from .same_size import SameSize, same_size_sizes
from .sizes import in_channels

PACKAGES = onnx.PACKAGES
SUFFIX = ".zip"
FORMAT_VERSION = "0.5.4"
EPSILON = 1e-6
# The project's own rule (`custom.data.GrayRule`) in the words of the specification.
PREPROCESSING = [
    {
        "id": "scale_range",
        "kwargs": {
            "axes": ["y", "x"],
            "min_percentile": PERCENTILES[0],
            "max_percentile": PERCENTILES[1],
            "eps": EPSILON,
        },
    },
    {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}},
]
CITATIONS = [
    {"text": "Ronneberger, Fischer, Brox (2015). U-Net, MICCAI, LNCS 9351.", "doi": "10.1007/978-3-319-24574-4_28"},
    {"text": "MONAI Consortium. MONAI: Medical Open Network for AI.", "doi": "10.5281/zenodo.4323058"},
]
# The specification takes SPDX identifiers alone; other terms are stated in the documentation.
SPDX = ("Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-SA-4.0", "CC0-1.0", "GPL-3.0-only", "MIT")
README = """# {name}

{description}

The input is one gray image of any bit depth; its 0.1 and 99.9 percentiles become 0 and 1. The output has one channel of
probabilities for each class ({classes}), of the size of the image. The image is mirrored inside the model, so nothing
has to be padded.

Height and width are multiples of {step}. A program that cuts large images into tiles should throw away {halo} pixels on
each side of a tile (the declared halo) and start tiles at multiples of {step}; then there are no seams.

## Validation

Compare the probabilities with annotated images of your own that the model was not trained on: threshold the last
channel at {threshold:g}, and look at pixel error and at split and merged objects before you rely on counts or areas.

{intended_use}

## Data and terms

Trained on: {data_source}. Terms of the weights: {license}

{references}
"""


def write_package(model: Model, path: Path, name: str | None, image: Path | None) -> None:
    """Write the package: weights as TorchScript and ONNX, test tensors, cover, documentation, `rdf.yaml`.

    Args:
        model: of one gray channel.
        path: the zip file.
        name: of the package; None: the model's.
        image: shows what the model is for, on the cover and as the test input; None: a drawn micrograph.

    Raises:
        UserError: the network takes several channels or rescaled images, the model names no authors, the name has
            characters that the specification forbids, the image cannot be read.
    """
    network, name = model.network(), name or model.name
    if not re.fullmatch(r"[A-Za-z0-9_\- ()]{1,128}", name):
        raise UserError(f"--name {name}: use letters, digits, spaces, (), _ and -, 128 characters at most")
    if in_channels(network) != 1:
        raise UserError(f"the network takes {in_channels(network)} channels; a bioimageio package holds gray images")
    if model.scale != 1:
        raise UserError(f"model {model.name} works at scale {model.scale:g}; a bioimageio package holds scale 1 only")
    if not model.authors:
        raise UserError(f"model {model.name} names no authors; say whose work it is with --authors")
    same = SameSize(network)
    exported = nn.Sequential(same, nn.Softmax(dim=1)).eval()
    with TemporaryDirectory(prefix=".package-", dir=path.parent) as temporary:
        folder = Path(temporary)
        _write_files(folder, exported, same, example_image(same, image))
        text = README.format(
            name=name,
            description=model.description,
            classes=", ".join(part.name for part in model.classes),
            step=same.divisor,
            halo=same.tile_halo,
            threshold=model.postprocessing.threshold,
            intended_use=model.intended_use,
            data_source=model.data_source,
            license=model.license,
            references="\n".join(f"- {reference}" for reference in model.references),
        )
        (folder / "README.md").write_text(text, encoding="utf-8")
        description = describe(folder, same, model, name)
        (folder / "rdf.yaml").write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)


def smallest_size(same: SameSize) -> int:
    """Smallest height and width to declare: one step is left when a tile's halo is thrown away on both sides."""
    return 2 * same.tile_halo + same.divisor


def example_image(same: SameSize, image: Path | None) -> NDArray[np.float32]:
    """A gray image (H, W), 0 to 255, of an admissible size with H < W; mirrored where the file is too small."""
    rows = smallest_size(same) + 2 * same.divisor
    size = (rows, rows + 4 * same.divisor)
    gray = draw_tissue(np.random.default_rng(0), size)[0] if image is None else read_image(image)
    return np.round(255 * mirror_window(to_gray(gray), (0, 0), size))


def scale(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    """What `PREPROCESSING` does to one image."""
    low, high = np.percentile(gray, PERCENTILES)
    return ((gray - low) / (high - low + EPSILON)).clip(0, 1).astype(np.float32)


def _write_files(folder: Path, model: nn.Module, same: SameSize, gray: NDArray[np.float32]) -> None:
    """Weights in both formats, test tensors and cover."""
    torchscript.write(model, same_size_sizes(same), folder / "weights.pt")
    onnx.write(model, same_size_sizes(same), folder / "weights.onnx")
    with torch.no_grad():
        output = model(torch.from_numpy(scale(gray))[None, None]).numpy()
    np.save(folder / "test_input.npy", gray[None, None])
    np.save(folder / "test_output.npy", output)
    height = gray.shape[0]
    # Image and probability side by side, 2 x 1 as the specification likes it.
    halves = [gray[:, :height], 255 * output[0, -1, :, :height]]
    Image.fromarray(np.concatenate(halves, axis=1).astype(np.uint8)).save(folder / "cover.png")


def describe(folder: Path, same: SameSize, model: Model, name: str) -> dict[str, Any]:
    """The content of `rdf.yaml`."""
    classes = [part.name for part in model.classes]
    step = {"min": smallest_size(same), "step": same.divisor}
    rows_in, columns_in = ({"type": "space", "id": axis, "size": step} for axis in "yx")
    rows_out, columns_out = (
        {"type": "space", "id": axis, "size": {"tensor_id": "image", "axis_id": axis}, "halo": same.tile_halo}
        for axis in "yx"
    )
    return {
        "format_version": FORMAT_VERSION,
        "type": "model",
        "name": name,
        "description": model.description,
        "version": model.version,
        "authors": [{"name": model.authors}],
        "cite": CITATIONS,
        **({"license": model.license} if model.license in SPDX else {}),
        "documentation": _file(folder / "README.md"),
        "covers": [_file(folder / "cover.png")],
        "tags": ["unet", "semantic-segmentation", "microscopy", "2d", "monai", "pytorch"],
        "inputs": [
            {
                "id": "image",
                "axes": [{"type": "batch"}, {"type": "channel", "channel_names": ["gray"]}, rows_in, columns_in],
                "data": {"type": "float32"},
                "preprocessing": PREPROCESSING,
                "test_tensor": _file(folder / "test_input.npy"),
            }
        ],
        "outputs": [
            {
                "id": "probability",
                "axes": [{"type": "batch"}, {"type": "channel", "channel_names": classes}, rows_out, columns_out],
                "data": {"type": "float32", "range": [0.0, 1.0]},
                "test_tensor": _file(folder / "test_output.npy"),
            }
        ],
        "weights": {
            "torchscript": {**_file(folder / "weights.pt"), "pytorch_version": torch.__version__.partition("+")[0]},
            "onnx": {**_file(folder / "weights.onnx"), "opset_version": onnx.OPSET, "parent": "torchscript"},
        },
    }


def _file(path: Path) -> dict[str, str]:
    return {"source": path.name, "sha256": sha256_of(path)}
