"""Every id of the configurations that a user may set: type, range, unit and meaning, each declared once.

`python -m scripts.settings` lists them, `docs/settings.md` has the same table, and `custom.settings.check` checks them.
To add a setting, add one line to the class of the run that reads it; `a__b` stands for the id `a#b`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def setting(meaning: str, unit: str = "", of: str = "", **limits: Any) -> Any:
    """A declaration.

    Args:
        meaning: one line.
        unit: of the number.
        of: for a nested id, the class of the component that it is an argument of; other classes check their own.
        limits: of pydantic's `Field`, such as `ge` and `le`.
    """
    return Field(description=meaning, json_schema_extra={"unit": unit, "of": of}, **limits)


Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Scale = Annotated[float, Field(ge=1 / 16, le=16)]
Orientations = Literal[1, 7, 8]
Channel = Annotated[int, Field(ge=0)]


def _device(name: str) -> str:
    """The name, if this machine has the device."""
    import torch  # takes a second, and listing the settings does not need it

    try:
        kind, index = torch.device(name).type, torch.device(name).index or 0
    except RuntimeError as error:
        raise ValueError("no such kind of device; give cpu or cuda") from error
    if kind == "cuda" and index >= torch.cuda.device_count():
        raise ValueError(
            f"this machine has {torch.cuda.device_count()} GPUs that CUDA can use; give cpu, or leave it out"
        )
    return name


class Declarations(BaseModel):
    # Strict, because `True` is not a number of epochs; `Setting.read` converts text.
    model_config = ConfigDict(strict=True, validate_assignment=True)


class Common(Declarations):
    """Settings of every run."""

    bundle_root: str = setting("folder of the bundle", min_length=1)
    output_dir: str = setting("folder for all that the run writes", min_length=1)
    device: Annotated[str, AfterValidator(_device)] = setting("where the network runs: `cpu`, `cuda`, `cuda:1`")
    bfloat16: bool = setting("compute in bfloat16; by default where the hardware is fast at it")
    progress_bar__disable: bool | None = setting("no progress bar; none: only if the output is not a terminal")


class Objects(Declarations):
    """From the probability to objects."""

    method: Literal["components", "watershed", "contact"] = setting(
        "connected components, or a watershed of shapes, or one of learned contact"
    )
    min_size: int = setting("size of the smallest objects to keep", "pixels", ge=0)
    grow: int = setting("distance to grow objects by, where they nearly touch", "pixels", ge=0)
    sigma: float = setting("smoothing before the watershed's seeds are found", "pixels", ge=0, allow_inf_nan=False)
    height: float = setting("least height of watershed seeds above the saddle", "pixels", gt=0, allow_inf_nan=False)


class Trained(Declarations):
    """Settings of the runs that use a trained model."""

    threshold: float = setting("probability from which a pixel is foreground", gt=0, le=1)
    pixel_size: float | None = setting(
        "pixel size of the images, if the model's is known: scale and post-processing follow", "micrometres", gt=0
    )


class Training(Objects, Common):
    """Settings of `training`; `evaluating` reads the same file and has them too."""

    name: str = setting("name of the experiment", min_length=1)
    dataset_dir: str = setting("folder with `dataset.json`, made by `scripts.prepare_data`", min_length=1)
    train_on_all: bool = setting("train on the validation images, too: for a final model, which then has no score")
    experiment__title: str = setting("title in the table of results")
    experiment__published: dict[str, float] = setting("published scores by name, for the table of results")
    experiment__base: str | None = setting("experiment that this one changes; none: train.json alone")
    seed: int = setting("seed of everything that is random", ge=0, lt=2**32)
    init_model: str | None = setting("model to start from, by name or folder; none: random weights")
    resume: bool = setting("continue from `checkpoint.pt` in the output folder")
    overwrite: bool = setting("let a new training replace the one in the output folder")
    rank: int = setting("number of this process; set by the multi-GPU overlays", ge=0)
    world_size: int = setting("number of processes; set by the multi-GPU overlays", ge=1)
    max_epochs: int = setting("length of the training", "epochs", ge=1)
    time_limit: int | None = setting("stop after this time", "seconds", ge=1)
    steps_per_epoch: int = setting("optimizer steps in an epoch", "steps", ge=1)
    val_interval: int = setting("epochs between validations", "epochs", ge=1)
    batch_size: int = setting("windows in a step", "windows", ge=1)
    learning_rate: float = setting("learning rate, the highest of a schedule", gt=0, allow_inf_nan=False)
    average_momentum: float | None = setting(
        "share of the newest weights in their moving average, which is saved; none: no average",
        gt=0,
        lt=1,
    )
    max_norm: float | None = setting("clip the norm of the gradient at this; none: no clipping", gt=0)
    input_size: int = setting("height and width of the network's input in training", "pixels", ge=1)
    output_size: int = setting("height and width of the network's output in training", "pixels", ge=1)
    scale: Scale = setting("working pixels per image pixel: 0.5 works at half the size")
    border_width: int = setting("width of the border between touching cells, odd", "pixels", ge=3)
    contact: bool = setting("train that border as a class of its own: one more output of the network")
    copied_cells: float = setting(
        "probability that cells of other images are copied beside those of an image", ge=0, le=1
    )
    best_by: Literal["pixel_error", "v_rand", "seg"] = setting(
        "measure on the validation images that chooses the saved weights and their threshold"
    )
    class_weights: Weight | Annotated[list[Weight], Field(min_length=2)] | None = setting(
        "weight of all classes, or of each, in the loss; none: balanced in each image"
    )
    orientations: Orientations = setting("rotations and flips averaged in validation")
    test_orientations: Orientations = setting("rotations and flips averaged by `evaluating`")
    network_def__in_channels: int = setting("channels of the image", ge=1, of="ValidUNet")
    network_def__out_channels: int = setting("number of classes", ge=2, of="ValidUNet")
    model_dir: str = setting("folder for `model.json` and its weights", min_length=1)
    flat_weights: str | None = setting("also write the weights to this file as a flat state dict")
    features: int = setting("features of the first level; they double at each level", ge=1)
    network_def__features: int = setting("features of the first level", ge=1, of="ValidUNet")
    network_def__depth: int = setting("number of poolings", ge=1, le=8, of="ValidUNet")
    network_def__up: Literal["transposed", "upsample"] = setting('variant of the "up-convolution"', of="ValidUNet")
    network_def__init: Literal["he", "xavier_uniform", "xavier_normal", "kaiming"] = setting(
        "initialisation of the weights", of="ValidUNet"
    )
    network_def__dropout: float = setting("dropout at the end of the contracting path", ge=0, lt=1, of="ValidUNet")
    early_stop__patience: int = setting(
        "stop after so many validations without improvement", "validations", ge=1, of="ResumableEarlyStop"
    )
    early_stop__min_delta: float = setting("smallest improvement that counts", ge=0, of="ResumableEarlyStop")
    train__weight_map__w0: float = setting("weight of the border between two cells", ge=0, of="WeightMapd")
    train__weight_map__sigma: float = setting("reach of the border term", "pixels", gt=0, of="WeightMapd")
    train__window__grid_shape: list[Annotated[int, Field(ge=2)]] = setting(
        "points of the elastic grid", "rows, columns", min_length=2, max_length=2, of="RandElasticGridd"
    )
    train__window__sigma: float = setting("displacement of the elastic grid", "pixels", ge=0, of="RandElasticGridd")
    train__window__rotate_range: float = setting("largest rotation", "radians", ge=0, of="RandElasticGridd")
    train__window__flip_prob: float = setting("probability of a flip", ge=0, le=1, of="RandElasticGridd")


class Evaluating(Trained, Training):
    """Settings that only `evaluating` has."""

    split: Literal["training", "validation", "test"] = setting("list of `dataset.json` to score")
    model: str = setting("model to score: a name in `bundle/models`, or a folder", min_length=1)
    instances: bool = setting("score objects rather than pixels; by default if the labels are instances")
    evaluation_dir: str = setting("folder for the scores", min_length=1)
    save_probability: bool = setting("write the probabilities too")


class Inferring(Trained, Objects, Common):
    """Settings of `inferring`."""

    dataset_dir: str = setting("images to segment: a file, a folder or a pattern such as `images/*.tif`", min_length=1)
    channel: Channel | Annotated[list[Channel], Field(min_length=1)] | None = setting(
        "channel of images that have several, from 0, or a list of them; none: all"
    )
    palette: bool = setting("PNG masks get a palette that shows each class in a colour")
    axes: str | None = setting("what the pages of a TIFF are that does not say it, such as CYX")
    model: str = setting("model to segment with: a name in `bundle/models`, or a folder", min_length=1)
    orientations: Orientations = setting("rotations and flips averaged")
    scale: Scale = setting("working pixels per image pixel, as in the training")
    save: list[Literal["mask", "probability", "instance", "disagreement"]] = setting("what to write", min_length=1)
    mask_format: Literal[".png", ".tif", ".tiff"] = setting("file format of masks and instances")


RUNS: dict[str, type[Declarations]] = {"training": Training, "evaluating": Evaluating, "inferring": Inferring}

# Ids that no expression needs to refer to: MONAI, MONAI Label or torchrun find them by name.
STRUCTURE = frozenset(
    {"imports", "prepare", "initialize", "finalize", "run", *RUNS, "train", "validate", "network_def"}
    | {"pre_transforms", "post_transforms", "displayable_configs"}
)
