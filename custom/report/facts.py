"""Facts of a data set: sizes, foreground, objects, and images that occur twice."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..constants import IGNORED
from ..data.datalist import SPLITS, Datalist
from ..data.image_io import read_item, read_mask
from ..data.labels import parse_class_mask, parse_instance_mask
from ..data.leaks import content_of

MAX_IMAGES = 300  # of a split; more are sampled evenly


def read_label(item: dict[str, Any]) -> NDArray[np.int32]:
    """Objects or classes of an item's label, (H, W), -1 where ignored."""
    path, label_format = Path(item["label"]), item["label_format"]
    if label_format.kind == "instances":
        return parse_instance_mask(read_mask(path), label_format, path)
    classes = parse_class_mask(read_mask(path), label_format, path).astype(np.int32)
    return np.where(classes == IGNORED, -1, classes)


def dataset_facts(data: Datalist) -> dict[str, Any]:
    """Facts of each split, and the groups of files with equal pixels, constant images left out.

    Returns:
        ``about``: name, description, terms; ``splits``: one dictionary a split with images; ``duplicates``: lists of
        ``"SPLIT: NAME"``; ``leaks``: whether one of these lists joins training with validation or test.
    """
    splits: list[dict[str, Any]] = []
    seen: dict[str, list[tuple[str, str]]] = {}
    for split in SPLITS:
        items = getattr(data, split)
        looked_at = items[:: -(-len(items) // MAX_IMAGES) or 1]
        with ThreadPoolExecutor(2) as pool:
            images = list(pool.map(partial(_image_facts, classes=len(data.class_names)), looked_at))
        for item, image in zip(looked_at, images, strict=True):
            if image["content"] is not None:
                seen.setdefault(image["content"], []).append((split, Path(item["image"]).name))
        if items:
            splits.append({"split": split, "images": len(items), "looked_at": len(looked_at), **_summary(images)})
    duplicates = [group for group in seen.values() if len(group) > 1]
    return {
        "about": data.about,
        "folder": str(data.folder),
        "classes": list(data.class_names),
        "splits": splits,
        "duplicates": [[f"{split}: {name}" for split, name in group] for group in duplicates],
        "leaks": any("training" in (names := {split for split, _ in group}) and len(names) > 1 for group in duplicates),
    }


def _image_facts(item: dict[str, Any], classes: int) -> dict[str, Any]:
    image = read_item(item)
    facts: dict[str, Any] = {
        "content": content_of(image),
        "size": f"{image.shape[0]} x {image.shape[1]}",
        "type": str(image.dtype) + (f", {image.shape[2]} channels" if image.ndim == 3 else ""),
    }
    if "label" in item:
        label = read_label(item)
        objects = label if item["label_format"].kind == "instances" else ndimage.label(label > 0)[0]
        _, sizes = np.unique(objects[objects > 0], return_counts=True)
        known = max(1, int(np.count_nonzero(label >= 0)))
        facts |= {
            "foreground": np.count_nonzero(label > 0) / known,
            "ignored": np.count_nonzero(label < 0) / label.size,
            "objects": len(sizes),
            "areas": sizes.tolist(),
        }
        if classes > 2:
            facts["shares"] = [np.count_nonzero(label == index) / known for index in range(classes)]
    return facts


def _summary(images: list[dict[str, Any]]) -> dict[str, Any]:
    labelled = [image for image in images if "objects" in image]
    summary: dict[str, Any] = {
        "labelled": len(labelled),
        "sizes": Counter(image["size"] for image in images).most_common(5),
        "types": sorted({image["type"] for image in images}),
    }
    if labelled:
        shares = [image["foreground"] for image in labelled]
        areas = [area for image in labelled for area in image["areas"]]
        summary |= {
            "foreground": (float(np.mean(shares)), min(shares), max(shares)),
            "ignored": float(np.mean([image["ignored"] for image in labelled])),
            "objects": sum(image["objects"] for image in labelled),
            "area": int(np.median(areas)) if areas else 0,
            "shares": np.mean([image.get("shares", []) for image in labelled], axis=0).tolist(),
        }
    return summary
