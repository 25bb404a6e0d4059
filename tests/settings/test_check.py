"""A merged configuration is checked as a whole: ids at any depth, components, types, ranges, words."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigWorkflow
from monai.bundle import run as bundle_run
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS

from custom.bundle_call import BundleCall
from custom.errors import UserError
from custom.exits import user_error
from custom.settings import check

from ..bundle.conftest import CONFIGS, ROOT

EXPERIMENTS = sorted(file.stem for file in (ROOT / CONFIGS / "experiments").glob("*.json"))
RUNS = {
    "training": ("train.json",),
    "evaluating": ("train.json", "evaluate.json"),
    "inferring": ("inference.json",),
    "training on several GPUs": ("train.json", "multi_gpu_train.json"),
    "evaluating on several GPUs": ("train.json", "evaluate.json", "multi_gpu_evaluate.json"),
}


@pytest.mark.parametrize("run", RUNS)
def test_shipped_configurations_pass_unchanged(checked, run):
    parser = checked(*RUNS[run])
    again = json.dumps({key: value for key, value in parser.get().items() if key != "_meta_"})
    checked(*RUNS[run], **json.loads(again))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiments_pass(checked, experiment):
    checked("train.json", f"experiments/{experiment}.json")
    checked("train.json", f"experiments/{experiment}.json", "evaluate.json")


REFUSED = {
    "an unknown id": ({"max_epoch": 5}, "max_epoch has no effect: nothing refers to it; did you mean max_epochs"),
    "an id like no other": ({"zzz": 5}, "zzz has no effect"),
    "an unknown nested id": ({"train#windows": 5}, "train#windows has no effect: nothing refers to it; did you mean w"),
    "an unknown argument": ({"network_def#featurs": 4}, "ValidUNet has no argument 'featurs'; did you mean features?"),
    "an unknown argument in a list": (
        {"train#handlers#0#sead": 4},
        "train#handlers#0#sead: custom.handlers.EpochSeed has no argument 'sead'; did you mean seed?",
    ),
    "an unknown argument among those handed on": (
        {"train#window#rotate_rang": 1},
        "RandElasticGridd has no argument 'rotate_rang'; did you mean rotate_range",
    ),
    "an unknown argument of the noise": (
        {"train#noise#st": 1},
        "RandGaussianNoised has no argument 'st'; did you mean",
    ),
    "an unknown class": (
        {"optimizers#sgd#_target_": "torch.optim.Adm"},
        "no such class or function; did you mean torch.op",
    ),
    "an unknown class of MONAI": ({"loss": {"_target_": "DiceLos"}}, "no such class or function; did you mean DiceLo"),
    "a reference to nothing": ({"seed": "@sed"}, "seed refers to @sed, which does not exist; did you mean seed"),
    "no expression": ({"dataset_dir": "$a b"}, "dataset_dir is '$a b', which is not a Python expression"),
    "a name that is not imported": ({"dataset_dir": "$HOME/x"}, "'HOME' is not imported"),
    "text for a number": ({"max_epochs": "30x"}, "max_epochs is '30x'; expected an integer, at least 1 (epochs)"),
    "text for a nested number": (
        {"schedules#plateau#patience": "x"},
        "schedules#plateau#patience is 'x'; expected an integer",
    ),
    "true for a number": ({"batch_size": True}, "batch_size is true; expected an integer"),
    "none for a number": ({"batch_size": "None"}, "batch_size is none; expected an integer"),
    "out of range": ({"network_def#dropout": 1.0}, "is 1.0; expected a number, at least 0 and below 1"),
    "text for a component": (
        {"loss": "DiceLoss"},
        "loss is 'DiceLoss'; expected a component (an object",
    ),
    "a preset's bare name": ({"optimizer": "sgd"}, "or a reference such as @optimizers#sgd"),
    "none for a component": ({"train#window": "none"}, "train#window is 'none'; expected a component"),
    "an object for a number": ({"learning_rate": {"a": 1}}, "learning_rate is {'a': 1}; expected a number"),
    "a number among components": (
        {"validate#additional_metrics#rand_error": 1},
        "validate#additional_metrics#rand_error is 1; expected a component or a reference",
    ),
    "an argument that a data loader hands on": (
        {"train#dataloader#num_worker": 2},
        "BackgroundLoader has no argument 'num_worker'; did you mean num_workers",
    ),
    "a folder of the bundle that is not there": ({"bundle_root": "nowhere"}, "bundle_root is 'nowhere'; there is no"),
    "a number for a list": ({"train#handlers": 3}, "train#handlers is 3; expected a list"),
    "a number for a part": ({"train": 3}, "train is 3; expected an object of ids"),
    "no class at all": ({"loss#_target_": 3}, "loss#_target_ is 3; expected the name of a class or function"),
    "a module for a class": ({"loss#_target_": "custom.losses"}, "loss#_target_ is 'custom.losses': no such class"),
    "an unknown kind of device": ({"device": "banana"}, "device is 'banana'; no such kind of device"),
    "a device that is not there": ({"device": "cuda:99"}, "device is 'cuda:99'; this machine has"),
    "no choice": ({"network_def#up": "bilinear"}, "expected one of transposed, upsample"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(checked, case):
    overrides, message = REFUSED[case]
    with pytest.raises(UserError) as refusal:
        checked(**overrides)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_split_must_be_one(checked):
    with pytest.raises(UserError, match="split is 'tset'; expected one of training, validation, test"):
        checked("train.json", "evaluate.json", split="tset")


MEANT = [
    ("max_epochs", "30", 30),
    ("max_epochs", 30.0, 30),
    ("learning_rate", "1e-4", 1e-4),
    ("resume", "FALSE", False),
    ("resume", "true", True),
    ("bfloat16", "false", False),
    ("max_norm", "None", None),
    ("max_norm", "null", None),
    ("class_weights", (1, 2), [1, 2]),
    ("class_weights", "[1, 2]", [1, 2]),
    ("output_dir", Path("runs") / "a", "runs/a"),
    ("output_dir", 12, "12"),
    ("optimizers#sgd#nesterov", "True", True),
    ("schedules#plateau#patience", "7", 7),
    ("train#handlers#8#state_attributes", "none", None),
    ("loss", {"_target_": "DiceCELoss", "reduction": "none"}, {"_target_": "DiceCELoss", "reduction": "none"}),
]


@pytest.mark.parametrize(("id", "given", "value"), MEANT)
def test_values_become_what_they_mean(checked, id, given, value):
    found = checked(**{id: given})[id]
    assert (found, type(found)) == (value, type(value))


def test_an_object_from_a_program_is_left_alone(checked):
    device = torch.device("cpu")
    assert checked(device=device)["device"] is device


@pytest.mark.parametrize("run", ["training", "evaluating", "inferring"])
def test_handlers_that_monai_adds_for_tracking_pass_if_there_is_mlflow(checked, run, monkeypatch):
    parser = checked(*RUNS[run])
    parser["save_execute_config"] = False
    ConfigWorkflow.patch_bundle_tracking(parser, DEFAULT_MLFLOW_SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(UserError, match="--tracking mlflow: MLflow is not installed; `pip install mlflow`"):
            check(parser)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    check(parser)


def test_a_number_sign_stays_in_a_path(checked):
    assert checked(output_dir="runs/cells#2").get_parsed_content("output_dir") == "runs/cells#2"


@pytest.mark.parametrize(("typed", "given"), [("cells#2", "cells"), ("{1}", {1}), ("007", 7)])
def test_a_folder_has_the_name_that_was_typed_not_what_fire_makes_of_it(checked, monkeypatch, typed, given):
    monkeypatch.setattr(BundleCall, "find", lambda: BundleCall(typed={"output_dir": typed}))
    assert checked(output_dir=given).get_parsed_content("output_dir") == typed


def workflow(folder: Path, run_id: str = "training", **overrides: object) -> ConfigWorkflow:
    """A workflow of MONAI with a run whose second item gives what the first has made of the settings."""
    config = {
        "imports": ["$import custom"],
        "resume": True,
        "max_norm": 1.0,
        "name": "x",
        "seen": "$[@resume, @max_norm, @name]",
        "training": ["$custom.settings.check()", "$@seen", "$custom.__name__"],
    }
    file = folder / "train.json"
    file.write_text(json.dumps(config))
    return ConfigWorkflow(str(file), run_id=run_id, logging_file=False, workflow_type=None, **overrides)


def test_items_after_the_check_see_what_was_meant(tmp_path):
    made = workflow(tmp_path, resume="False", max_norm="none", name="a#b")
    made.initialize()
    assert made.run() == [None, [False, None, "a#b"], "custom"]


def test_the_check_leaves_objects_alone_that_exist_when_nothing_changes(tmp_path):
    made = workflow(tmp_path)
    made.initialize()
    before = made.parser.get_parsed_content("seen")
    made.run()
    assert made.parser.get_parsed_content("seen") is before


def test_an_override_of_none_from_python_is_not_dropped(tmp_path):
    workflow(tmp_path)
    seen: list = []
    config = json.loads((tmp_path / "train.json").read_text())
    config["training"].append("$@sink(@max_norm)")
    (tmp_path / "train.json").write_text(json.dumps(config))
    bundle_run(
        "training", config_file=str(tmp_path / "train.json"), logging_file=False, sink=seen.append, max_norm=None
    )
    assert seen == [None]


def test_an_error_from_python_is_raised(tmp_path):
    made = workflow(tmp_path, max_nrm=1)
    made.initialize()
    with pytest.raises(RuntimeError) as refusal:
        made.run()
    assert "max_nrm has no effect" in str(user_error(refusal.value))
