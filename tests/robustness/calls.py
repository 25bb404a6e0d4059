"""A valid call of every command that writes, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import material
from .warm import Ending, call

TINY: dict[str, object] = {
    "network_def#depth": 1,
    "network_def#features": 2,
    "input_size": 44,
    "max_epochs": 2,
    "steps_per_epoch": 2,
    "batch_size": 1,
    "val_interval": 1,
    "bfloat16": "false",
}


@dataclass(frozen=True)
class Call:
    """A command line but for its output.

    Attributes:
        command: of `warm.call`.
        output: option of the output; "" for the second word of `segment_volume`.
        words: before all options.
        options: makes the inputs and gives the options.
        leaves: pattern, below the output, of what must be there at the end; "" for the output itself.
        suffix: of the output, where it is a file.
        inside: options of further folders, which are made inside the output.
    """

    command: str
    output: str
    words: tuple[str, ...] = ()
    options: Callable[[], Mapping[str, object]] = field(default=dict)
    leaves: str = ""
    suffix: str = ""
    inside: tuple[str, ...] = ()

    def line(self, output: Path, **changes: object) -> tuple[list[object], dict[str, object]]:
        """Words and options; `changes` replace options, also that of the output."""
        outputs = {self.output: output} if self.output else {}
        inside = {name: output / name for name in self.inside}
        options: dict[str, object] = {**self.options(), **outputs, **inside, **changes}
        words: list[object] = [*self.words]
        if not self.output:
            words += [material.volume(), output]
        return words, options

    def run(self, output: Path, **changes: object) -> Ending:
        """Call the command in this process."""
        words, options = self.line(output, **changes)
        return call(self.command, *words, **options)

    def require_result(self, output: Path) -> None:
        """What the call leaves is there."""
        found = list(output.glob(self.leaves)) if self.leaves else [output]
        assert found, f"{output}: no {self.leaves}"
        assert all(path.exists() for path in found), f"{output}: missing"


def _options(**given: Any) -> Callable[[], dict[str, object]]:
    """Options whose callable values are called when they are needed."""
    return lambda: {name: value() if callable(value) else value for name, value in given.items()}


MODEL, DATASET = material.tiny_model, material.dataset
CALLS = {
    "inferring": Call(
        "inferring", "output_dir", (), _options(model=MODEL, dataset_dir=material.volume, bfloat16="false"), "masks/*"
    ),
    "training": Call("training", "output_dir", (), _options(dataset_dir=DATASET, **TINY), "model.json"),
    "finetuning": Call(
        "finetuning",
        "output_dir",
        (),
        _options(dataset_dir=DATASET, init_model=MODEL, **{k: v for k, v in TINY.items() if "def" not in k}),
        "model.json",
    ),
    "evaluating": Call(
        "evaluating",
        "output_dir",
        (),
        _options(model=MODEL, dataset_dir=DATASET, bfloat16="false"),
        "evaluation/validation/metrics.csv",
    ),
    "segment_volume": Call("segment_volume", "", (), _options(model=MODEL, bfloat16="false", block=32), "0"),
    "prepare_data folder": Call(
        "prepare_data",
        "output",
        ("folder", "--instances"),
        _options(images=lambda: DATASET() / "image", masks=lambda: DATASET() / "label"),
        "dataset.json",
    ),
    "prepare_data dic-hela": Call(
        "prepare_data", "output", ("dic-hela",), _options(source=material.ctc_folder), "dataset.json"
    ),
    "prepare_data isbi2012": Call(
        "prepare_data", "output", ("isbi2012",), _options(source=material.isbi_folder), "dataset.json"
    ),
    "score": Call(
        "score",
        "json",
        ("ctc",),
        _options(pred=lambda: DATASET() / "label", label=lambda: DATASET() / "label"),
        suffix=".json",
    ),
    "report": Call(
        "report",
        "output",
        (),
        _options(run=material.finished_run, dataset_dir=DATASET, segmentations=material.segmentations, split="test"),
        suffix=".html",
    ),
    "export torchscript": Call("export", "output", ("torchscript",), _options(model=MODEL), suffix=".ts"),
    "export torch-export": Call("export", "output", ("torch-export",), _options(model=MODEL), suffix=".pt2"),
    "export onnx": Call("export", "output", ("onnx",), _options(model=MODEL), suffix=".onnx"),
    "export bioimageio": Call("export", "output", ("bioimageio",), _options(model=MODEL), suffix=".zip"),
    "ship_model": Call("ship_model", "output", (), _options(model=MODEL, name="copy"), "copy/model.json"),
    "ensemble": Call(
        "ensemble", "output", (), _options(models=lambda: [MODEL(), MODEL()], name="two"), "two/model.json"
    ),
    "package_bundle": Call(
        "package_bundle", "output", (), _options(model=MODEL, name="unet_tiny"), "unet_tiny/SHA256SUMS"
    ),
    "tune": Call("tune", "output", (), _options(model=MODEL, dataset=DATASET), "tune.md"),
    "benchmark": Call("benchmark", "output", ("--quick", "--only", "weight_map", "volume"), leaves="benchmark.md"),
    "learning_curve": Call(
        "learning_curve", "output", ("--images", "1"), _options(dataset=DATASET), "learning_curve.md"
    ),
    "reproduce": Call(
        "reproduce",
        "output",
        ("--budget", "toy", "--only", "paper_em"),
        _options(data=material.experiments),
        "results.md",
        inside=("runs",),
    ),
    "robustness": Call("robustness", "output", (), _options(model=MODEL, dataset=DATASET), "robustness.md"),
}
