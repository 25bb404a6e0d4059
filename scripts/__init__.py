"""The commands: `python -m scripts.COMMAND`."""

import importlib.util
import os
import signal
import sys
from pathlib import Path


def _end_quietly(number: int, frame: object) -> None:
    os.write(2, b"interrupted\n" if number == signal.SIGINT else b"terminated\n")
    os._exit(128 + number)


def _require_own_code() -> None:
    """End with one line if `import custom` would find another package of that name."""
    own = Path(__file__).parents[1] / "custom" / "__init__.py"
    found = importlib.util.find_spec("custom")
    if found is None or found.origin is None or not own.samefile(found.origin):
        where = found and (found.origin or next(iter(found.submodule_search_locations or ())))
        print(f"error: {where}: hides this project's package custom; run the command elsewhere", file=sys.stderr)
        sys.exit(2)


# While Python looks for the command of `-m`, sys.argv[0] is "-m". Importing PyTorch and MONAI takes seconds, during
# which an interruption needs no clean-up and should not print a traceback.
if sys.argv[0] == "-m":
    signal.signal(signal.SIGINT, _end_quietly)
    signal.signal(signal.SIGTERM, _end_quietly)
    _require_own_code()
