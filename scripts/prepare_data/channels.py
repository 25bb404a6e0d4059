"""Which channels a data set takes of the images of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from custom.data.channels import GRAY, Channel, as_channel, check_axes, count_of
from custom.data.gray import GrayRule, GrayRules, gray_rules
from custom.data.inputs import every_channel
from custom.errors import UserError


@dataclass(frozen=True)
class Channels:
    """Which channels of the images are taken.

    Args:
        names: of the channels to keep; None: one of gray values.
        channel: which channels of a file; None: all, as many as there are names.
        axes: see `read_image`.

    Raises:
        UserError: no such axes or channels, or not as many names as channels.
    """

    names: Sequence[str] | None = None
    channel: Sequence[int] | None = None
    axes: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", check_axes(self.axes))
        count = count_of(as_channel(self.channel)) if self.channel is not None else len(self.names or GRAY)
        if count != len(self.names or GRAY):
            raise UserError(f"--channel: has {count} numbers; name as many channels with --channels")

    def of(self, file: Path) -> Channel:
        """What `read_image` takes of a file; `UserError` if it has other channels."""
        if self.channel is not None:
            return as_channel(self.channel)
        return every_channel(file, self.axes, self.names or GRAY)

    def gray_rule(self) -> GrayRule | GrayRules:
        """From pixels to gray values."""
        return gray_rules([GrayRule()] * len(self.names or GRAY))
