"""Commands called in this process, as a person would start them."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CONFIGS = Path("bundle/configs")
FILES = {
    "training": ("train.json", "experiments/quick.json"),
    "finetuning": ("train.json", "experiments/finetune.json"),
    "evaluating": ("train.json", "evaluate.json"),
    "inferring": ("inference.json",),
}
TOYS = ("benchmark", "learning_curve", "reproduce")


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        words: the command line.
        code: the exit code; None if an exception left the command, which is a bug.
        out: what it printed.
        err: what it printed to stderr, warnings left out; the traceback of a bug.
    """

    words: tuple[str, ...]
    code: int | None
    out: str
    err: str

    def __str__(self) -> str:
        return f"`{' '.join(self.words)}` ended with {self.code}:\n{self.err or self.out[-500:]}"


def call(command: str, *words: object, **options: object) -> Ending:
    """Call `python -m scripts.COMMAND`, or `scripts.run` for a key of `FILES`.

    Args:
        command: its name.
        words: of the command line.
        options: further words: `a=1` is `--a 1`, `a=[1, 2]` is `--a 1 2`, `a=True` is `--a`, `a=None` is nothing.
    """
    module, given = words_of(command, words, options)
    main = importlib.import_module(module).main
    out, err = io.StringIO(), io.StringIO()
    with _unchanged(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code: int | None
        try:
            code = main(given)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except Exception:  # the campaign reports it with its command line
            code = None
            err.write(traceback.format_exc())
    if code in (130, 143):
        raise KeyboardInterrupt  # it was meant for the campaign
    lines = [line for line in err.getvalue().splitlines() if not line.startswith("warning: ")]
    return Ending((module, *given), code, out.getvalue(), "\n".join(lines))


def words_of(command: str, words: Sequence[object], options: Mapping[str, object]) -> tuple[str, list[str]]:
    """The module that `call` runs, and its command line."""
    given = [str(word) for word in words]
    for name, value in options.items():
        if value is not None:
            values = [] if value is True else value if isinstance(value, list) else [value]
            given += [f"--{name}", *map(str, values)]
    if command in FILES:
        files = [str(CONFIGS / file) for file in FILES[command]]
        run = "training" if command == "finetuning" else command
        command, given = "run", [run, "--config_file", str(files), *given]
    return f"tests.robustness.toys.{command}" if command in TOYS else f"scripts.{command}.__main__", given


@contextlib.contextmanager
def _unchanged() -> Iterator[None]:
    """Give back what a command changes in its process, because another one follows here."""
    argv, hook, term = sys.argv, sys.excepthook, signal.getsignal(signal.SIGTERM)
    logging.disable(logging.WARNING)  # MONAI lists the arguments of each run
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        sys.argv, sys.excepthook = argv, hook
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGTERM, term)
