"""A package of the BioImage Model Zoo (bioimage.io, specification 0.5): for ilastik, deepImageJ, QuPath and others."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image

from custom.checksums import sha256_of
from custom.classes import split_contact
from custom.data.image_io import read_image
from custom.data.inputs import every_channel, named_channels
from custom.data.mirror import mirror_window
from custom.data.synthetic_tissue import draw_tissue
from custom.errors import UserError
from custom.model import Model

from . import onnx, torchscript
from .about import about
from .sizes import InputSizes, in_channels
from .whole_image import WholeImage, whole_image_sizes

PACKAGES = onnx.PACKAGES
SUFFIX = ".zip"
FORMAT_VERSION = "0.5.12"
EPSILON = 1e-6
CITATIONS = [
    {"text": "Ronneberger, Fischer, Brox (2015). U-Net, MICCAI, LNCS 9351.", "doi": "10.1007/978-3-319-24574-4_28"},
    {"text": "MONAI Consortium. MONAI: Medical Open Network for AI.", "doi": "10.5281/zenodo.4323058"},
]
# The specification takes SPDX identifiers alone; other terms are stated in the documentation.
SPDX = ("Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-SA-4.0", "CC0-1.0", "GPL-3.0-only", "MIT")
README = """# {name}

{description}

The input is {input} of any bit depth; {whose} percentiles {low:g} and {high:g} become 0 and 1. The output has one
channel of probabilities for each class ({classes}), of the size of the image. The image is mirrored inside the model,
so nothing has to be padded. {inside}

{tiles}

## Validation

Compare the probabilities with annotated images of your own that the model was not trained on: {decide},
and look at pixel error and at split and merged objects before you rely on counts or areas.

{intended_use}

## Data and terms

Trained on: {data_source}. Terms of the weights: {license}

{references}
"""

TILES = """Height and width are multiples of {step}. A program that cuts large images into tiles should throw away
{halo} pixels on each side of a tile (the declared halo) and start tiles at multiples of {step}; so there are no seams.

`bioimageio.core.predict` with `blocksize_parameter` answers as the project's own inference does, and so does
`predict_sample_without_blocking` with `skip_input_padding=True, skip_output_cropping=True`. Otherwise version 0.11 pads
the image by the halo before it measures the percentiles, so gray values can be off by about one level."""
WHOLE = """Height and width are free, from {smallest} pixels on. The model works on its own grid, which depends on the
size of the image: give it whole images, not tiles."""


def write_package(model: Model, path: Path, name: str | None, image: Path | None) -> None:
    """Write the package: weights as TorchScript and ONNX, test tensors, cover, documentation, `rdf.yaml`.

    Args:
        model: of one channel or several.
        path: the zip file.
        name: of the package; None: the model's.
        image: shows what the model is for, on the cover and as the test input; None: a drawn micrograph.

    Raises:
        UserError: the channels are scaled by different percentiles, the model names no authors, the name is none that
            the specification allows, the image cannot be read or has other channels.
    """
    network, name = model.network(), name or f"U-Net {model.name}"
    if not re.fullmatch(r"[A-Za-z0-9_\- ()]{5,128}", name):
        raise UserError(f"--name {name}: use letters, digits, spaces, (), _ and -, 5 to 128 characters")
    if not model.authors:
        raise UserError(f"model {model.name} names no authors; say whose work it is with --authors")
    percentiles_of(model)
    whole = WholeImage(network, model.scale, model.orientations).eval()
    with TemporaryDirectory(prefix=".package-", dir=path.parent) as temporary:
        folder = Path(temporary)
        _write_files(folder, whole, model, image)
        text = readme(whole, model, name)
        (folder / "README.md").write_text(text, encoding="utf-8")
        description = describe(folder, whole, model, name)
        (folder / "rdf.yaml").write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)


def readme(whole: WholeImage, model: Model, name: str) -> str:
    """The package's documentation."""
    sizes = package_sizes(whole)
    inside = [f"It is rescaled by {model.scale:g} and back."] if model.scale != 1 else []
    if model.orientations > 1:
        inside.append(f"The mean over {model.orientations} orientations is taken.")
    several = len(model.channels) > 1
    low, high = percentiles_of(model)
    return README.format(
        name=name,
        description=model.description,
        input=f"an image of {named_channels(model.channels)}" if several else "one gray image",
        whose="of each channel the" if several else "its",
        low=low,
        high=high,
        classes=", ".join(model.output_names),
        inside=" ".join(inside),
        tiles=(TILES if can_be_tiled(whole) else WHOLE).format(
            step=sizes.step, halo=whole.tile_halo, smallest=sizes.smallest
        ),
        decide=decision(model),
        intended_use=model.intended_use,
        data_source=model.data_source,
        license=model.license,
        references="\n".join(f"- {reference}" for reference in model.references),
    )


