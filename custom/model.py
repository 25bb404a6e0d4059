"""A trained model: `model.json`, which describes everything needed to use it, and `weights.safetensors`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from .checksums import sha256_of
from .classes import output_names
from .data.gray import GrayRule, GrayRules, gray_rules
from .data.scale import LARGEST
from .errors import UserError
from .files import replace_file
from .json_file import read_json
from .kept import described_file, drop, keep
from .networks.build import build_network
from .networks.weights import load_state

MODEL_FILE, WEIGHTS_FILE = "model.json", "weights.safetensors"
INTENDED_USE = "Research on microscopy images. Not for clinical use."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class ClassInfo(_Part):
    """One class: its name, and its value in masks."""

    name: str
    value: Annotated[int, Field(ge=0)]


class GrayValues(_Part):
    """Which percentiles of an image become 0 and 1, and the contrast between them in the training images."""

    percentiles: tuple[float, float] = (0.1, 99.9)
    contrast: float | None = None


class Postprocessing(_Part):
    """From probability to mask and instances; the arguments of `ProbabilityToInstances`."""

    method: Literal["components", "watershed", "contact"] = "components"
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.5
    min_size: Annotated[int, Field(ge=0)] = 0
    grow: Annotated[int, Field(ge=0)] = 0
    sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 2.0
    height: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    fitted_on: str | None = None


class Score(_Part):
    """A measure, its value and what it was measured on."""

    measure: str
    value: float
    on: str


class Weights(_Part):
    """The file of weights and its SHA-256."""

    file: str = WEIGHTS_FILE
    sha256: str


class Model(_Part):
    """Description of a trained network, its origin and its use. Keys follow MONAI's metadata schema.

    Attributes:
        network_def: the network's class and arguments; classes are `ValidUNet`, `SamePaddingNetwork` and those of
            `monai.networks.nets`.
        classes: in the order of the network's output channels.
        channels: names of the image's channels.
        gray_values: one for all channels, or one for each.
        pixel_size: side of a pixel, in micrometres, of the images that it is for, where it is known.
        contact: whether the network has one more output, after those of two classes: pixels near two cells.
        scale: pixels that the network sees per pixel of the image; 0.5 halves an image before the network.
        orientations: rotated and mirrored versions of an image whose probabilities are averaged.
        license: terms of the weights, which are those of the data they were trained on.
        training: experiment, images, seed and further settings.
        folder: where the model was read from.
    """

    format: Literal[1] = 1
    name: str
    version: str = "0.1.0"
    description: str
    task: str
    intended_use: str = INTENDED_USE
    authors: str = ""
    copyright: str = ""
    license: str
    data_source: str
    data_type: str = "PNG, TIFF, JPEG, BMP; gray or colour; 8 or 16 bits or float"
    references: list[str] = []
    monai_version: str
    pytorch_version: str
    numpy_version: str
    network_def: dict[str, Any]
    network_data_format: dict[str, Any]
    classes: Annotated[list[ClassInfo], Field(min_length=2)]
    contact: bool = False
    channels: Annotated[list[str], Field(min_length=1)] = ["gray"]
    gray_values: GrayValues | list[GrayValues] = GrayValues()
    pixel_size: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    scale: Annotated[float, Field(ge=1 / LARGEST, le=LARGEST)] = 1.0
    orientations: Literal[1, 7, 8] = 1
    postprocessing: Postprocessing = Postprocessing()
    scores: list[Score] = []
    training: dict[str, Any] = {}
    weights: Weights | None = None
    folder: Annotated[Path | None, Field(exclude=True)] = None

    @model_validator(mode="after")
    def _contact_of_two_classes(self) -> Model:
        if self.contact and len(self.classes) > 2:
            raise ValueError(f"contact is for two classes, not {len(self.classes)}")
        return self

    @model_validator(mode="after")
    def _gray_values_of_each_channel(self) -> Model:
        if isinstance(self.gray_values, list) and len(self.gray_values) != len(self.channels):
            raise ValueError(f"{len(self.gray_values)} gray_values for {len(self.channels)} channels")
        return self

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the network's output channels."""
        return output_names([part.name for part in self.classes], self.contact)

    def require_method(self, method: str) -> None:
        """Raise `UserError` if objects cannot be found by this method."""
        if method == "contact" and not self.contact:
            raise UserError(
                f"--method contact: model {self.name} was not trained with --contact true; "
                "choose components or watershed"
            )

    def at_pixel_size(self, size: float | None) -> Model:
        """The model for images with pixels of another size: its scale, and the lengths of its post-processing, change.

        Args:
            size: side of a pixel in micrometres; None: the model as it is.

        Raises:
            UserError: the model does not know the pixel size of its training images, or the scale becomes impossible.
        """
        if size is None:
            return self
        if self.pixel_size is None:
            raise UserError(
                f"--pixel_size {size:g}: model {self.name} does not know the pixel size of its training images; give "
                "--scale, the working pixels for each pixel of the image"
            )
        ratio, own, other = size / self.pixel_size, self.postprocessing, self.model_copy(deep=True)
        try:
            other.scale, other.pixel_size = self.scale * ratio, size
        except ValidationError as error:
            raise UserError(
                f"--pixel_size {size:g}: model {self.name} is for {self.pixel_size:g} micrometres, so images would be "
                f"scaled by {self.scale * ratio:g}; is it in micrometres?"
            ) from error
        other.postprocessing.min_size = round(own.min_size / ratio**2)
        other.postprocessing.grow = round(own.grow / ratio)
        other.postprocessing.sigma = own.sigma / ratio
        other.postprocessing.height = own.height / ratio
        return other

    def gray_rule(self) -> GrayRule | GrayRules:
        """How the pixels of an image become gray values, channel by channel."""
        return gray_rules(GrayRule(one.percentiles, one.contrast) for one in self.gray_values_by_channel())

    def gray_values_by_channel(self) -> list[GrayValues]:
        """`gray_values`, one for each channel."""
        own = self.gray_values
        return own if isinstance(own, list) else [own] * len(self.channels)

    def build(self) -> nn.Module:
        """The network without its weights.

        Raises:
            UserError: a class that is not allowed, or arguments that it does not take.
        """
        return build_network(self.network_def, MODEL_FILE if self.folder is None else str(self.folder / MODEL_FILE))

    def network(self) -> nn.Module:
        """The network on the CPU, in evaluation mode, with its weights; half precision is widened.

        Raises:
            UserError: weights that are missing, altered, not finite or of another network.
        """
        network = self.build()
        load_state(network, self.state(), self.weights_path())
        return network.eval()

    def weights_path(self) -> Path:
        """Path of the weights."""
        assert self.folder is not None
        path = self.folder / (WEIGHTS_FILE if self.weights is None else Path(self.weights.file).name)
        return path if self.weights is None else described_file(path, self.weights.sha256)

    def state(self) -> dict[str, Tensor]:
        """The weights by name, as stored.

        Raises:
            UserError: the file is missing, altered or broken.
        """
        path = self.weights_path()
        if not path.is_file():
            raise UserError(f"{path}: no such weights; restore the file beside {MODEL_FILE}, or train again")
        if self.weights is not None and sha256_of(path) != self.weights.sha256:
            raise UserError(f"{path}: damaged, its SHA-256 is not the one in {MODEL_FILE}; restore both files")
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(f"{path}: not a safetensors file ({error}); restore it") from error


