"""Result of a part of the benchmark: tables, checks of correctness, and required speeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Cell = str | float | None
MISSING = "not installed"


@dataclass
class Table:
    """Rows of one measurement; `chart` is its kind of chart in the figure, if any.

    "bars": a bar for each row, the first column its name, the second its length. "lines": columns over the first one.
    """

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    chart: Literal["bars", "lines"] | None = None
    note: str = ""


@dataclass
class Check:
    """A difference measured in the same run, and its tolerance."""

    what: str
    value: float
    bound: float

    @property
    def met(self) -> bool:
        return self.value <= self.bound


@dataclass
class Floor:
    """A required speed: `value` is at least `bound`, or at most. `limit` names the limiting factor."""

    what: str
    value: float
    bound: float
    at_most: bool = False
    limit: str = ""

    @property
    def met(self) -> bool:
        return self.value <= self.bound if self.at_most else self.value >= self.bound


@dataclass
class Part:
    """The result of one part; `load` is the machine's before it, a mean of one minute."""

    name: str
    about: str
    tables: list[Table] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    floors: list[Floor] = field(default_factory=list)
    load: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, with whether each check and floor is met."""
        plain = asdict(self)
        items: list[Check | Floor] = [*self.checks, *self.floors]
        for entry, item in zip(plain["checks"] + plain["floors"], items, strict=True):
            entry["met"] = item.met
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Part:
        """A part from the values of `to_json`."""
        measured = [{k: v for k, v in one.items() if k != "met"} for one in plain["checks"] + plain["floors"]]
        checks, floors = measured[: len(plain["checks"])], measured[len(plain["checks"]) :]
        return cls(
            plain["name"],
            plain["about"],
            [Table(**table) for table in plain["tables"]],
            [Check(**check) for check in checks],
            [Floor(**floor) for floor in floors],
            plain.get("load"),
        )
