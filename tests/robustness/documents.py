"""Broken data sets and models as input of the commands that read them."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from . import material
from .calls import CALLS
from .judge import require_no_parts, require_nothing_in, require_refusal
from .part import Part
from .reader import probabilities
from .trees import Mutation, mutations

READ_DATASET = (*("evaluating",) * 6, "training", "tune", "tune", "robustness", "report")
DATASET_OPTION = {"tune": "dataset", "robustness": "dataset"}
READ_MODEL = (
    *("inferring", "inferring", "inferring", "segment_volume", "evaluating", "finetuning", "tune"),
    *("export torchscript", "ship_model", "robustness"),
)
# What the result of `inferring` with `save=['probability']` does not depend on.
FREE = ("name", "version", "description", "task", "intended_use", "authors", "copyright", "license", "data_source")
WEIGHTS = ("intact", "missing", "cut off", "one bit changed", "empty", "pickled", "NaN", "other shapes", "a directory")


@dataclass(frozen=True)
class Document:
    """A command and what is wrong with a document that it reads."""

    command: str
    mutation: Mutation
    weights: str = "intact"

    def __str__(self) -> str:
        wrong = self.mutation.how if self.weights == "intact" else f"weights {self.weights}"
        return f"{self.command}, {wrong}"


def check_dataset(document: Document, folder: Path) -> None:
    """A data set with another `dataset.json`."""
    call = CALLS[document.command]
    dataset, output = folder / "set", folder / f"out{call.suffix}"
    content = material.write_dataset(dataset)
    document.mutation.write(dataset / "dataset.json", content)
    ending = call.run(output, **{DATASET_OPTION.get(document.command, "dataset_dir"): dataset})
    require_no_parts(folder)
    if ending.code != 0:
        require_refusal(ending, dataset, "--split")
        require_nothing_in(output)
        return
    assert document.mutation.how != "a key twice", "which one counts?"
    call.require_result(output)
    if document.command == "evaluating":
        listed = json.loads((dataset / "dataset.json").read_text(encoding="utf-8-sig"))["validation"]
        with next(output.glob("evaluation/validation/*_raw.csv")).open() as file:
            scored = [Path(row[0]).name for row in csv.reader(file)][1:]
        expected = [Path(item["image"]).name for item in listed]
        assert [name for name in scored if name.endswith("png")] == expected, f"{scored} scored of {expected}"


def check_model(document: Document, folder: Path) -> None:
    """A model with another `model.json`, or other weights."""
    call = CALLS[document.command]
    model, output = folder / "broken", folder / f"out{call.suffix}"
    shutil.copytree(material.tiny_model(), model)
    content = json.loads((model / "model.json").read_text())
    if document.weights == "intact":
        document.mutation.write(model / "model.json", content)
    else:
        damage_weights(model, document.weights, content)
    more = {"save": "['mask','probability']"} if document.command == "inferring" else {}
    option = "init_model" if document.command == "finetuning" else "model"
    ending = call.run(output, **{option: model}, **more)
    require_no_parts(folder)
    if ending.code != 0:
        require_refusal(ending, model)
        require_nothing_in(output)
        return
    call.require_result(output)
    if document.command == "inferring":
        found = tifffile.imread(output / "probabilities" / "volume.tif")
        assert np.isfinite(found).all()
        if document.mutation.where(content).partition("#")[0] in FREE:
            expected = probabilities(material.tiny_model(), material.volume())
            np.testing.assert_allclose(found, np.stack(expected), rtol=0, atol=1e-4)


def damage_weights(model: Path, how: str, content: dict) -> None:
    """Change the weights; `NaN` and `other shapes` come with a checksum that is right."""
    path = model / "weights.safetensors"
    data = path.read_bytes()
    if how in ("missing", "a directory"):
        path.unlink()
    if how == "a directory":
        path.mkdir()
    elif how == "cut off":
        path.write_bytes(data[: len(data) // 2])
    elif how == "one bit changed":
        path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    elif how == "empty":
        path.write_bytes(b"")
    elif how in ("pickled", "NaN", "other shapes"):
        state = load_file(path)
        if how == "pickled":
            torch.save(state, path)
        elif how == "NaN":
            save_file({name: value.fill_(torch.nan) for name, value in state.items()}, path)
        else:
            save_file({name: value[:1].clone() for name, value in state.items()}, path)
        content["weights"] = None
        (model / "model.json").write_text(json.dumps(content))


DATASETS = st.builds(Document, st.sampled_from(READ_DATASET), mutations())
MODELS = st.one_of(
    st.builds(Document, st.sampled_from(READ_MODEL), mutations()),
    st.builds(Document, st.sampled_from(READ_MODEL), mutations(), st.sampled_from(WEIGHTS)),
)
PARTS = [
    Part("evaluating, training, tune, robustness, report", "`dataset.json`", DATASETS, check_dataset, quick=12),
    Part("all that read a model", "`model.json` and weights", MODELS, check_model, quick=15),
]