def models_folder() -> Path:
    """The folder of the shipped models: of this repository, or of the bundle that this package was packaged with."""
    root = Path(__file__).parents[1]
    return root / "bundle" / "models" if (root / "bundle").is_dir() else root / "models"


def output_dir(model: Model) -> str:
    """Where results of a model go: the folder of a training, or `runs/NAME` for a model that is shipped."""
    assert model.folder is not None
    return f"runs/{model.name}" if model.folder.absolute().is_relative_to(models_folder()) else str(model.folder)


def read_model(name: str | os.PathLike[str]) -> Model:
    """Read a model by the name of a shipped one, or by its folder.

    Raises:
        UserError: there is no such model, or its `model.json` is broken.
    """
    folder = Path(name)
    if folder.name == MODEL_FILE:
        folder = folder.parent
    if not (folder / MODEL_FILE).is_file():
        shipped = models_folder()
        known = sorted(file.parent.name for file in shipped.glob(f"*/{MODEL_FILE}"))
        if str(name) not in known:
            if (folder / "models" / MODEL_FILE).is_file():
                raise UserError(f"model {name}: is a packaged bundle; give its model, {folder / 'models'}")
            offer = f", or give one of {', '.join(known)}" if known else ""
            raise UserError(f"model {name}: no {MODEL_FILE} there; give the folder of a training{offer}")
        folder = shipped / str(name)
    path = folder / MODEL_FILE
    content = read_json(path)
    try:
        return Model(**{**content, "folder": folder})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{path}: {where}: {first['msg']}; restore the file, or correct it") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); restore the file") from error


def write_model(folder: str | os.PathLike[str], model: Model, state: Mapping[str, Tensor]) -> Model:
    """Write weights and `model.json` into a folder, replacing what is there; returns the model as written.

    Both files are complete before either gets its name; a process killed at any moment leaves the old model or the new.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    folder = Path(folder)
    # Cloned, because safetensors does not support channels-last memory and shared storage.
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    with replace_file(folder / MODEL_FILE) as description, replace_file(folder / WEIGHTS_FILE) as weights:
        weights.write_bytes(save(tensors, metadata={"format": "pt"}))
        written = model.model_copy(update={"weights": Weights(sha256=sha256_of(weights)), "folder": folder})
        description.write_text(to_json(written), encoding="utf-8")
        keep(folder / WEIGHTS_FILE, folder / MODEL_FILE)
    drop(folder / WEIGHTS_FILE)
    return written


def update_model(model: Model) -> None:
    """Rewrite `model.json`; the weights are not changed."""
    assert model.folder is not None
    with replace_file(model.folder / MODEL_FILE) as temporary:
        temporary.write_text(to_json(model), encoding="utf-8")


def to_json(model: Model) -> str:
    """The content of `model.json`."""
    return json.dumps(model.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
