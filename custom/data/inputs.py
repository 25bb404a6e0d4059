"""Images to segment: a file, a folder or a glob."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import SomeFailedError, UserError
from ..wording import counted
from .channels import GRAY, Channel, as_channel, check_axes, count_of
from .decode import EXPORT, MICROSCOPE_SUFFIXES
from .glob_files import glob_files
from .image_io import STATE, check_image, count_channels, count_pages, state_of
from .pairs import base_name, image_name, list_images, stem_of
from .pixel_size import stated_pixel_size, warn_of_pixel_size


@dataclass
class InputImages:
    """One item, ``{"image": path, "page": number, "state": ...}``, for every page of every readable image, the errors
    of the others, and labels that lay beside their images and are left out. See `image_io.STATE`."""

    items: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    labels: list[Path] = field(default_factory=list)

    def warn_of_pixel_size(self, model: float | None) -> None:
        """Warn if a file states pixels of another size than a model is used for, in micrometres."""
        files = dict.fromkeys(item["image"] for item in self.items)
        warn_of_pixel_size(((file, stated_pixel_size(Path(file))) for file in files), model)

    def report(self, output_dir: str | os.PathLike[str] | None = None) -> None:
        """Log where the results are; raise `SomeFailedError` with the list of files that could not be read, if any."""
        if output_dir is not None:
            log = logging.getLogger(type(self).__name__).info
            if self.labels:
                log(
                    f"{len(self.labels)} files left out, which are labels of others by name: {self.labels[0].name}, ..."
                )
            log(f"{counted(len(self.items), 'image')} segmented: {Path(output_dir)}")
        if self.failed:
            files = "\n  ".join(self.failed)
            raise SomeFailedError(
                f"{len(self.failed)} of the inputs could not be segmented, all others were:\n  {files}"
            )


def find_images(
    source: str | os.PathLike[str],
    channel: int | Sequence[int] | None = None,
    axes: str | None = None,
    channels: Sequence[str] = GRAY,
) -> InputImages:
    """Find images and decode each once, so that unreadable ones are found before the work begins.

    Args:
        source: an image file, a folder (without its subfolders) or a glob pattern. Of a folder or pattern, labels of
            other files in it, such as `a_mask.png` beside `a.tif`, are left out.
        channel: channel to read, from 0, of files whose channels are not colours; a list for a model of several.
        axes: the axes of TIFF files that do not name them, such as "CYX".
        channels: names of the channels that the model takes.

    Raises:
        UserError: nothing is found or nothing found is readable, two files would have outputs of the same name, or
            `channel` names another number of channels.
    """
    chosen, axes = chosen_channel(channel, channels), check_axes(axes)
    files = _files(Path(source))
    if not files:
        others = list_images(Path(source), MICROSCOPE_SUFFIXES) if Path(source).is_dir() else []
        more = f" ({others[0].name}: {EXPORT})" if others else ""
        raise UserError(f"{source}: no image there; give an image file, a folder with images or a glob in quotes{more}")
    stems: dict[str, Path] = {}
    for file in files:
        other = stems.setdefault(file.stem.casefold(), file)  # Windows and macOS take A and a for one name
        if other is not file:
            raise UserError(f"{other} and {file} would have outputs of the same name: rename one of them")
    names = {name(file) for file in files for name in (stem_of, base_name)}
    is_label = {file: image_name(file) != stem_of(file) and image_name(file) in names for file in files}
    found = InputImages(labels=[file for file in files if is_label[file]])
    for file in (file for file in files if not is_label[file]):
        state = state_of(file)
        try:
            pages = range(count_pages(file, axes))
            taken = chosen if chosen is not None else every_channel(file, axes, channels)
            for page in pages:
                check_image(file, page, taken, axes)
        except UserError as error:
            found.failed.append(" ".join(str(error).splitlines()))
        else:
            reading = {key: value for key, value in (("channel", taken), ("axes", axes)) if value is not None}
            found.items += [{"image": str(file), "page": page, STATE: state, **reading} for page in pages]
    if not found.items:
        raise UserError(f"none of the {len(files)} inputs can be read; the first: {found.failed[0]}")
    return found


def chosen_channel(channel: int | Sequence[int] | None, channels: Sequence[str]) -> Channel:
    """The channel or channels of a file that a setting names, as many as `channels`; None where none is named.

    Raises:
        UserError: no channels, or another number of them than are wanted.
    """
    chosen = as_channel(channel)
    if chosen is not None and count_of(chosen) != len(channels):
        raise UserError(
            f"--channel {channel}: the model takes {named_channels(channels)}; give {len(channels)} of an image's"
        )
    return chosen


def every_channel(file: Path, axes: str | None, channels: Sequence[str]) -> Channel:
    """All channels of a file, as `read_image` takes them; None where one is wanted, which colours may become.

    Raises:
        UserError: the file has another number of channels than are wanted.
    """
    if len(channels) == 1:
        return None
    count = count_channels(file, axes)
    if count == len(channels):
        return tuple(range(count))
    wanted = f"{len(channels)} are wanted ({', '.join(channels)})"
    if count > len(channels):
        raise UserError(f"{file}: has {count} channels, {wanted}; choose with --channel")
    pages = count_pages(file, axes)
    advice = f"; if its {pages} pages are channels, say so: --axes CYX" if count == 1 and pages > 1 else ""
    raise UserError(f"{file}: has {count} channel{'s' * (count > 1)}, {wanted}{advice}")


def named_channels(channels: Sequence[str]) -> str:
    """Number and names of channels, for a message."""
    return f"{len(channels)} channel{'s' * (len(channels) > 1)} ({', '.join(channels)})"


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if source.is_dir():
        return list_images(source)
    return glob_files(source)
