"""The examples in docstrings run, and the public classes have one."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import torch

import custom

PUBLIC = ["inferers.OverlapTileInferer", "inferers.AutocastInferer", "losses.WeightedCrossEntropyLoss", "Segmenter"]
PUBLIC += ["schedules.OneCycle", "handlers.GradientClip", "data.GrayRule", "data.LabelFormat"]
PUBLIC += [f"networks.{name}" for name in ("ValidUNet", "SamePaddingNetwork")]
PUBLIC += [f"metrics.{name}" for name in ("iou", "pixel_error", "rand_error", "seg")]
PUBLIC += [f"metrics.{name}" for name in ("PixelError", "IoU", "Dice", "CalibrationError", "RandError")]
PUBLIC += [f"metrics.{name}" for name in ("VRand", "VInfo", "WarpingError", "Seg")]
PUBLIC += [
    f"transforms.{name}"
    for name in (
        "AntiAlias",
        "AntiAliasd",
        "InstancesToClasses",
        "InstancesToClassesd",
        "ProbabilityToInstances",
        "ProbabilityToInstancesd",
        "RandElasticGrid",
        "RandElasticGridd",
        "RandSimardElastic",
        "RandSimardElasticd",
        "WeightMap",
        "WeightMapd",
    )
]


def modules() -> list[str]:
    return [module.name for module in pkgutil.walk_packages(custom.__path__, "custom.")]


@pytest.mark.parametrize("name", modules())
def test_examples_give_what_they_say(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, extraglobs={"np": np, "torch": torch})
    assert result.failed == 0


@pytest.mark.parametrize("path", PUBLIC)
def test_public_classes_have_an_example(path):
    thing = custom
    for name in path.split("."):
        thing = getattr(thing, name)
    assert ">>> " in (thing.__doc__ or "")
