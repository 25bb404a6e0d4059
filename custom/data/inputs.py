"""Images to segment: a file, a folder or a glob."""

from __future__ import annotations

import glob
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SomeFailedError, UserError
from .image_io import check_image, count_pages
from .pairs import list_images


@dataclass
class InputImages:
    """One item, ``{"image": path, "page": number}``, for every page of every readable image, and the errors of the
    others."""

    items: list[dict[str, str | int]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def report(self, output_dir: str | os.PathLike[str] | None = None) -> None:
        """Log where the results are; raise `SomeFailedError` with the list of files that could not be read, if any."""
        if output_dir is not None:
            logging.getLogger(type(self).__name__).info(f"{len(self.items)} images segmented: {Path(output_dir)}")
        if self.failed:
            files = "\n  ".join(self.failed)
            raise SomeFailedError(
                f"{len(self.failed)} of the inputs could not be segmented, all others were:\n  {files}"
            )


def find_images(source: str | os.PathLike[str], channel: int | None = None) -> InputImages:
    """Find images and decode each once, so that unreadable ones are found before the work begins.

    Args:
        source: an image file, a folder (without its subfolders) or a glob pattern.
        channel: channel to read, from 0, of files whose channels are not colours.

    Raises:
        UserError: nothing is found or nothing found is readable, or two files would have outputs of the same name.
    """
    files = _files(Path(source))
    if not files:
        raise UserError(f"{source}: no image there; give an image file, a folder with images or a glob in quotes")
    stems: dict[str, Path] = {}
    for file in files:
        if stems.setdefault(file.stem, file) is not file:
            raise UserError(f"{stems[file.stem]} and {file} would have outputs of the same name: rename one of them")
    found = InputImages()
    for file in files:
        try:
            pages = range(count_pages(file))
            for page in pages:
                check_image(file, page, channel)
        except UserError as error:
            found.failed.append(" ".join(str(error).splitlines()))
        else:
            chosen = {} if channel is None else {"channel": channel}
            found.items += [{"image": str(file), "page": page, **chosen} for page in pages]
    if not found.items:
        raise UserError(f"none of the {len(files)} inputs can be read; the first: {found.failed[0]}")
    return found


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if source.is_dir():
        return list_images(source)
    candidates = [Path(name) for name in glob.glob(str(source), recursive=True)]  # noqa: PTH207 (takes absolute patterns)
    return sorted(file for file in candidates if file.is_file() and not file.name.startswith("."))
