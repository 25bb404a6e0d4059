"""All that needs a GPU, one after the other and unattended: tests, comparison with the CPU, nccl, benchmark, trainings.

    python -m scripts.gpu_session --output runs/gpu --minutes 40
    python -m scripts.gpu_session --output runs/gpu --toy

The same command continues: finished steps are skipped, a training that was interrupted goes on. Each step has a log
and a limit of its own; what is unfinished when the minutes are over is ended. With --toy all steps but the long
trainings run in small sizes, on a CPU too, so that none fails on a rented machine for the first time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from custom.files import replace_file, require_writable
from custom.lock import lock

from .. import command

TRAIN = "bundle/configs/train.json"
QUICK = "bundle/configs/experiments/quick.json"
MULTI = "bundle/configs/multi_gpu_train.json"
EXPERIMENTS = ["best_em", "best_hela", "best_u373", "paper_em"]
TESTS = ["tests/transforms/test_sampling.py", "tests/inferers/test_precision.py", "tests/inferers/test_footprint.py"]
STATE = "steps.json"
PATIENCE = 10  # seconds for a step to end when asked to


@dataclass(frozen=True)
class Step:
    """A command, and for how many minutes it may run."""

    name: str
    line: list[str]
    minutes: float


def steps(output: Path, data: Path, toy: bool) -> list[Step]:
    """All steps, those that say most in the shortest time first."""
    training = ["--config_file", f"['{TRAIN}','{QUICK}','{MULTI}']", "--output_dir", str(output / "one_process")]
    short = ["--max_epochs", "1", "--overwrite", "true"]
    parts = ["volume", "--quick"] if toy else ["inference", "volume", "training"]
    small = ["--features", "4", "--steps_per_epoch", "2"] if toy else []
    launch = ["torch.distributed.run", "--standalone", "--nproc_per_node", "1", "-m", "monai.bundle", "run", "training"]
    found = [
        Step("tests", ["pytest", "-q", "-rs", *TESTS], 10),
        Step("equality", ["scripts.gpu_session.equality", str(output / "equality.json")], 5),
        Step("one_process", [*launch, *training, *short, *small], 5),
        Step("benchmark", ["scripts.benchmark", "--output", str(output / "benchmark"), "--only", *parts], 15),
    ]
    places = ["--data", str(data), "--runs", str(output / "runs"), "--output", str(output / "results")]
    trainings = ["scripts.reproduce", "--budget", "full", "--folds", "5", "--only", *EXPERIMENTS, *places]
    return found if toy else [*found, Step("trainings", trainings, 24 * 60)]


def run_step(step: Step, log: Path, seconds: float) -> str:
    """Run a step; "done", "failed with ..." or "unfinished"."""
    with log.open("ab") as file:
        process = subprocess.Popen([sys.executable, "-m", *step.line], stdout=file, stderr=subprocess.STDOUT)
        try:
            code = process.wait(max(seconds, 1))
        except subprocess.TimeoutExpired:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            command.end_processes(family, PATIENCE)
            process.wait()
            return "unfinished"
    return "done" if code == 0 else f"failed with exit code {code}"


def run_all(todo: Sequence[Step], output: Path, minutes: float) -> dict[str, str]:
    """Run the steps that are not done yet, until the minutes are over; what became of each is in `steps.json`."""
    end, path = time.monotonic() + 60 * minutes, output / STATE
    state: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    keys = {step.name: " ".join([step.name, *step.line]) for step in todo}
    for step in todo:
        left = end - time.monotonic()
        if state.get(keys[step.name]) == "done" or left <= 0:
            continue
        print(f"{step.name} ...", file=sys.stderr, flush=True)
        state[keys[step.name]] = run_step(step, output / f"{step.name}.log", min(left, 60 * step.minutes))
        with replace_file(path) as temporary:
            temporary.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    return {step.name: state.get(keys[step.name], "not begun") for step in todo}


@command.entry_point("the same command continues")
def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 if all steps are done, else 1."""
    parser = command.make_parser("scripts.gpu_session", __doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="logs, figures, trainings")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with the prepared data sets")
    parser.add_argument("--minutes", type=float, default=40.0, help="after which the session ends")
    parser.add_argument("--toy", action="store_true", help="small sizes, without the long trainings")
    options = parser.parse_args(argv)
    require_writable(options.output)
    with lock(options.output):
        found = run_all(steps(options.output, options.data, options.toy), options.output, options.minutes)
    for name, result in found.items():
        print(f"{name}: {result} ({options.output / name}.log)")
    return 0 if set(found.values()) == {"done"} else command.SOME_FAILED


if __name__ == "__main__":
    sys.exit(main())
