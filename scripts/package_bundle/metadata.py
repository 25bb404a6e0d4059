"""Documents of a bundle, written from its model: `metadata.json`, the model card and the terms of the weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from string import Template
from typing import Any

from torch import nn

from custom.model import Model

from .configs import SEG

Config = dict[str, Any]

CARD = Template(Path(__file__).with_name("card.md").read_text(encoding="utf-8"))
FROM_MODEL = (
    "description",
    "task",
    "intended_use",
    "authors",
    "copyright",
    "data_source",
    "data_type",
    "references",
    "monai_version",
    "pytorch_version",
    "numpy_version",
    "network_data_format",
)


def packaged_metadata(metadata: Config, name: str, model: Model) -> Config:
    """The repository's metadata, updated with those of the model."""
    classes = ", ".join(f"{index} {part.name}" for index, part in enumerate(model.classes))
    channels = "one channel" if len(model.channels) == 1 else f"{len(model.channels)} channels"
    return {
        **metadata,
        **{key: getattr(model, key) for key in FROM_MODEL},
        "name": name,
        "version": model.version,
        "changelog": {model.version: f"weights of {model.name}"},
        "license": model.license,
        "image_classes": f"{channels} ({', '.join(model.channels)}), gray values mapped to [0, 1]",
        "label_classes": f"one channel: {classes}",
        "pred_classes": f"one channel: {classes}",
        "eval_metrics": {score.measure: score.value for score in model.scores},
    }


def model_card(metadata: Config, model: Model, network: nn.Module, train: Config) -> str:
    """`docs/README.md` of the bundle whose training is `train`."""
    data_format = metadata["network_data_format"]
    image, pred = data_format["inputs"]["image"], data_format["outputs"]["pred"]
    packages = (f"{package} {version}" for package, version in metadata["required_packages_version"].items())
    return CARD.substitute(
        name=metadata["name"],
        description=model.description,
        task=model.task,
        version=model.version,
        experiment=model.training.get("experiment", "not recorded"),
        use=model.intended_use,
        network=type(network).__name__,
        parameters=f"{sum(math.prod(p.shape) for p in network.parameters()):,}",
        input_shape=" x ".join(image["spatial_shape"]),
        output_shape=" x ".join(pred["spatial_shape"]),
        classes=", ".join(f"channel {channel} is {name}" for channel, name in pred["channel_def"].items()),
        labels=label_text(model, train),
        settings=settings_text(model),
        scores=score_table(model),
        authors=model.authors,
        monai=model.monai_version,
        torch=model.pytorch_version,
        numpy=model.numpy_version,
        packages=", ".join(packages),
        data=model.data_source,
        license=model.license.removesuffix("."),
        references="\n".join(f"- {reference}" for reference in model.references) or "None given.",
    )


def label_text(model: Model, train: Config) -> str:
    """What `dataset.json` says of labels that the model can be trained on; contact and SEG need instances."""
    instances = bool(model.contact) or train["best_by"] == SEG
    kind = "instances" if instances else "classes"
    names = {">0" if instances and part.value else str(part.value): part.name for part in model.classes}
    return f'"label_kind": "{kind}", "labels": {json.dumps(names, ensure_ascii=False)}'


def settings_text(model: Model) -> str:
    """The model's settings in a sentence."""
    post = model.postprocessing
    text = f"Mean of {model.orientations} orientations; " if model.orientations > 1 else "One pass; "
    if model.scale != 1:
        text += f"the network sees images scaled by {model.scale:g}; "
    text += f"foreground from a probability of {post.threshold:g}"
    text += f" (fitted: {post.fitted_on})" if post.fitted_on else ""
    return f"{text}; instances by {post.method}, of at least {post.min_size} pixels."


def score_table(model: Model) -> str:
    """The scores and what they were measured on."""
    if not model.scores:
        return "No scores were recorded."
    rows = [f"| {score.measure} | {score.value:.4f} | {score.on} |" for score in model.scores]
    return "\n".join(["| measure | value | measured on |", "|---|---|---|", *rows])


def terms(model: Model) -> str:
    """`docs/data_license.txt`: the terms of the data, and so of the weights."""
    lines = [f"Weights of {model.name}.", f"Trained on: {model.data_source}.", f"Terms: {model.license}", ""]
    return "\n".join([*lines, "References:", *(f"- {reference}" for reference in model.references)]) + "\n"
