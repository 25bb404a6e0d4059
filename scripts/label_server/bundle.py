"""The MONAI Label app and the packaged bundle in it."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from custom.errors import UserError
from custom.files import new_folder, require_writable
from custom.networks.weights import read_state

from ..package_bundle.archive import CHECKSUMS, altered_files
from .environment import APP

DIST = Path("dist")


def install_app(app: Path) -> Path:
    """Copy the app's code into the folder `app`, over an older copy; its models stay. Returns the folder.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    if app.is_dir() and any(app.iterdir()) and not (app / "main.py").is_file():
        raise UserError(f"{app}: holds something else; give a new or empty folder with --app")
    require_writable(app)
    shutil.copyfile(APP / "main.py", app / "main.py")
    shutil.copytree(APP / "lib", app / "lib", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    require_writable(app / "model")
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
    target = app / "model" / name
    if target.is_dir():
        if (target / CHECKSUMS).read_bytes() != checksums:
            raise UserError(f"{target}: another bundle of that name is there; move it away, or give another --app")
        return target
    with new_folder(target) as temporary:
        if source.suffix == ".zip":
            unpack(source, name, temporary)
        else:
            shutil.copytree(source, temporary, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        altered = altered_files(temporary)
        if altered:
            raise UserError(f"{source}: {', '.join(altered)} not as packaged; package it again, or fetch it again")
    return target


def check_weights(bundle: Path) -> None:
    """Raise `UserError` if the weights of an installed bundle are not there or cannot be read."""
    try:
        read_state(bundle / "models" / "model.pt")
    except UserError as error:
        raise UserError(f"{error}; or move {bundle} away, and begin anew with the weights as packaged") from error


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
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
            tops = {Path(name).parts[0] for name in names}
            if len(tops) == 1 and not any(".." in Path(name).parts or name.startswith("/") for name in names):
                top = tops.pop()
                return top, archive.read(f"{top}/{CHECKSUMS}")
    except (zipfile.BadZipFile, KeyError, OSError, IndexError) as error:
        raise UserError(f"{source}: not a packaged bundle ({error}); package it again, or fetch it again") from error
    raise UserError(f"{source}: not a packaged bundle; make one by `python -m scripts.package_bundle`")


def unpack(source: Path, name: str, target: Path) -> None:
    """Files of a zipped bundle, without the folder `name` that they are in, into `target`."""
    with zipfile.ZipFile(source) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                file = target / Path(entry.filename).relative_to(name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.read(entry))
