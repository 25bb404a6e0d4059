"""Make a self-contained bundle, folder and zip, of one model.

    python -m scripts.package_bundle --model em --name unet_em_segmentation
    python -m scripts.package_bundle --model runs/mine --name unet_mine --authors "A. Person, B. Lab"

The bundle does not need this repository: it contains the code it uses, as a package with its own name.
"""

from __future__ import annotations

import json
import keyword
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from custom.checksums import write_checksums
from custom.errors import UserError
from custom.files import new_folder, require_space, require_writable
from custom.handlers.checkpoint import save as save_state
from custom.model import Model, write_model

from .. import command
from ..model_options import add_authors_option, add_model_options, model_from
from .archive import write_zip
from .code import PACKAGE, copy_code, names_in
from .configs import packaged, read, training_config
from .metadata import model_card, packaged_metadata, terms

ROOT = Path(__file__).parents[2]
BUNDLE, CODE = ROOT / "bundle", ROOT / PACKAGE
COPIED = ("inference.json", "evaluate.json", "multi_gpu_train.json", "multi_gpu_evaluate.json")
# MONAI Label guesses another task from a model's name that contains one of these words.
OTHER_TASKS = ("detection", "classification", "deepedit", "deepgrow")


def package(model: Model, name: str, output_dir: Path, experiment: str | None = None) -> Path:
    """Make the folder `output_dir/name` and the file `output_dir/name.zip`; returns the folder.

    Args:
        model: with authors.
        name: of the bundle, a Python identifier.
        output_dir: created if it is missing.
        experiment: experiment whose training configuration is packaged, by name or file; None: that of the model.

    Raises:
        UserError: an argument cannot be used, something of that name exists, or the disk is full; nothing is left.
    """
    folder, archive = check_target(name, output_dir)
    if not model.authors:
        raise UserError(f"model {model.name} names no authors; say whose work it is with --authors")
    configs, network = BUNDLE / "configs", model.network()
    train = training_config(configs, model, experiment or str(model.training.get("experiment")))
    require_space(require_writable(output_dir), 8 * model.weights_path().stat().st_size)
    with new_folder(folder) as temporary:
        metadata = write_configs(temporary / "configs", train, name, model)
        (temporary / "docs").mkdir()
        card = model_card(metadata, model, network, train)
        (temporary / "docs" / "README.md").write_text(card, encoding="utf-8")
        (temporary / "docs" / "data_license.txt").write_text(terms(model), encoding="utf-8")
        shutil.copyfile(BUNDLE / "LICENSE", temporary / "LICENSE")
        texts = (file.read_text(encoding="utf-8") for file in configs.glob("*.json"))
        copy_code(CODE, names_in(json.dumps(train) + "".join(texts)), temporary / code_name(name))
        state = model.state()
        write_model(temporary / "models", model, state)
        save_state(state, temporary / "models" / "model.pt")
        export_torchscript(temporary)
        write_checksums(temporary)
        write_zip(temporary, name, archive)
    return folder


def code_name(name: str) -> str:
    """Name of a bundle's own package."""
    return f"{name}_code"


def check_target(name: str, output_dir: Path) -> tuple[Path, Path]:
    """Paths of the folder and the zip; `UserError` if the name is invalid or taken."""
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise UserError(f"--name {name}: not a Python identifier; use letters, digits and underscores")
    if name in sys.stdlib_module_names or name == PACKAGE:
        raise UserError(f"--name {name}: a module of that name exists already; choose another")
    for word in OTHER_TASKS:
        if word in name.lower():
            raise UserError(f"--name {name}: MONAI Label would take it for {word}; leave that word out")
    folder, archive = output_dir / name, output_dir / f"{name}.zip"
    for path in (folder, archive):
        if path.exists():
            raise UserError(f"{path}: exists already; remove it or choose another --name")
    return folder, archive


def write_configs(folder: Path, train: dict[str, Any], name: str, model: Model) -> dict[str, Any]:
    """All configs of the bundle, into a new folder; returns its metadata."""
    source, code = BUNDLE / "configs", code_name(name)
    metadata = packaged_metadata(read(source / "metadata.json"), name, model)
    configs = {
        "train.json": packaged(train, code),
        **{file: packaged(read(source / file), code) for file in COPIED},
        "metadata.json": metadata,
    }
    folder.mkdir()
    for file, config in configs.items():
        (folder / file).write_text(json.dumps(config, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.copyfile(source / "logging.conf", folder / "logging.conf")
    return metadata


def export_torchscript(bundle: Path) -> None:
    """Write `models/model.ts`, in a process with only the bundle on its path, to check that its code is complete."""
    root = str(bundle.resolve())
    script = f"""
import sys
sys.path.insert(0, {root!r})
from monai.bundle import ckpt_export
ckpt_export(net_id="network_def", filepath="models/model.ts", ckpt_file="models/model.pt",
            meta_file="configs/metadata.json", config_file="configs/inference.json")
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], cwd=root, capture_output=True, text=True, check=False)
    for cache in bundle.rglob("__pycache__"):
        shutil.rmtree(cache)
    if done.returncode != 0:
        raise RuntimeError(f"the packaged code does not export its network:\n{done.stderr}")


@command.entry_point("nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Make the bundle that the command line describes."""
    parser = command.make_parser("scripts.package_bundle", __doc__)
    add_model_options(parser)
    parser.add_argument("--name", required=True, help="of the bundle, such as unet_em_segmentation")
    add_authors_option(parser)
    parser.add_argument("--experiment", help="experiment to package, name or file (default: the model's own)")
    parser.add_argument("--output", type=Path, default=Path("dist"), help="folder for the bundle and its zip")
    arguments = parser.parse_args(argv)
    model = model_from(arguments)
    folder = package(model, arguments.name, arguments.output, arguments.experiment)
    print(f"{folder}: the bundle\n{folder}.zip: the same, to share")
    return 0


if __name__ == "__main__":
    sys.exit(main())
