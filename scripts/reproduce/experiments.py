"""The experiments, which are overlays with a title, and the budgets, which set the length of their trainings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from custom.data.datalist import FILE_NAME
from custom.errors import UserError

from ..overlays import FOLDERS, with_base

CONFIGS = Path("bundle/configs")
TRAIN = CONFIGS / "train.json"


@dataclass(frozen=True)
class Experiment:
    """One row of the table.

    Args:
        name: of the row.
        overlays: config files that follow `train.json`.
        title: description in the table.
        data: name of the folder of the prepared data set.
        published: score by measure, where the source gives one.
    """

    name: str
    overlays: tuple[Path, ...]
    title: str
    data: str
    published: dict[str, float]


def merged(files: tuple[Path, ...]) -> dict[str, Any]:
    """The merged config of these files, without evaluation.

    Raises:
        UserError: a file is not a config, or an overlay overrides an unknown id.
    """
    try:
        config: dict[str, Any] = ConfigParser.load_config_files([str(file) for file in files])
    except (KeyError, OSError, ValueError) as error:
        raise UserError(f"{', '.join(map(str, files))}: cannot be merged ({error}); correct the config") from error
    return config


def read_experiments(configs: Path = CONFIGS) -> list[Experiment]:
    """The overlays in `experiments` that have a title, then those in `ablations`, each in alphabetical order.

    An ablation is an overlay of another one, which its `experiment#base` names.
    """
    found = []
    for file in [file for folder in FOLDERS for file in sorted((configs / folder).glob("*.json"))]:
        content = json.loads(file.read_text(encoding="utf-8"))
        if "experiment#title" not in content:
            continue
        overlays = with_base(file)
        config = merged((configs / TRAIN.name, *overlays))
        about = config["experiment"]
        data = Path(config["dataset_dir"]).name
        # The score published for an experiment is not that of an ablation.
        published = about["published"] if overlays == (file,) else {}
        found.append(Experiment(file.stem, overlays, about["title"], data, published))
    return found


def budgets(configs: Path = CONFIGS) -> dict[str, Path]:
    """Overlay of each budget, by name."""
    return {file.stem: file for file in sorted(configs.glob("budgets/*.json"))}


def fingerprint(files: tuple[Path, ...], dataset_dir: Path) -> str:
    """SHA-256 of the merged config without its description, and of the lists of images."""
    config = {key: value for key, value in merged(files).items() if key != "experiment"}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    digest.update((dataset_dir / FILE_NAME).read_bytes())
    return digest.hexdigest()