def decision(model: Model) -> str:
    """How probabilities become a mask."""
    if len(model.classes) > 2:
        return "take the likeliest class of each pixel"
    foreground = "the sum of the last two channels" if model.contact else "the last channel"
    return f"threshold {foreground} at {model.postprocessing.threshold:g}"


def can_be_tiled(whole: WholeImage) -> bool:
    """Whether tiles of an image continue each other: not on a working grid, which is laid over a whole image."""
    return whole.scale == 1


def package_sizes(whole: WholeImage) -> InputSizes:
    """What to declare: where tiles are allowed, one step is left when their halo is thrown away on both sides."""
    if not can_be_tiled(whole):
        return whole_image_sizes(whole)
    return InputSizes(in_channels(whole), 2 * whole.tile_halo + whole.divisor, whole.divisor)


def percentiles_of(model: Model) -> tuple[float, float]:
    """The percentiles that become 0 and 1; `UserError` if they differ between channels."""
    values = model.gray_values_by_channel()
    if len({one.percentiles for one in values}) > 1:
        raise UserError(f"model {model.name}: scales its channels by different percentiles; a package has them alike")
    return values[0].percentiles


def example_image(whole: WholeImage, model: Model, image: Path | None) -> NDArray[np.float32]:
    """Gray values (C, H, W), 0 to 255, of an admissible size with H < W; mirrored where the file is too small."""
    rows = 2 * whole.tile_halo + 3 * whole.divisor
    size = (rows, rows + 4 * whole.divisor)
    if image is None:
        drawn = [draw_tissue(np.random.default_rng(seed), size)[0] for seed in range(len(model.channels))]
        pixels = drawn[0] if len(drawn) == 1 else np.stack(drawn, axis=-1)
    else:
        pixels = read_image(image, channel=every_channel(image, None, model.channels))
    planes = model.gray_rule().planes(pixels, str(image))
    return np.round(255 * np.stack([mirror_window(plane, (0, 0), size) for plane in planes]))


def scale(planes: NDArray[np.float32], percentiles: Sequence[float]) -> NDArray[np.float32]:
    """What `preprocessing` does to one image, (H, W) or (C, H, W)."""
    low, high = np.percentile(planes, percentiles, axis=(-2, -1), keepdims=True)
    return ((planes - low) / (high - low + EPSILON)).clip(0, 1).astype(np.float32)


def preprocessing(percentiles: Sequence[float]) -> list[dict[str, Any]]:
    """The project's own rule (`custom.data.GrayRule`) in the words of the specification."""
    low, high = percentiles
    kwargs = {"axes": ["y", "x"], "min_percentile": low, "max_percentile": high, "eps": EPSILON}
    return [{"id": "scale_range", "kwargs": kwargs}, {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}}]


def _write_files(folder: Path, whole: WholeImage, model: Model, image: Path | None) -> None:
    """Weights in both formats, test tensors and cover."""
    # The test of the files takes smaller images than the package declares, which no tool has to know.
    sizes = whole_image_sizes(whole, whole.divisor if can_be_tiled(whole) else 1)
    torchscript.write(whole, sizes, folder / "weights.pt", about(model, whole_image=True))
    onnx.write(whole, sizes, folder / "weights.onnx", about(model, whole_image=True))
    planes = example_image(whole, model, image)
    with torch.no_grad():
        output = whole(torch.from_numpy(scale(planes, percentiles_of(model)))[None]).numpy()
    np.save(folder / "test_input.npy", planes[None])
    np.save(folder / "test_output.npy", output)
    Image.fromarray(cover(planes, output[0], model)).save(folder / "cover.png")


def cover(planes: NDArray[np.float32], output: NDArray[np.float32], model: Model) -> NDArray[np.uint8]:
    """Image and probability of the last class side by side, 2 x 1 as the specification likes it, from (C, H, W)."""
    height = planes.shape[1]
    shown = split_contact(output)[0] if model.contact else output
    return np.concatenate([planes[0, :, :height], 255 * shown[-1, :, :height]], axis=1).astype(np.uint8)


def describe(folder: Path, whole: WholeImage, model: Model, name: str) -> dict[str, Any]:
    """The content of `rdf.yaml`."""
    classes = list(model.output_names)
    sizes = package_sizes(whole)
    step = {"min": sizes.smallest, "step": sizes.step}
    halo = {"halo": whole.tile_halo} if can_be_tiled(whole) else {}
    rows_in, columns_in = ({"type": "space", "id": axis, "size": step} for axis in "yx")
    rows_out, columns_out = (
        {"type": "space", "id": axis, "size": {"tensor_id": "image", "axis_id": axis}, **halo} for axis in "yx"
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
                "axes": [{"type": "batch"}, {"type": "channel", "channel_names": model.channels}, rows_in, columns_in],
                "data": {"type": "float32"},
                "pad": {"mode": "reflect"},
                "preprocessing": preprocessing(percentiles_of(model)),
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
