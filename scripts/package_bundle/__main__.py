"""Make a self-contained bundle, folder and zip, of one experiment and its weights.

    python -m scripts.package_bundle --experiment compact --weights runs/compact/model.pt --name unet_em_segmentation
    python -m scripts.package_bundle --experiment best_hela --features 16 --weights hela/model.pt --name unet_hela

The bundle needs nothing of this repository: it carries the code it uses under a package name of its own.
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

import torch
from monai.bundle import ConfigParser
from torch import nn

from custom.errors import UserError
from custom.files import new_folder, require_writable, write_checksums
from custom.networks import load_weights

from .. import command
from ..network_options import check_name, network_arguments
from .archive import write_zip
from .code import PACKAGE, copy_code, names_in
from .configs import find_experiment, merge, packaged_inference, packaged_overlay, packaged_train, read
from .metadata import model_card, packaged_metadata

ROOT = Path(__file__).parents[2]
BUNDLE, CODE = ROOT / "bundle", ROOT / PACKAGE
OVERLAYS = ("evaluate.json", "multi_gpu_train.json", "multi_gpu_evaluate.json")
# MONAI Label takes a model whose name has one of these words for one of another task.
OTHER_TASKS = ("detection", "classification", "deepedit", "deepgrow")


def package(
    experiment: str,
    weights: Path,
    name: str,
    output_dir: Path,
    network_arguments: Sequence[tuple[str, Any]] = (),
) -> Path:
    """Make the folder `output_dir/name` and the file `output_dir/name.zip`; returns the folder.

    Args:
        experiment: an overlay of `bundle/configs/experiments` by name, or the path of one.
        weights: a flat state dict, or a training checkpoint; half precision stays.
        name: of the bundle, a Python identifier.
        output_dir: made if it is missing.
        network_arguments: names and values in the experiment's `network_def` that the weights were trained with.

    Raises:
        UserError: an argument cannot be used, something of that name exists, or the disk is full; nothing is left.
    """
    folder, archive = check_target(name, output_dir)
    configs = BUNDLE / "configs"
    overlay = find_experiment(configs, experiment)
    train = merge(configs / "train.json", overlay)
    for argument, value in network_arguments:
        check_name(argument, train["network_def"])
        train["network_def"][argument] = value
    network = build_network(train)
    load_weights(network, weights)
    require_space(output_dir, 8 * weights.stat().st_size)
    with new_folder(folder) as temporary:
        write_configs(temporary / "configs", train, name, network)
        metadata = read(temporary / "configs" / "metadata.json")
        (temporary / "docs").mkdir()
        (temporary / "docs" / "README.md").write_text(model_card(metadata, train["name"], network), encoding="utf-8")
        shutil.copyfile(BUNDLE / "docs" / "data_license.txt", temporary / "docs" / "data_license.txt")
        shutil.copyfile(BUNDLE / "LICENSE", temporary / "LICENSE")
        texts = (file.read_text(encoding="utf-8") for file in configs.glob("*.json"))
        copy_code(CODE, names_in(json.dumps(train) + "".join(texts)), temporary / code_name(name))
        write_weights(weights, temporary / "models")
        export_torchscript(temporary)
        write_checksums(temporary)
        write_zip(temporary, name, archive)
    return folder


def code_name(name: str) -> str:
    """Name of a bundle's own package."""
    return f"{name}_code"


def check_target(name: str, output_dir: Path) -> tuple[Path, Path]:
    """Folder and zip to make; `UserError` if the name cannot be one or is taken."""
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


def build_network(train: dict[str, Any]) -> nn.Module:
    """The network of a merged config; `UserError` if the config does not make one."""
    parser = ConfigParser({"imports": train["imports"], "network_def": train["network_def"]})
    try:
        return parser.get_parsed_content("network_def")
    except (RuntimeError, TypeError, ValueError, ModuleNotFoundError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, UserError) else error
        raise UserError(f"--experiment: its network_def cannot be built ({cause}); mend the overlay") from error


def require_space(folder: Path, needed: int) -> None:
    """Raise `UserError` if the folder cannot be written to or its disk has less than `needed` bytes free."""
    free = shutil.disk_usage(require_writable(folder)).free
    if free < needed:
        raise UserError(f"{folder}: {free >> 20} MB free, {(needed >> 20) + 1} MB are needed; free some space")


def write_configs(folder: Path, train: dict[str, Any], name: str, network: nn.Module) -> None:
    """All configs of the bundle, into a new folder."""
    source, code = BUNDLE / "configs", code_name(name)
    configs = {
        "train.json": packaged_train(train, code),
        "inference.json": packaged_inference(read(source / "inference.json"), train, code),
        "metadata.json": packaged_metadata(read(source / "metadata.json"), name, train["name"], network),
        **{file: packaged_overlay(read(source / file), code) for file in OVERLAYS if (source / file).is_file()},
    }
    folder.mkdir()
    for file, config in configs.items():
        (folder / file).write_text(json.dumps(config, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.copyfile(source / "logging.conf", folder / "logging.conf")


def write_weights(weights: Path, folder: Path) -> None:
    """`model.pt`: the file as it is, or the network's part of a training checkpoint."""
    folder.mkdir()
    state = torch.load(weights, map_location="cpu", weights_only=True)
    if isinstance(state.get("network"), dict):
        torch.save(state["network"], folder / "model.pt")
    else:
        shutil.copyfile(weights, folder / "model.pt")


def export_torchscript(bundle: Path) -> None:
    """`models/model.ts`, made in a process that sees the bundle alone, which proves that its code is complete."""
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
    parser.add_argument("--experiment", required=True, help="an overlay of bundle/configs/experiments, or its path")
    parser.add_argument("--weights", type=Path, required=True, help="model.pt or checkpoint.pt of that experiment")
    parser.add_argument("--name", required=True, help="of the bundle, such as unet_em_segmentation")
    parser.add_argument("--output", type=Path, default=Path("dist"), help="folder for the bundle and its zip")
    parser.epilog = "Arguments of the network that differ from the experiment's: --features 16, ..."
    arguments, rest = parser.parse_known_args(argv)
    changed = network_arguments(rest)
    folder = package(arguments.experiment, arguments.weights, arguments.name, arguments.output, changed)
    print(f"{folder}: the bundle\n{folder}.zip: the same, to hand on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
