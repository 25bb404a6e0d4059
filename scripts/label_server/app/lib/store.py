"""The folder of images and labels, closed against names that lead out of it and files that do not belong into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from monailabel.datastore.local import LocalDatastore

from .names import (
    IMAGE_SUFFIXES,
    LABEL_SUFFIXES,
    RequestError,
    check_inside,
    check_name,
    check_suffix,
    check_tag,
    is_plain,
    shown,
)
from .pictures import check_image, check_label, image_size


class Store(LocalDatastore):
    """MONAI Label's folder of images. Files are written and removed inside it only, and only after they were read.

    Args:
        folder: with the images; labels are in `labels/TAG` in it.
        readable: called with an uploaded image; raises if the network cannot use it.
        classes: gives the names of the classes that a label may have.
        axes: of TIFF files that do not name them.
        options: of `LocalDatastore`.
    """

    def __init__(
        self,
        folder: str,
        readable: Callable[[str], Any],
        classes: Callable[[], Sequence[str]],
        axes: str | None = None,
        **options: Any,
    ) -> None:
        self.folder, self.readable, self.classes, self.axes = Path(folder), readable, classes, axes
        super().__init__(folder, **options)

    def _to_id(self, file: str) -> tuple[str, str]:
        # MONAI Label's own removes the ending wherever it stands in a name.
        endings = [pattern.replace("*", "") for pattern in self._extensions]
        ending = max((e for e in endings if file.endswith(e)), key=len, default=os.path.splitext(file)[1])  # noqa: PTH122
        return file[: len(file) - len(ending)], ending

    def _init_from_datastore_file(self, throw_exception: bool = False) -> None:
        # The file lies among the images, so it may come from somebody else.
        super()._init_from_datastore_file(throw_exception)
        self._datastore.images_dir, self._datastore.labels_dir = ".", "labels"
        for name, item in list(self._datastore.objects.items()):
            tags = item.labels.items()
            if not is_plain(name + item.image.ext) or not all(
                is_plain(tag) and is_plain(name + x.ext) for tag, x in tags
            ):
                del self._datastore.objects[name]

    def image_file(self, name: Any) -> Path:
        """File of an image; `RequestError` with 404 if there is none of that name."""
        found = self.get_image_uri(name) if isinstance(name, str) else ""
        if not found or not Path(found).is_file():  # for a moment the datastore still lists one that was removed
            raise RequestError(404, f"unknown image {shown(name)}; /datastore/?output=all lists them")
        return Path(found)

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Add an image under a new name.

        Raises:
            RequestError: a name that is taken or cannot be, another format, an unreadable image.
        """
        sent = Path(image_filename)
        name = check_name(image_id or self._to_id(sent.name)[0])
        ending = self._to_id(sent.name)[1]
        check_suffix(name + ending, IMAGE_SUFFIXES)
        if name.casefold() in map(str.casefold, self.list_images()):  # some file systems take them for one
            raise RequestError(409, f"image {shown(name)}: is there already; remove it first, or give another name")
        check_inside(self.folder, self.folder / (name + ending))
        check_image(sent, name + ending, self.axes)
        self.readable(image_filename)
        return super().add_image(name, image_filename, image_info)

    def save_label(self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]) -> str:
        """Save a label in place of the one that the image had under the tag.

        Raises:
            RequestError: an unknown image, a tag or format that cannot be, a label that does not fit the image.
        """
        image, sent = self.image_file(image_id), Path(label_filename)
        folder = self.folder / "labels" / check_tag(label_tag)
        ending = self._to_id(sent.name)[1]
        if ending.lower() not in LABEL_SUFFIXES:
            raise RequestError(415, f"label of {shown(image_id)}: give one of {', '.join(LABEL_SUFFIXES)}")
        file = check_inside(self.folder, folder / (image_id + ending))
        size = image_size(image, f"image {shown(image_id)}", self.axes)
        check_label(sent, f"label of {shown(image_id)}", size, self.classes())
        before = self.get_label_uri(image_id, label_tag)
        name = super().save_label(image_id, label_filename, label_tag, label_info)
        if before and Path(before) != file.resolve():
            check_inside(self.folder, Path(before)).unlink(missing_ok=True)  # of another format
        return name

    def remove_image(self, image_id: str) -> None:
        """Remove an image and its labels; `RequestError` for an unknown one and for a link to elsewhere."""
        self.image_file(image_id)
        item = self._datastore.objects[image_id]
        check_inside(self.folder, self.folder / (image_id + item.image.ext))
        super().remove_image(image_id)

    def remove_label(self, label_id: str, label_tag: str) -> None:
        """Remove a label; `RequestError` for an unknown one and for a link to elsewhere."""
        label = self._datastore.label(label_id, label_tag)
        if label is None:
            raise RequestError(404, f"unknown label {shown(label_tag)} of {shown(label_id)}")
        check_inside(self.folder, self.folder / "labels" / label_tag / (label_id + label.ext))
        super().remove_label(label_id, label_tag)
