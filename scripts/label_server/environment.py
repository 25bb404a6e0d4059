"""An environment for MONAI Label, whose requirements do not fit this project's."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from custom.errors import UserError
from custom.files import require_space

from ..command import python_of

APP = Path(__file__).with_name("app")
REQUIREMENTS = (APP / "requirements.txt", APP / "requirements-no-deps.txt")
NEEDED = 4 << 30
DONE = "label-requirements.sha256"


def prepare(folder: Path) -> Path:
    """Python of the environment `folder`, which is made if it is not there or of other requirements.

    Raises:
        UserError: this Python is too new, there is no room on the disk, or an installation failed.
    """
    python = python_of(folder)
    if is_ready(folder):
        return python
    check(folder)
    print(f"setting up MONAI Label in {folder}: 3 GB, some minutes, once ...", flush=True)
    remove(folder)
    install = [str(python), "-m", "pip", "install", "--quiet"]
    run([sys.executable, "-m", "venv", str(folder)], folder)
    run([*install, "-r", str(REQUIREMENTS[0])], folder)
    run([*install, "--no-deps", "-r", str(REQUIREMENTS[1])], folder)
    (folder / DONE).write_text(digest(), encoding="utf-8")
    return python


def remove(folder: Path) -> None:
    """Remove an older environment, renamed first: an incomplete one would look like a folder of the user."""
    for left in folder.absolute().parent.glob(f"{folder.name}.*.old"):
        shutil.rmtree(left)
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".old", dir=folder.absolute().parent))
        folder.replace(old / folder.name)
        shutil.rmtree(old)


def is_ready(folder: Path) -> bool:
    """Whether an installation of the present requirements ended well there."""
    done = folder / DONE
    return done.is_file() and done.read_text(encoding="utf-8") == digest()


def digest() -> str:
    """SHA-256 of the requirements."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in REQUIREMENTS)).hexdigest()


def check(folder: Path) -> None:
    """Raise `UserError` if the environment cannot be made."""
    if sys.version_info >= (3, 13):
        raise UserError(f"Python {sys.version.split()[0]}: MONAI Label 0.8.5 needs Python 3.11 or 3.12; start with it")
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise UserError(f"{parent}: no such folder; give --environment in one that exists")
    require_space(parent, NEEDED)
    if folder.exists() and not (folder / "pyvenv.cfg").is_file() and any(folder.iterdir()):
        raise UserError(f"{folder}: is there and no virtual environment; give another --environment")


def run(command: list[str], folder: Path) -> None:
    """Run one step of the installation; `UserError` with its last line if it fails."""
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise UserError(f"{folder}: setting up MONAI Label failed ({lines[-1].strip()}); fix this, then start again")
