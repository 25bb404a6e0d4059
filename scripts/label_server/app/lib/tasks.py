"""Inference and training with a packaged bundle, for clients of 2D microscopy."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.batch_infer import BatchInferTask
from monailabel.tasks.infer.bundle import BundleInferTask
from monailabel.tasks.train.bundle import BundleTrainTask
from monailabel.transform.writer import PolygonWriter
from monailabel.utils.others.generic import device_map, name_to_device
from monailabel.utils.others.label_colors import get_color

from .model import channel_names, class_names, labels_of, reading
from .names import RequestError, shown
from .options import BATCH, TRAIN, check_options
from .pictures import check_label, image_size
from .polygons import mask_polygons
from .region import region_mask

POLYGON_FORMATS = ("asap", "dsa", "json")
logger = logging.getLogger(__name__)


def check_device(request: dict[str, Any]) -> str:
    """The device that a client asks for by name, or the default; the CPU where there is no GPU, whatever is asked.

    Raises:
        RequestError: no such device.
    """
    wanted = request.get("device")
    wanted = wanted[0] if isinstance(wanted, list) and wanted else wanted
    known = ["cpu", "cuda", *device_map(), *device_map().values()]
    if wanted and wanted not in known:
        raise RequestError(400, f"device: {shown(wanted)}; give one of {', '.join(dict.fromkeys(known))}")
    return name_to_device(wanted)


class InferTask(BundleInferTask):
    """Answers a mask, or polygons where the client asks for `output` "asap" (QuPath), "dsa" or "json" (CVAT).

    Args:
        path: the bundle's folder.
        conf: options of the app: `channel` and `axes`, of images that need them.
    """

    def __init__(self, path: str, conf: dict[str, str]) -> None:
        super().__init__(path, conf)
        self.classes, self.channels = class_names(path), channel_names(path)
        # MONAI Label counts the first class as a label, unless it is called background.
        self.labels = labels_of(self.classes)
        self._config.update(reading(conf))

    def info(self) -> dict[str, Any]:
        """MONAI Label's description, and the names of all classes and of the channels."""
        return {**super().info(), "classes": dict(enumerate(self.classes)), "channels": self.channels}

    def _get_network(self, device: str, data: dict[str, Any] | None) -> Any:
        # As the bundle's own run has it: another memory layout sums in another order.
        return super()._get_network(device, data).to(memory_format=torch.channels_last)

    def read(self, path: str) -> None:
        """Read an image as for inference, for the errors that this raises."""
        data = {**self.config(), "device": "cpu", "image": path, "image_path": path}
        self.run_pre_transforms(data, self.pre_transforms(data))

    def writer(self, data: dict[str, Any], extension: str | None = None, dtype: Any = None) -> tuple[Any, Any]:
        """File and JSON of a prediction `data["pred"]`, class indices (W, H)."""
        if data.get("output") not in POLYGON_FORMATS:
            return super().writer(data, extension, dtype)
        mask = np.asarray(data["pred"]).T
        annotation = self.annotation(mask, data)
        return PolygonWriter()({**data, "result": {"annotation": annotation}})

    def annotation(self, mask: np.ndarray, data: dict[str, Any]) -> dict[str, Any]:
        """Polygons in pixels of the whole image, of a mask (H, W) inside the region that was asked for."""
        location, size = data.get("location") or [0, 0], data.get("size") or [0, 0]
        region = region_mask(mask.shape, location, size)
        elements = []
        for label, index in self.labels.items():
            contours = mask_polygons(region & (mask == index), data.get("min_poly_area", 0))
            if contours:
                elements.append({"label": label, "contours": contours})
        colors = {label: get_color(label, None) for label in self.labels}
        return {"location": location, "size": size, "elements": elements, "labels": colors}


class BatchTask(BatchInferTask):
    """Segments many images. One that cannot be read is skipped, and reported at the end."""

    def __call__(self, request: dict[str, Any], datastore: Datastore, infer: Callable[..., Any]) -> dict[str, Any]:
        checked = check_options(request, BATCH)
        skipped = {}

        def infer_or_skip(one: dict[str, Any], store: Datastore) -> dict[str, Any]:
            try:
                return infer(one, store)
            except RequestError as error:
                skipped[one["image"]] = error.detail
                return {"error": error.detail}

        fixed = {"model": request["model"], "device": check_device(request), "multi_gpu": torch.cuda.is_available()}
        result = super().__call__({**checked, **fixed, "max_workers": 1}, datastore, infer_or_skip)
        for image, reason in skipped.items():
            logger.warning(f"skipped {image}: {reason}")
        logger.info(f"{len(result) - len(skipped)} images segmented, {len(skipped)} skipped")
        return result


def present(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pairs whose files are there: for a moment the datastore still lists one that was removed."""
    return [pair for pair in pairs if all(Path(pair[key]).is_file() for key in ("image", "label"))]


class TrainTask(BundleTrainTask):
    """Training on the labels in the datastore, on one GPU: a few labels leave none to validate on for a second."""

    def config(self) -> dict[str, Any]:
        """The options that a client can set, with what holds if it does not."""
        known = {key: value for key, value in super().config().items() if key in (*TRAIN, "device")}
        steps = self.bundle_config.get("steps_per_epoch")
        return {**known, "steps_per_epoch": steps} if isinstance(steps, int) else known

    def check(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        """The options of a training.

        Raises:
            RequestError: an option of a wrong type or out of range, no final label, or one that is not of this model's
                classes.
        """
        pairs = present(datastore.datalist())
        if not pairs:
            raise RequestError(400, "no final label yet: save at least one, then train")
        classes, axes = class_names(self.bundle_path), reading(self.conf).get("axes")
        for pair in pairs:
            name = shown(Path(pair["label"]).name)
            size = image_size(Path(pair["image"]), f"image of {name}", axes)
            check_label(Path(pair["label"]), f"label {name}", size, classes)
        return check_options(request, TRAIN)

    def _fetch_datalist(self, request: dict[str, Any], datastore: Datastore) -> list[dict[str, Any]]:
        return [{**pair, **reading(self.conf)} for pair in present(super()._fetch_datalist(request, datastore))]

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        self.options = self.check(request, datastore)
        fixed = {"model": request["model"], "device": check_device(request), "multi_gpu": False, "tracking": "none"}
        return super().__call__({**self.options, **fixed}, datastore)

    def _update_overrides(self, overrides: dict[str, Any]) -> dict[str, Any]:
        if "steps_per_epoch" in self.options:
            overrides["steps_per_epoch"] = self.options["steps_per_epoch"]
        if self.options.get("pretrained", True):
            overrides["init_model"] = str(Path(self.bundle_path) / "models")
        return overrides

    def _load_checkpoint(self, model_pytorch: str, pretrained: bool, train_handlers: list[dict[str, Any]]) -> None:
        """Nothing to add: the bundle loads `init_model`, scores it on the labels held out, and keeps the better one."""
