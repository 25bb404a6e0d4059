"""Which images a folder has, and which label belongs to which: one folder or two, with subfolders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from custom.data.datalist import FILE_NAME
from custom.data.glob_files import folders_in
from custom.data.pairs import LABEL_ENDINGS, composed, image_name, list_images, list_masks, pair_by_name, stem_of
from custom.errors import UserError

from . import cellpose, imagej, json_labels
from .object_files import holds_objects
from .overview import skipped_line

IMAGE_FOLDERS = ("images",)
MASK_FOLDERS = ("masks", "labels")
SPLIT_FOLDERS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


@dataclass(frozen=True)
class Source:
    """An image file and the file (or folder, of one file for each object) of its label.

    `prefix` distinguishes files of the same name in subfolders.
    """

    image: Path
    label: Path
    prefix: str = ""


@dataclass
class Sources:
    """Images with labels, files beside them that are neither, the name of the whole, folders searched so far, and
    names of folders that separate training images from others."""

    name: str
    pairs: list[Source] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    searched: set[Path] = field(default_factory=set)
    splits: list[str] = field(default_factory=list)


def find_sources(source: Path | None, images: Path | None, masks: Path | None) -> Sources:
    """Files of `source` and its subfolders, or of `images` and `masks`.

    A folder holds folders images/ and masks/ (or labels/), or images and a folder masks/ (or labels/), or images and
    labels side by side, where a label's name ends with `_mask`, `_label`, `_seg`, `_gt` or the like, or its format is
    one of annotations. `masks` may be one file of COCO for all images, or hold one mask for each object of one image.

    Raises:
        UserError: no such folders, no images in them, images without labels, labels without images; neither or both
            kinds of arguments.
    """
    if source is not None and images is None and masks is None:
        _require_folder(source)
        sources = Sources(source.absolute().name)
        _search(source, "", sources)
    elif source is None and images is not None and masks is not None:
        _require_folder(images)
        whole = images.absolute().parent if images.absolute().parent == masks.absolute().parent else images.absolute()
        sources = Sources(whole.name)
        if masks.is_file():
            _pair(list_images(images), [masks], "", sources)
        else:
            _require_folder(masks)
            _two_folders(images, masks, "", sources)
    else:
        raise UserError("--source: give --source DIR with images/ and masks/ in it, or both --images and --masks")
    if not sources.pairs:
        raise _no_images(source or images, sources.skipped)
    return sources


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give --source DIR with images/ and masks/, or --images and --masks")


def _no_images(folder: Path | None, skipped: list[Path]) -> UserError:
    line = skipped_line(skipped)
    more = f" ({line})" if line else ""
    return UserError(
        f"{folder}: no images; put PNG, TIFF, JPEG or BMP files into images/ and their masks into masks/, or both side "
        f"by side as NAME.png and NAME_mask.png{more}"
    )


def _search(folder: Path, prefix: str, sources: Sources) -> None:
    images, masks = _named(folder, IMAGE_FOLDERS), _named(folder, MASK_FOLDERS)
    if images is not None:
        if masks is None:
            raise UserError(
                f"{folder}: has {images.name}/, but no masks/ or labels/; put masks there, named as the images"
            )
        _two_folders(images, masks, prefix, sources)
    elif masks is not None and list_images(folder):
        _two_folders(folder, masks, prefix, sources, inner=False)
    else:
        _side_by_side(folder, prefix, sources)
        for inside in _folders(folder, sources):
            if not prefix and inside.name.lower() in SPLIT_FOLDERS:
                sources.splits.append(inside.name)
            _search(inside, f"{prefix}{inside.name}_", sources)


def _named(folder: Path, names: tuple[str, ...]) -> Path | None:
    """A folder of one of these names, in any case, in a folder."""
    return next((inside for name in names for inside in folders_in(folder) if inside.name.lower() == name), None)


def _two_folders(images: Path, masks: Path, prefix: str, sources: Sources, inner: bool = True) -> None:
    labels = _labels(masks)
    found = list_images(images)
    _skip({*found, *labels}, sources, images, masks)
    if labels and not found:
        raise _no_images(images, sources.skipped)
    if holds_objects(found, labels, inside=bool(prefix)):
        sources.pairs.append(Source(found[0], masks, prefix))
        return
    _pair(found, labels, prefix, sources)
    for inside in _folders(images, sources) if inner else []:
        if not (masks / inside.name).is_dir():
            raise UserError(f"{inside}: has no folder of labels; name one {masks / inside.name}, or take it away")
        _two_folders(inside, masks / inside.name, f"{prefix}{inside.name}_", sources)


def _side_by_side(folder: Path, prefix: str, sources: Sources) -> None:
    labels = [file for file in _labels(folder) if stem_of(file).lower().endswith(LABEL_ENDINGS) or _is_drawn(file)]
    images = [file for file in list_images(folder) if file not in labels]
    _skip({*images, *labels}, sources, folder)
    if labels and not images:
        raise _no_images(folder, sources.skipped)
    _pair(images, labels, prefix, sources)


def _pair(images: list[Path], labels: list[Path], prefix: str, sources: Sources) -> None:
    tables = [file for file in labels if is_coco(file)]
    if not tables:
        elsewhere = "" if labels else "if its folder is not masks/ or labels/, say --images DIR --masks DIR"
        pairs = pair_by_name(images, labels, _advice(images, sources.skipped) or elsewhere)
        sources.pairs += [Source(image, label, prefix) for image, label in pairs]
        return
    if len(labels) > 1:
        raise UserError(f"{tables[0]}: names the labels of all images; give it alone, by --images DIR --masks FILE")
    named = set(json_labels.images_of_coco(tables[0]))
    missing = sorted(named - {composed(image.name) for image in images})
    if missing:
        raise UserError(f"{tables[0]}: names {missing[0]}, which is not among the images; give their folder")
    sources.pairs += [Source(image, tables[0], prefix) for image in images if composed(image.name) in named]
    sources.skipped += [image for image in images if composed(image.name) not in named]


def _advice(images: list[Path], skipped: list[Path]) -> str:
    """That a file beside the labels has an image's name, but is of a kind that is not read; empty if there is none."""
    names = {stem_of(image) for image in images}
    unread = (file for file in skipped if stem_of(file) in names or image_name(file) in names)
    other = "cannot be read as a label: save it as PNG or TIFF"
    annotations = "is neither GeoJSON, COCO nor LabelMe: export its objects as one of them"
    return next((f"{file.name} {annotations if file.suffix.lower() == '.json' else other}" for file in unread), "")


