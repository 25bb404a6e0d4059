"""Run experiments and folds one after another, and write the table of their scores.

    python -m scripts.reproduce --budget compact
    python -m scripts.reproduce --budget quick --only paper_em notebook --folds 5
    python -m scripts.reproduce --budget quick --only best_em best_upsample --seeds 3

Finished runs are skipped and interrupted ones continued, so that the same command can be repeated at any time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from custom.data.datalist import FILE_NAME, read_dataset
from custom.errors import UserError
from custom.files import require_writable

from .. import command
from ..prepare_data.isbi2012 import FOLDS
from .experiments import TRAIN, Experiment, budgets, merged, read_experiments
from .figures import draw_example
from .folds import DEFAULT_FOLD, write_fold
from .record import make_record
from .run import DATA, RUNS, Run
from .table import RECORDS, read_records, write_results

MOST_SEEDS = 10
PREPARE = {"isbi2012": "isbi2012", "u373": "phc-u373", "hela": "dic-hela"}  # folder: data set of `prepare_data`


def plan(
    experiments: Sequence[Experiment], budget: Path, folds: int, data: Path, runs: Path, seeds: int = 1
) -> list[Run]:
    """The runs: for EM the last of five blocks of sections, or all five; for cells the prepared split in time.

    Further `seeds` repeat the training of the default split.

    Raises:
        UserError: a data set is missing; the message says how to prepare it.
    """
    for name in sorted({experiment.data for experiment in experiments}):
        if not (data / name / FILE_NAME).is_file():
            line = f"python -m scripts.prepare_data {PREPARE[name]} --output {data / name}"
            raise UserError(f"{data / name} is not a prepared data set; make it with `{line}`")
        read_dataset(data / name, check=False)
    first = merged((TRAIN,))["seed"]
    repetitions = [None, *range(first + 1, first + seeds)]
    planned = []
    for experiment in experiments:
        in_folds = experiment.data == "isbi2012"
        default = DEFAULT_FOLD if in_folds else None
        planned += [Run.within(experiment, budget, default, data, runs, seed) for seed in repetitions]
        if in_folds:
            others = range(DEFAULT_FOLD - 1, DEFAULT_FOLD - folds, -1)
            planned += [Run.within(experiment, budget, fold, data, runs) for fold in others]
    for run in planned:
        if run.fold is not None:
            write_fold(data / run.experiment.data, run.dataset_dir, FOLDS, run.fold)
    return planned


def reproduce(runs: Sequence[Run], output: Path) -> list[str]:
    """Execute runs and keep the table in `output` up to date; returns the folder of each failed run, and the reason.

    Raises:
        UserError: a run was started with other options, the table cannot be read or written (all checked before the
            first run), or another process executes a run.
    """
    require_writable(output)
    read_records(output / RECORDS)
    for run in runs:
        run.read()
    failed = []
    for run in runs:
        run_state = run.execute()
        record = make_record(run, run_state)
        if run_state["failed"] is not None:
            failed.append(f"{run.folder}: {run_state['failed']}")
            print(f"failed: {run_state['failed']}", flush=True)
        elif run.is_default:
            example = Path("results") / f"{run.budget.stem}-{run.experiment.name}.jpg"
            draw_example(run, record["threshold"], output / example)
            record["example"] = example.as_posix()
        write_results(output, [record])
    return failed


def choose(only: Sequence[str] | None) -> list[Experiment]:
    """The experiments of these names, or all; UserError for an unknown name."""
    experiments = read_experiments()
    names = [experiment.name for experiment in experiments]
    unknown = sorted(set(only or []) - set(names))
    if unknown:
        raise UserError(f"--only: no experiment {', '.join(unknown)}; there are {', '.join(names)}")
    return [experiment for experiment in experiments if not only or experiment.name in only]


@command.entry_point("the same command continues")
def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 if all runs are done, 1 if one failed."""
    parser = command.make_parser("scripts.reproduce", __doc__)
    parser.add_argument("--budget", choices=budgets(), required=True, help="length of the trainings")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="experiments (default: all)")
    parser.add_argument("--folds", type=int, choices=range(1, FOLDS + 1), default=1, help="how many of the 5 EM folds")
    parser.add_argument(
        "--seeds", type=int, choices=range(1, MOST_SEEDS + 1), default=1, help="trainings of the default split"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the prepared data sets")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder for trainings and run states")
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the table")
    given = parser.parse_args(argv)
    runs = plan(choose(given.only), budgets()[given.budget], given.folds, given.data, given.runs, given.seeds)
    failed = reproduce(runs, given.output)
    print(f"table: {given.output / 'results.md'}")
    command.require_success(failed, len(runs), "runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
