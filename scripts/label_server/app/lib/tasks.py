"""Inference and training with a packaged bundle, for clients of 2D microscopy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monailabel.interfaces.datastore import Datastore
from monailabel.tasks.infer.bundle import BundleInferTask
from monailabel.tasks.train.bundle import BundleTrainTask
from monailabel.transform.writer import PolygonWriter
from monailabel.utils.others.label_colors import get_color

from lib.polygons import mask_polygons

POLYGON_FORMATS = ("asap", "dsa", "json")


class InferTask(BundleInferTask):
    """Answers a mask, or polygons where the client asks for `output` "asap" (QuPath), "dsa" or "json" (CVAT)."""

    def _get_network(self, device: str, data: dict[str, Any] | None) -> Any:
        # As the bundle's own run has it: another memory layout sums in another order.
        return super()._get_network(device, data).to(memory_format=torch.channels_last)

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
        region = np.zeros(mask.shape, bool)
        left, top = location
        width, height = (extent or None for extent in size)
        region[top : None if height is None else top + height, left : None if width is None else left + width] = True
        elements = []
        for label, index in self.labels.items():
            contours = mask_polygons(region & (mask == index), data.get("min_poly_area", 0))
            if contours:
                elements.append({"label": label, "contours": contours})
        colors = {label: get_color(label, data.get("label_colors")) for label in self.labels}
        return {"location": location, "size": size, "elements": elements, "labels": colors}


class TrainTask(BundleTrainTask):
    """Training on the labels in the datastore, on one GPU: a few labels leave none to validate on for a second."""

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        if not datastore.datalist():
            raise ValueError("there is no final label yet: save at least one, then train")
        return super().__call__({**request, "multi_gpu": False}, datastore)

    def _load_checkpoint(self, model_pytorch: str, pretrained: bool, train_handlers: list[dict[str, Any]]) -> None:
        if pretrained:  # MONAI Label 0.8.5 fails when it is false
            super()._load_checkpoint(model_pytorch, pretrained, train_handlers)
