"""Active learning: ask for the image that the network is least sure of."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.tasks.infer.basic_infer import BasicInferTask, CallBackTypes

from .errors import input_error
from .names import RequestError

logger = logging.getLogger(__name__)
KEY, WEIGHTS = "entropy", "entropy_weights"  # what is kept with each image: score, and file and time of the weights


def mean_entropy(logits: torch.Tensor) -> float:
    """Entropy of the class probabilities in nats, averaged over all pixels, of logits (C, H, W); 0 to log(C)."""
    log_probability = torch.log_softmax(logits.float(), dim=0)
    return float(-(log_probability.exp() * log_probability).sum(dim=0).mean())


class Entropy(Strategy):
    """Gives the unlabelled image with the largest mean entropy under the present weights.

    Scores are kept with the images, together with the weights' file and time: after a training they are computed anew,
    when they are asked for. Images that cannot be read are skipped, and named in the answer as `skipped`.

    Args:
        tasks: inference with the networks that are to be taught, by name; a request names one as `model`, or the first
            is meant.
    """

    def __init__(self, tasks: dict[str, BasicInferTask]) -> None:
        super().__init__("Image whose segmentation is least certain: entropy of the probability, averaged over pixels")
        self.tasks = tasks

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        images = datastore.get_unlabeled_images(request.get("label_tag"), request.get("labels"))
        if not images:
            return None
        task = self.tasks[request.get("model") or next(iter(self.tasks))]
        scores, skipped = {}, {}
        for image in sorted(images):
            try:
                scores[image] = self.score(task, image, request, datastore)
            except Exception as error:
                cause = input_error(error)
                if cause is None:
                    raise
                skipped[image] = str(cause)
                logger.warning(f"skipped {image}: {cause}")
        if not scores:
            raise RequestError(400, f"no image can be read: {'; '.join(skipped.values())}")
        image = max(scores, key=lambda name: scores[name])
        return {"id": image, KEY: scores[image], **({"skipped": skipped} if skipped else {})}

    def score(self, task: BasicInferTask, image: str, request: dict[str, Any], datastore: Datastore) -> float:
        """Mean entropy of one image, remembered."""
        file = Path(task.get_path())
        weights = [str(file), file.stat().st_mtime]
        known = datastore.get_image_info(image)
        if known.get(WEIGHTS) == weights:
            return known[KEY]
        value = self.measure(task, datastore.get_image_uri(image), request)
        datastore.update_image_info(image, {KEY: value, WEIGHTS: weights})
        return value

    def measure(self, task: BasicInferTask, path: str, request: dict[str, Any]) -> float:
        """Mean entropy of an image file."""
        found = []

        def keep(data: dict[str, Any]) -> dict[str, Any]:
            found.append(mean_entropy(data["pred"]))
            return data

        options = {key: request[key] for key in ("device",) if key in request}
        task({"image": path, "skip_writer": True, **options}, callbacks={CallBackTypes.INFERER: keep})
        return found[0]