def _labels(folder: Path) -> list[Path]:
    drawn = [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".") and _is_drawn(file)]
    return sorted({*list_masks(folder), *drawn})


def _is_drawn(file: Path) -> bool:
    """Whether a file holds annotations rather than a picture of them."""
    name = file.name.lower()
    if name.endswith(json_labels.SUFFIXES):
        return name.endswith(".geojson") or json_labels.kind_of(file) is not None
    return name.endswith((cellpose.SUFFIX, *imagej.SUFFIXES))


def is_coco(file: Path) -> bool:
    """Whether a file holds the labels of many images."""
    return file.suffix.lower() == ".json" and json_labels.kind_of(file) == json_labels.COCO


def _folders(folder: Path, sources: Sources) -> Iterator[Path]:
    """Folders in a folder, but for hidden ones, data sets that were made before, and those that contain the folder or
    were searched before, to which links may lead."""
    sources.searched.update(path.resolve() for path in (folder, *folder.absolute().parents))
    for path in folders_in(folder):
        if path.resolve() not in sources.searched and not (path / FILE_NAME).exists():
            yield path


def _skip(known: Iterable[Path], sources: Sources, *folders: Path) -> None:
    beside = sorted({file for folder in folders for file in folder.iterdir()} - set(known))
    sources.skipped += [file for file in beside if file.is_file() and not file.name.startswith(".")]
