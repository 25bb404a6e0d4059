"""The settings as text and as the table of `docs/settings.md`, from their declarations and the configurations."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custom.settings import Common, Evaluating, Inferring, Objects, Setting, Trained, Training, declared_in

if TYPE_CHECKING:
    from monai.bundle import ConfigParser

CONFIGS = Path(__file__).parents[2] / "bundle" / "configs"
FILES = {"training": ["train.json"], "evaluating": ["train.json", "evaluate.json"], "inferring": ["inference.json"]}
# Title, classes that declare the settings, runs whose defaults are shown.
SECTIONS = (
    ("Every run", (Common, Objects), ("training", "evaluating", "inferring")),
    ("training", (Training,), ("training",)),
    ("evaluating and inferring", (Trained,), ("evaluating", "inferring")),
    ("evaluating", (Evaluating,), ("evaluating",)),
    ("inferring", (Inferring,), ("inferring",)),
)
INTRODUCTION = """\
# Settings

Made by `python -m scripts.settings --markdown` from `custom/settings/declarations.py` and the configurations.

Each is an id of a configuration: set it on the command line (`--max_epochs 50`, `--network_def#dropout 0`) or in an
overlay (`"max_epochs": 50`). `evaluating` reads the configuration of the training too and knows its settings. `none`,
`true` and `false` are recognised in any case. Every other part of a configuration can be set in the same way, such as
`--optimizers#adamw#weight_decay 0.01`: its arguments are those of the class that its `_target_` names. Unused ids,
unknown arguments and values of another type are rejected before data are read.

A default that begins with `$` or `@` is computed from other ids.
"""


@dataclass(frozen=True)
class Row:
    """A setting with its default."""

    section: str
    setting: Setting
    default: str

    def matches(self, word: str) -> bool:
        """Whether the word occurs in the id, the meaning or the section."""
        return word.lower() in f"{self.setting.id} {self.setting.meaning} {self.section}".lower()


def rows() -> list[Row]:
    """All settings in the order of their declarations."""
    from monai.bundle import ConfigParser  # takes seconds, and --help does not need it

    configs = {
        run: ConfigParser(ConfigParser.load_config_files([str(CONFIGS / file) for file in files]))
        for run, files in FILES.items()
    }
    return [
        Row(title, setting, _default(setting.id, {run: configs[run] for run in runs}))
        for title, owners, runs in SECTIONS
        for owner in owners
        for setting in declared_in(owner)
    ]


def text(shown: Iterable[Row]) -> str:
    """Two lines per setting."""
    lines = []
    for row in shown:
        unit = f" ({row.setting.unit})" if row.setting.unit else ""
        lines += [f"{row.setting.id}  [{row.section}]  {row.setting.kind}{unit}  default: {row.default}"]
        lines += [f"    {row.setting.meaning}"]
    return "\n".join(lines)


def markdown(shown: Iterable[Row]) -> str:
    """The document `docs/settings.md`."""
    lines, section = [INTRODUCTION.rstrip()], ""
    for row in shown:
        if row.section != section:
            section = row.section
            title = section if section[0].isupper() else f"`{section}`"
            lines += ["", f"## {title}", "", "| id | meaning | value | unit | default |", "|---|---|---|---|---|"]
        cells = (f"`{row.setting.id}`", row.setting.meaning, row.setting.kind, row.setting.unit, row.default)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _default(id: str, configs: dict[str, ConfigParser]) -> str:
    """The value in the configurations; where runs differ, each with its run."""
    runs: dict[str, list[str]] = {}
    for run, config in configs.items():
        if id in config:
            runs.setdefault(_written(config[id]), []).append(run)
    if len(runs) == 1:
        return next(iter(runs))
    return ", ".join(f"{value} ({', '.join(names)})" for value, names in runs.items())


def _written(value: Any) -> str:
    if isinstance(value, str) and value.startswith("$@trained."):
        return "the model's"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value).replace('null', 'none')}`"
