"""A declared setting: its type in words, the configurations it applies to, and reading a value of it."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ..errors import UserError
from .declarations import RUNS, Declarations
from .ranges import kind_of, range_of
from .values import meant, readings, shown

if TYPE_CHECKING:
    from monai.bundle import ConfigParser


@dataclass(frozen=True)
class Setting:
    """One declared id."""

    id: str
    field: FieldInfo
    owner: type[Declarations]

    @property
    def extra(self) -> dict[str, Any]:
        return typing.cast("dict[str, Any]", self.field.json_schema_extra)

    @property
    def meaning(self) -> str:
        return self.field.description or ""

    @property
    def unit(self) -> str:
        return self.extra["unit"]

    @property
    def kind(self) -> str:
        """Type and range in words, such as "an integer, at least 1"."""
        none = ", or none" if type(None) in typing.get_args(self.field.annotation) else ""
        return f"{kind_of(self.field.annotation)}{range_of(self.field.metadata)}{none}"

    @property
    def is_flag(self) -> bool:
        return self.field.annotation in (bool, bool | None)

    def applies(self, parser: ConfigParser) -> bool:
        """Whether the configuration has the id, as an argument of the class it is declared for."""
        target = str(parser.get(f"{self.id.rpartition('#')[0]}#_target_", ""))
        return self.id in parser and self.extra["of"] in ("", target.rpartition(".")[2])

    def read(self, value: Any, typed: str | None = None) -> Any:
        """Convert a value: numbers may be given as text, lists as a single item or a tuple.

        Args:
            value: from a file, a command line or Python.
            typed: the word on the command line, because Python Fire reads the name `2024_01` as a number.

        Raises:
            UserError: it is of another type, or out of range.
        """
        name = self.id.replace("#", "__")
        instance, reason = self.owner.model_construct(), ""
        for reading in readings(value, typed):
            try:
                setattr(instance, name, reading)
            except ValidationError as error:
                why = error.errors()[0]
                reason = why["msg"].partition(", ")[2] if why["type"] == "value_error" else reason
                continue
            return getattr(instance, name)
        prefix = "" if typed is None else "--"
        unit = f" ({self.unit})" if self.unit else ""
        expected = reason or f"expected {self.kind}{unit}: {self.meaning}"
        raise UserError(f"{prefix}{self.id} is {shown(meant(value))}; {expected}")


def settings_of(run: str) -> dict[str, Setting]:
    """The settings of a run by id: `training`, `evaluating` or `inferring`."""
    owner = RUNS[run]
    return {
        name.replace("__", "#"): Setting(name.replace("__", "#"), field, owner)
        for name, field in owner.model_fields.items()
    }


def declared_in(owner: type[Declarations]) -> list[Setting]:
    """The settings that a class adds to the inherited ones, in order."""
    own = owner.__annotations__
    return [Setting(name.replace("__", "#"), field, owner) for name, field in owner.model_fields.items() if name in own]
