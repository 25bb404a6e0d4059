"""What a person runs: `python -m scripts.COMMAND`."""

import os
import signal
import sys


def _end_quietly(number: int, frame: object) -> None:
    os.write(2, b"interrupted\n" if number == signal.SIGINT else b"terminated\n")
    os._exit(128 + number)


# While Python looks for the command of `-m`, sys.argv[0] is "-m". Until the command runs, PyTorch and MONAI are
# imported for seconds: a signal then needs no clean-up, and shall leave no traceback either.
if sys.argv[0] == "-m":
    signal.signal(signal.SIGINT, _end_quietly)
    signal.signal(signal.SIGTERM, _end_quietly)
