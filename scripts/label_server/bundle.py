"""The MONAI Label app and the packaged bundle in it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from custom.archive import open_archive
from custom.checksums import CHECKSUMS, altered_files, parse_checksums
from custom.errors import UserError
from custom.files import new_folder, require_space, require_writable
from custom.networks.weights import read_state

from .environment import APP

DIST = Path("dist")
LARGEST = 4 * 2**30  # bytes of an unpacked bundle
LARGEST_LIST = 2**20  # bytes of its checksums
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")  # a folder, a part of an address, one of a list with commas


def install_app(app: Path) -> Path:
    """Copy the app's code into the folder `app`, over an older copy; its models stay. Returns the folder.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    if app.is_dir() and any(app.iterdir()) and not (app / "main.py").is_file():
        raise UserError(f"{app}: holds something else; give a new or empty folder with --app")
    for folder in (app, app / "model"):
        require_writable(folder).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(APP / "main.py", app / "main.py")
    shutil.copytree(APP / "lib", app / "lib", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return app


def install_bundle(bundle: str | None, app: Path) -> Path:
    """Put the bundle into the app's folder `model`, unless it is there already; returns its folder there.

    A bundle that is there keeps the weights that were trained with it.

    Raises:
        UserError: no such bundle, an altered file, another bundle of that name in the app.
    """
    source = find_bundle(bundle)
    if source.suffix == ".zip":
        name, checksums = read_zip(source)
    else:
        name, checksums = source.resolve().name, read_folder(source)
    if not NAME.fullmatch(name):
        raise UserError(f"{source}: holds a bundle called {name!r}; rename it, to letters, digits, - and _")
    target = app / "model" / name
    if target.is_dir():
        if (target / CHECKSUMS).read_bytes() != checksums:
            raise UserError(f"{target}: another bundle of that name is there; move it away, or give another --app")
        return target
    with new_folder(target) as temporary:
        copy_listed(source, name, parse_checksums(checksums.decode(errors="replace"), str(source)), temporary)
        (temporary / CHECKSUMS).write_bytes(checksums)
        altered = altered_files(temporary)
        if altered:
            raise UserError(f"{source}: {', '.join(altered)} not as packaged; package it again, or fetch it again")
    return target


def check_weights(bundle: Path) -> None:
    """Raise `UserError` if the weights of an installed bundle are not there or cannot be read."""
    try:
        read_state(bundle / "models" / "model.pt")
    except UserError as error:
        raise UserError(f"{error}; or move {bundle} away, to start again from the weights as packaged") from error


def find_bundle(bundle: str | None) -> Path:
    """Zip or folder that `--bundle` means; by default the only one in `dist`.

    Raises:
        UserError: there is none, or more than one to choose from.
    """
    made = sorted(folder.parent for folder in DIST.glob(f"*/{CHECKSUMS}"))
    names = ", ".join(folder.name for folder in made) or "none"
    if bundle is None:
        if len(made) != 1:
            raise UserError(f"--bundle is needed: {DIST} has {names}; make one by `python -m scripts.package_bundle`")
        return made[0]
    for path in (Path(bundle), DIST / bundle, DIST / f"{bundle}.zip"):
        if path.is_dir() or (path.is_file() and path.suffix == ".zip"):
            return path
    raise UserError(f"--bundle {bundle}: no such bundle; {DIST} has {names}; give one of these, a zip or a folder")


def read_folder(source: Path) -> bytes:
    """Checksums of a bundle folder; `UserError` if it is none."""
    if not (source / CHECKSUMS).is_file() or not (source / "configs" / "inference.json").is_file():
        raise UserError(f"{source}: not a packaged bundle; make one by `python -m scripts.package_bundle`")
    return (source / CHECKSUMS).read_bytes()


def read_zip(source: Path) -> tuple[str, bytes]:
    """Name and checksums of a zipped bundle; `UserError` if it is none."""
    with open_archive(source, LARGEST) as archive:
        names = archive.namelist()
        tops = {name.partition("/")[0] for name in names}
        listed = f"{min(tops, default='')}/{CHECKSUMS}"
        if len(tops) == 1 and listed in names and archive.getinfo(listed).file_size <= LARGEST_LIST:
            return min(tops), archive.read(listed)
    raise UserError(f"{source}: not a packaged bundle; make one by `python -m scripts.package_bundle`")


def copy_listed(source: Path, name: str, listed: Iterable[str], target: Path) -> None:
    """Copy the listed files, and no others, of a bundle folder, or of the folder `name` in a zip; missing ones are left
    out."""
    if source.suffix != ".zip":
        for file in listed:
            if (source / file).is_file():
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / file, target / file)
        return
    with open_archive(source, LARGEST) as archive:
        members = {f"{name}/{file}": target / file for file in listed}
        present = members.keys() & set(archive.namelist())
        require_space(target, sum(archive.getinfo(member).file_size for member in present))
        for member in present:
            members[member].parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as content, members[member].open("wb") as written:
                shutil.copyfileobj(content, written)
