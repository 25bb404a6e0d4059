"""A package of the BioImage Model Zoo (bioimage.io, specification 0.5): for ilastik, deepImageJ, QuPath and others."""

from __future__ import annotations

import hashlib
import json
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

from . import onnx, torchscript
from .same_size import SameSize, same_size_sizes
from .sizes import in_channels

PACKAGES = onnx.PACKAGES
SUFFIX = ".zip"
FORMAT_VERSION = "0.5.4"
METADATA = Path(__file__).parents[2] / "bundle" / "configs" / "metadata.json"
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
    {
        "text": "Ronneberger, O., Fischer, P., Brox, T. (2015). U-Net: Convolutional Networks for Biomedical Image "
        "Segmentation. MICCAI 2015, LNCS 9351, 234-241.",
        "doi": "10.1007/978-3-319-24574-4_28",
    },
    {"text": "MONAI Consortium. MONAI: Medical Open Network for AI.", "doi": "10.5281/zenodo.4323058"},
]
README = """# {name}

{description}

The input is one gray image of any bit depth; its 0.1 and 99.9 percentiles become 0 and 1. The output has one channel of
probabilities for each class ({classes}), of the size of the image. The image is mirrored inside the model, so nothing
has to be padded.

Height and width are multiples of {step}. A program that cuts large images into tiles should throw away {halo} pixels on
each side of a tile (the declared halo) and start tiles at multiples of {step}; then there are no seams.

## Validation

Compare the probabilities with annotated images of your own that the model was not trained on: threshold the last
channel at 0.5, and look at pixel error and at split and merged objects before you rely on counts or areas.

{intended_use}
"""


def write_package(network: nn.Module, path: Path, name: str | None, image: Path | None) -> None:
    """Write the package: weights as TorchScript and ONNX, test tensors, cover, documentation, `rdf.yaml`.

    Args:
        network: from one gray channel to logits, in evaluation mode.
        path: the zip file.
        name: of the model; None: the bundle's.
        image: shows what the model is for, on the cover and as the test input; None: a drawn micrograph.

    Raises:
        UserError: the network takes several channels, the name has characters that the specification forbids, the
            image cannot be read.
    """
    metadata = json.loads(METADATA.read_text())
    name = name or metadata["name"]
    if not re.fullmatch(r"[A-Za-z0-9_\- ()]{1,128}", name):
        raise UserError(f"--name {name}: use letters, digits, spaces, (), _ and -, 128 characters at most")
    if in_channels(network) != 1:
        raise UserError(f"the network takes {in_channels(network)} channels; a bioimageio package holds gray images")
    same = SameSize(network)
    model = nn.Sequential(same, nn.Softmax(dim=1)).eval()
    with TemporaryDirectory(prefix=".package-", dir=path.parent) as temporary:
        folder = Path(temporary)
        _write_files(folder, model, same, example_image(same, image))
        classes = _class_names(metadata, len(np.load(folder / "test_output.npy")[0]))
        words = {"classes": ", ".join(classes), "step": same.divisor, "halo": same.tile_halo}
        text = README.format(**{**metadata, "name": name, **words})
        (folder / "README.md").write_text(text, encoding="utf-8")
        description = describe(folder, same, metadata, name, classes)
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


def _class_names(metadata: dict[str, Any], count: int) -> list[str]:
    names = metadata["network_data_format"]["outputs"]["pred"]["channel_def"]
    return [names.get(str(i), f"class_{i}") for i in range(count)]


def describe(folder: Path, same: SameSize, metadata: dict[str, Any], name: str, classes: list[str]) -> dict[str, Any]:
    """The content of `rdf.yaml`."""
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
        "description": metadata["description"],
        "version": metadata["version"],
        "authors": [{"name": metadata["authors"]}],
        "cite": CITATIONS,
        "license": "Apache-2.0",
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
    return {"source": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
