"""Run a workflow as `python -m monai.bundle run` does, with each error of the user in one line.

    python -m scripts.run training --config_file bundle/configs/train.json --max_epochs 5

Takes the same arguments. MONAI reads configuration files and overrides before any code of a bundle runs, so that a
missing or invalid file, or an override of an unknown id, would end in a traceback; this command checks them before.
MONAI's warnings about untrusted configurations, and its lists of arguments, are only shown for configurations from
elsewhere.
"""

from __future__ import annotations

import logging
import runpy
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import monai.bundle

from custom.exits import GO_ON
from custom.settings import check

from .. import command
from .merge import config_files, merged

SHIPPED = Path(__file__).parents[2] / "bundle" / "configs"


@command.entry_point(GO_ON)
def main(argv: Sequence[str] | None = None) -> int:
    """Run the workflow that the command line names."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or {"-h", "--help"} & set(words):
        print(__doc__)
        return 0
    sys.argv = [str(Path(monai.bundle.__file__).with_name("__main__.py")), "run", *words]
    check(merged(words))
    if all(file.resolve().is_relative_to(SHIPPED) for file in config_files(words)):
        _leave_out_notes()
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
    return 0


def _leave_out_notes() -> None:
    """Suppress MONAI's warnings that configurations may be malicious, or in several folders, and what it notes of a
    call."""
    warnings.filterwarnings("ignore", message=".*GHSA-873f-pvrv-4x83", category=UserWarning)
    logger = logging.getLogger("monai.bundle.workflows")
    logger.addFilter(lambda record: not record.getMessage().startswith("Not all config files are in"))
    for name in (logger.name, "monai.bundle.scripts"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
