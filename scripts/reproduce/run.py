"""One run: an experiment at a budget on a fold, trained and scored by command lines, with a record of its steps."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from custom.errors import UserError
from custom.files import replace_file
from custom.json_file import read_json
from custom.lock import lock

from .experiments import CONFIGS, TRAIN, Experiment, fingerprint, merged
from .folds import DEFAULT_FOLD
from .hardware import hardware

LOCK = "reproduce.lock"
DATA = Path("data")  # with the prepared data sets, by default
RUNS = Path("runs/reproduce")


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    with replace_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def shell_line(line: list[str]) -> str:
    """A command line of `python`, quoted for the shell: double quotes around words with single quotes alone."""
    return " ".join(
        ["python", *(f'"{word}"' if "'" in word and '"' not in word else shlex.quote(word) for word in line)]
    )


@dataclass(frozen=True)
class Run:
    """An experiment at a budget (an overlay) on one fold; its files are in `folder`.

    Without `seed` it has that of the config.
    """

    experiment: Experiment
    budget: Path
    fold: int | None
    dataset_dir: Path
    folder: Path
    seed: int | None = None

    @classmethod
    def within(
        cls,
        experiment: Experiment,
        budget: Path,
        fold: int | None,
        data: Path = DATA,
        runs: Path = RUNS,
        seed: int | None = None,
    ) -> Run:
        """The run in its place among the data sets (cells, `fold` is None) or folds (EM), and among the other runs."""
        split = "split" if fold is None else f"fold{fold}"
        dataset_dir = data / experiment.data if fold is None else runs / "folds" / f"{experiment.data}-{fold}"
        folder = runs / budget.stem / experiment.name / (split if seed is None else f"{split}-seed{seed}")
        return cls(experiment, budget, fold, dataset_dir, folder, seed)

    @property
    def is_default(self) -> bool:
        """Whether it is on the default split, with the config's seed."""
        return self.fold in (None, DEFAULT_FOLD) and self.seed is None

    @property
    def run_state(self) -> Path:
        """File with the finished steps of the run."""
        return self.folder / "run_state.json"

    @property
    def configs(self) -> tuple[Path, ...]:
        """Config files of the training, in the order in which they are merged."""
        return (TRAIN, *self.experiment.overlays, self.budget)

    @property
    def tuning(self) -> Path:
        """Folder for the outcome of the tuning."""
        return self.folder / "tuning"

    def commands(self) -> dict[str, list[str]]:
        """Arguments of `python` by step; what is chosen or compared by SEG is tuned before it is scored."""
        trained: dict[str, Any] = {"dataset_dir": self.dataset_dir, "output_dir": self.folder, "resume": "true"}
        if self.seed is not None:
            trained["seed"] = self.seed
        scored = {"dataset_dir": self.dataset_dir, "model": self.folder, "split": "validation"}
        steps = {"training": _bundle_run("training", self.configs, trained)}
        settings = merged(self.configs)
        if settings["best_by"] == "seg" or "seg" in self.experiment.published:
            tuned = ["--model", self.folder, "--dataset", self.dataset_dir, "--output", self.tuning, "--save"]
            tuned += ["--methods", "components"] if settings["method"] == "components" else []
            steps["tuning"] = ["-m", "scripts.tune", *map(str, tuned)]
        steps["evaluating"] = _bundle_run(
            "evaluating", (TRAIN, CONFIGS / "evaluate.json"), {**scored, "save_probability": "true"}
        )
        return steps

    def read(self) -> dict[str, Any]:
        """The run_state, or a new one.

        A step that was added since the run was recorded is still to be done, and so are those after it, which use what
        it writes.

        Raises:
            UserError: the folder was started with other commands, configs or images.
        """
        commands = {step: shell_line(line) for step, line in self.commands().items()}
        content = fingerprint(self.configs, self.dataset_dir)
        if not self.run_state.is_file():
            return {"commands": commands, "content": content, "done": [], "hardware": [], "failed": None}
        run_state: dict[str, Any] = read_json(self.run_state)
        if not isinstance(run_state, dict) or not run_state.keys() >= {"commands", "done", "hardware", "failed"}:
            raise UserError(f"{self.run_state}: is not the state of a run; delete {self.folder} to start again")
        if any(commands.get(step) != line for step, line in run_state["commands"].items()):
            raise UserError(f"{self.folder} was started with other options; delete it to start again")
        if run_state.get("content") != content:
            raise UserError(
                f"{self.folder}: a config ({', '.join(file.name for file in self.configs)}) or the list of images "
                "changed since it was started; delete it to start again, or undo the change"
            )
        run_state["commands"] = commands
        run_state["done"] = list(takewhile(run_state["done"].__contains__, commands))
        return run_state

    def execute(self) -> dict[str, Any]:
        """Do the unfinished steps; returns the state with the finished steps, and why a step failed.

        Raises:
            UserError: another process executes this run, or it was started with other options (see :meth:`read`).
        """
        # A training locks its folder itself, because it may go on after this process was killed.
        with lock(self.folder, LOCK):
            run_state = self.read()
            for step, line in self.commands().items():
                if step in run_state["done"]:
                    continue
                run_state["failed"] = None
                run_state["hardware"] = sorted({*run_state["hardware"], hardware()})
                write_json(self.run_state, run_state)
                run_state["failed"] = self._step(step, line)
                if run_state["failed"] is None:
                    run_state["done"].append(step)
                write_json(self.run_state, run_state)
                if run_state["failed"] is not None:
                    break
        return run_state

    def _step(self, step: str, line: list[str]) -> str | None:
        """Run one command line, with output to `STEP.log`; returns None or the error line."""
        log = self.folder / f"{step}.log"
        print(shell_line(line), f"  # output: {log}", sep="\n", flush=True)
        with log.open("a", encoding="utf-8") as output:
            done = subprocess.run([sys.executable, *line], stdout=output, stderr=subprocess.STDOUT, check=False)
        return None if done.returncode == 0 else _complaint(log, done.returncode)


def _bundle_run(run_id: str, files: tuple[Path, ...], options: dict[str, Any]) -> list[str]:
    config = "[" + ",".join(repr(str(file)) for file in files) + "]"  # a path may hold a quote
    line = ["-m", "monai.bundle", "run", run_id, "--config_file", config]
    for name, value in options.items():
        line += [f"--{name}", str(value)]
    return line


def _complaint(log: Path, code: int) -> str:
    """The error line of a log, or its last line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or lines or [f"exit code {code}"])[-1][:300]
