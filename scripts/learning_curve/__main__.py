"""How many annotated images do I need? Train on 1, 2, 4, ... of them, and score on the same validation images.

    python -m scripts.learning_curve --dataset data/mine --init_model em none --output runs/learning_curve_mine

`--init_model` lists what trainings start from, a curve each: models, or `none` for random weights. A model is
fine-tuned, random weights are trained as the experiment `quick`; all for the same number of steps. The score is SEG
where the data set labels cells, else 1 - pixel error. OUTPUT gets learning_curve.json, .md and .png beside the
trainings; what is done is skipped when the same line is given again.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from custom.checksums import sha256_of
from custom.data import read_dataset
from custom.data.datalist import Datalist
from custom.errors import UserError
from custom.files import require_writable
from custom.model import MODEL_FILE, read_model

from .. import command
from ..reproduce.experiments import CONFIGS, Experiment
from ..reproduce.record import read_scores
from ..reproduce.run import Run, write_json
from .report import Point, write_report
from .subsets import check_numbers, doubling, write_subset

EPOCH = 50  # steps
SCRATCH = "random weights"


def make_parser() -> command.Parser:
    """The command line."""
    parser = command.make_parser("scripts.learning_curve", __doc__)
    parser.add_argument(*command.DATASET, type=Path, required=True, metavar="FOLDER", help="folder with dataset.json")
    parser.add_argument("--images", type=int, nargs="+", metavar="N", help="numbers of images (default: 1, 2, 4, ...)")
    parser.add_argument("--init_model", nargs="+", default=["none"], metavar="MODEL", help="models to start from; none")
    parser.add_argument("--steps", type=int, default=500, help=f"of each training, a multiple of {EPOCH} or fewer")
    parser.add_argument("--repeats", type=int, default=1, help="choices of the images, to see how much they matter")
    parser.add_argument("--output", type=Path, default=Path("runs/learning_curve"), help="folder of all results")
    return parser


def plan(data: Datalist, given: argparse.Namespace) -> list[tuple[Point, Run]]:
    """The trainings, smallest first, with their points, whose scores are still to come.

    Raises:
        UserError: no such model, a model that is named twice, numbers that are out of range, no validation images.
    """
    if not data.validation:
        raise UserError(f"{given.dataset}: has no validation images; there is nothing to score on")
    for name, value in (("steps", given.steps), ("repeats", given.repeats)):
        if value < 1:
            raise UserError(f"--{name} {value}: give at least 1")
    if given.steps > EPOCH and given.steps % EPOCH:
        raise UserError(f"--steps {given.steps}: give a multiple of {EPOCH}, the steps of an epoch, or fewer")
    numbers = check_numbers(given.images or doubling(len(data.training)), len(data.training))
    overlays = {name: write_overlay(given.output, name, given.steps) for name in dict.fromkeys(given.init_model)}
    if len(set(overlays.values())) < len(overlays):
        raise UserError(f"--init_model {' '.join(given.init_model)}: names a model twice; give each once")
    planned = []
    for seed in range(given.repeats):
        for number in numbers:
            subset = write_subset(given.dataset, given.output / "data" / f"{number}-{seed}", number, seed)
            for name, overlay in overlays.items():
                recipe = CONFIGS / "experiments" / ("quick.json" if name == "none" else "finetune.json")
                experiment = Experiment(overlay.stem, (recipe,), "", data.folder.name, {})
                folder = given.output / f"{overlay.stem}-{number}-{seed}"
                point = Point(SCRATCH if name == "none" else name, number, seed, float("nan"))
                planned.append((point, Run(experiment, overlay, None, subset, folder)))
    return planned


def write_overlay(output: Path, model: str, steps: int) -> Path:
    """The overlay that says how long is trained, and from what.

    Raises:
        UserError: there is no such model.
    """
    length: dict[str, int | str | None] = {
        "steps_per_epoch": min(EPOCH, steps),
        "max_epochs": -(-steps // EPOCH),
        "time_limit": None,
        "val_interval": 2,
    }
    if model == "none":
        path, content = output / "scratch.json", {**length, "batch_size": 1}  # as where it starts from a model
    else:
        initial = read_model(model)
        assert initial.folder is not None
        # Trainings from a model that is trained or tuned again are other trainings, which are not skipped.
        version = sha256_of(initial.folder / MODEL_FILE)[:8]
        name = re.sub(r"\W", "_", initial.name)
        path, content = output / f"from_{name}_{version}.json", {**length, "init_model": model}
    write_json(path, content)
    return path


@command.entry_point("run the same command again to continue")
def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when the report was written, 1 if a training failed, 2 for bad input."""
    given = make_parser().parse_args(argv)
    data = read_dataset(given.dataset)
    require_writable(given.output)
    measure = "SEG" if data.label_format.kind == "instances" else "1 - pixel error"
    points: list[Point] = []
    failed, planned = [], plan(data, given)
    for point, run in planned:
        state = run.execute()
        if state["failed"] is not None:
            failed.append(f"{run.folder}: {state['failed']}")
            print(f"failed: {state['failed']}", flush=True)
            continue
        scores = read_scores(run.folder / "evaluation" / "validation" / "metrics.csv")
        score = scores["seg"] if measure == "SEG" else 1 - scores["pixel_error"]
        points.append(Point(point.start, point.images, point.seed, score))
        print(f"{point.start}, {point.images} images: {measure} {score:.4f}", flush=True)
        write_report(points, measure, given.steps, given.output)
    if points:
        print((given.output / "learning_curve.md").read_text(encoding="utf-8"))
    command.require_success(failed, len(planned), "trainings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
