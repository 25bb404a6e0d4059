"""The configs of a bundle that stands alone: one experiment, its own code, weights in `models/model.pt`.

What differs from the repository's configs, and why:

- `custom` becomes the bundle's own package, because two bundles in one program share their module names;
- `bundle_root` is where that package lies, so that `--config_file` is all a run needs, from any working directory;
- what was in `initialize` is the first step of each run: MONAI runs `initialize` before it puts the bundle on the path,
  and an import that failed then stays failed;
- `max_epochs` of the trainer alone decides how long a schedule is: MONAI Label sets that id and no other;
- weights go to `models/model.pt`, the best where there are validation images, else the last, because an annotator may
  have labelled one image only;
- `inference.json` has `pre_transforms` and `post_transforms`. MONAI Label prefers them to `preprocessing` and
  `postprocessing`, which `monai.bundle run` uses, and they end in what its writer expects: a mask (W, H), 8 bits, and
  no metadata that would make it resample.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from custom.errors import UserError

from .code import PACKAGE

Config = dict[str, Any]
SHARED = ("network_def", "network", "device", "bfloat16", "min_size", "grow")
RUNS = ("training", "evaluating", "inferring")
WEIGHTS = "$@bundle_root + '/models/model.pt'"
VALIDATED = "(@validate#dataset#data and @train#trainer#max_epochs >= @val_interval)"


def read(path: Path) -> Config:
    """A config file as it stands; `UserError` if it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a config file in JSON ({error}); give the file of an experiment") from error


def find_experiment(configs: Path, experiment: str) -> Path:
    """The overlay named `experiment`, or the file of that path.

    Raises:
        UserError: there is none; the message lists those that are.
    """
    named = configs / "experiments" / f"{experiment}.json"
    if named.is_file():
        return named
    if experiment.endswith(".json") and Path(experiment).is_file():
        return Path(experiment)
    known = ", ".join(sorted(file.stem for file in named.parent.glob("*.json")))
    raise UserError(f"--experiment {experiment}: no such experiment; choose one of {known}, or give a JSON file")


def merge(train: Path, overlay: Path) -> Config:
    """`train.json` with the ids of an overlay in their places.

    The data stay the built-in set, whatever the overlay names: strangers have that, and name their own in a run.

    Raises:
        UserError: the overlay is not JSON, or sets an id that `train.json` has no place for.
    """
    read(overlay)
    try:
        config = ConfigParser.load_config_files([str(train), str(overlay)])
    except (KeyError, ValueError) as error:
        raise UserError(f"{overlay}: does not fit {train.name} ({error}); override ids that it has") from error
    return {**config, "dataset_dir": read(train)["dataset_dir"]}


def packaged_train(config: Config, code: str) -> Config:
    """The merged training config, to stand alone; see the module."""
    config = _schedules_follow_the_trainer(config)
    config["bundle_root"] = _root(code)
    config["output_dir"] = "$@bundle_root + '/runs/' + @name"
    config["imports"] = [*config["imports"], "$from pathlib import Path"]
    handlers = config["train"]["handlers"]
    for handler in handlers:
        if handler["_target_"] == "ValidationHandler":
            handler["_disabled_"] = "$not @validate#dataset#data"
    handlers.append(
        {
            "_target_": "CheckpointSaver",
            "_disabled_": f"$@rank > 0 or bool{VALIDATED}",
            "save_dir": "$@bundle_root + '/models'",
            "save_dict": {"model": "@network"},
            "save_final": True,
            "final_filename": "model.pt",
        }
    )
    for handler in config["validate"]["handlers"]:
        if isinstance(handler, dict) and handler["_target_"].endswith("BestModelSaver"):
            handler["path"] = WEIGHTS
    return _finished(config, code)


def packaged_inference(config: Config, train: Config, code: str) -> Config:
    """The inference config with what the merged training config tests with; see the module."""
    config = {**config, **{key: train[key] for key in SHARED}, "orientations": train["test_orientations"]}
    config["inferer"] = train["validate"]["inferer"]
    config["bundle_root"] = _root(code)
    config["imports"] = [*config["imports"], "$from pathlib import Path"]
    config["displayable_configs"] = {"result_extension": ".png"}
    config["pre_transforms"] = [
        "@preprocessing",
        {"_target_": "EnsureTyped", "keys": "image", "track_meta": False},
    ]
    config["post_transforms"] = [
        "@postprocessing",
        {"_target_": "SqueezeDimd", "keys": "pred", "dim": 0},
        {"_target_": "Transposed", "keys": "pred", "indices": [1, 0]},
        {"_target_": "CastToTyped", "keys": "pred", "dtype": "$torch.uint8"},
    ]
    return _finished(config, code)


def packaged_overlay(config: Config, code: str) -> Config:
    """An overlay such as `evaluate.json`; the weights it scores are the bundle's."""
    if "weights" in config:
        config = {**config, "weights": WEIGHTS}
    return _finished(config, code)


def renamed(config: Any, code: str) -> Any:
    """The config with the package `custom` called `code`."""
    if isinstance(config, dict):
        return {key: renamed(value, code) for key, value in config.items()}
    if isinstance(config, list):
        return [renamed(value, code) for value in config]
    return re.sub(rf"\b{PACKAGE}\b", code, config) if isinstance(config, str) else config


def _finished(config: Config, code: str) -> Config:
    config = {"prepare" if key == "initialize" else key: value for key, value in config.items()}
    for run in RUNS:
        if run in config:
            config[run] = ["@prepare", *config[run]]
    return renamed(config, code)


def _root(code: str) -> str:
    return f"$str(Path({code}.__file__).parents[1])"


def _schedules_follow_the_trainer(config: Config) -> Config:
    text = json.dumps(config).replace("@max_epochs", "@train#trainer#max_epochs")
    config = json.loads(text)
    config["train"]["trainer"]["max_epochs"] = "@max_epochs"
    return config
