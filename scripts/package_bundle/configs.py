"""The configs of a self-contained bundle: those of the repository, with a few ids set.

- `custom` becomes the bundle's own package, because two bundles in one program share their module names.
- `bundle_root` is the folder of that package, so that runs need only `--config_file`, from any working directory.
- `model` and `model_dir` are the bundle's folder `models`; a training also writes `model.pt` into `model_dir`, which
  MONAI Label and the model zoo load.
- `network_def` of the training is the model's, so that a training uses the same kind of network.
- The data are those of `dataset_dir`, or the pairs that MONAI Label gives; there are none by default. Only pairs train
  the model further as it is: with its classes, channels, gray values and terms. They label classes, so that pixel error
  chooses the weights where the experiment has SEG.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from custom.errors import UserError
from custom.json_file import read_json
from custom.model import Model
from custom.networks.build import OWN_NETWORKS

from ..overlays import FOLDERS, with_base
from .code import PACKAGE

Config = dict[str, Any]
MODEL_DIR = "$@bundle_root + '/models'"
SEG = "$'seg' if @dataset_dir else 'pixel_error'"  # annotators' labels are classes, of which there is no SEG


def read(path: Path) -> Config:
    """The content of a config file; `UserError` if it is not JSON."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}; give the configuration of an experiment")
    return content


def find_experiment(configs: Path, experiment: str) -> Path:
    """The overlay named `experiment`, of an experiment or an ablation, or the file of that path.

    Raises:
        UserError: there is none; the message lists the existing experiments.
    """
    for folder in FOLDERS:
        named = configs / folder / f"{experiment}.json"
        if named.is_file():
            return named
    if experiment.endswith(".json") and Path(experiment).is_file():
        return Path(experiment)
    known = ", ".join(sorted(file.stem for file in (configs / FOLDERS[0]).glob("*.json")))
    raise UserError(f"--experiment {experiment}: no such experiment; choose one of {known}, or give a JSON file")


def training_config(configs: Path, model: Model, experiment: str) -> Config:
    """`train.json` with the overlay of an experiment, and the model's network.

    Raises:
        UserError: there is no such experiment, or it does not fit `train.json`.
    """
    overlay = find_experiment(configs, experiment)
    read(overlay)
    try:
        config = ConfigParser.load_config_files([str(file) for file in (configs / "train.json", *with_base(overlay))])
    except (KeyError, ValueError) as error:
        raise UserError(f"{overlay}: does not fit train.json ({error}); override ids that it has") from error
    return for_model(config, model)


def for_model(config: Config, model: Model) -> Config:
    """The training of a model: of its network, at its scale, on a data set or on the pairs that MONAI Label gives."""
    load = {
        "gray_rule": "$None if @dataset_dir else @trained.gray_rule()",
        "label_format": "$@data.label_format",
    }
    of_files = "@plateau and @dataset_dir is not None"  # a first label leaves none for validation
    return {
        **config,
        "dataset_dir": "$None",
        "trained": f"${PACKAGE}.model.read_model(@bundle_root + '/models')",
        "listed": f"${PACKAGE}.annotated.data_for(@trained, @dataset_dir)",
        "network_def": full_targets(model.network_def),
        "init_model": None,  # MONAI Label loads the weights
        "scale": model.scale,
        "contact": model.contact,
        "border_width": model.training.get("border_width", 3),
        "best_by": SEG if config["best_by"] == "seg" else config["best_by"],
        **model.postprocessing.model_dump(include={"method", "sigma", "height", "grow"}),
        "test_orientations": model.orientations,
        "model_saver": {
            **config["model_saver"],
            "model": f"${PACKAGE}.annotated.describe(@trained, @data, @dataset_dir)",
        },
        "train": {**config["train"], "load": {**config["train"]["load"], **load}},
        "training": [
            config["training"][0],
            f"${PACKAGE}.annotated.require_images(@data)",
            *(step.replace("(@data, @plateau)", f"(@data, {of_files})") for step in config["training"][1:]),
        ],
    }


def full_targets(definition: Any) -> Any:
    """A model's `network_def` with class names as configs write them."""
    if isinstance(definition, list):
        return [full_targets(part) for part in definition]
    if not isinstance(definition, dict):
        return definition
    full = {key: full_targets(value) for key, value in definition.items()}
    if full.get("_target_") in OWN_NETWORKS:
        full["_target_"] = f"{PACKAGE}.networks.{full['_target_']}"
    return full


def packaged(config: Config, code: str) -> Config:
    """A config of the repository, changed for a self-contained bundle whose package is called `code`."""
    own = {
        "bundle_root": f"$str(Path({PACKAGE}.__file__).parents[1])",
        "output_dir": "$@bundle_root + '/runs/' + @name",
        "model": MODEL_DIR,
        "model_dir": MODEL_DIR,
        "flat_weights": "$@model_dir + '/model.pt'",
        "overwrite": True,  # MONAI Label trains repeatedly
    }
    if "name" not in config and "split" not in config:
        del own["output_dir"]  # inference writes to the working directory
    config = {**config, **{key: value for key, value in own.items() if key in config}}
    if "imports" in config:
        config["imports"] = [*config["imports"], "$from pathlib import Path"]
    # MONAI runs `initialize` before it puts the bundle on the path, and does not retry an import that failed.
    config.pop("initialize", None)
    return renamed(config, code)


def renamed(config: Any, code: str) -> Any:
    """The config with the package `custom` called `code`."""
    if isinstance(config, dict):
        return {key: renamed(value, code) for key, value in config.items()}
    if isinstance(config, list):
        return [renamed(value, code) for value in config]
    return re.sub(rf"\b{PACKAGE}\b", code, config) if isinstance(config, str) else config
