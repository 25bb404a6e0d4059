"""Active learning: ask for the image that the network is least sure of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.tasks.infer.basic_infer import BasicInferTask, CallBackTypes

KEY, WEIGHTS = "entropy", "entropy_weights"  # what is kept with each image: score, and the time of the weights


def mean_entropy(logits: torch.Tensor) -> float:
    """Entropy of the class probabilities in nats, averaged over all pixels, of logits (C, H, W); 0 to log(C)."""
    log_probability = torch.log_softmax(logits.float(), dim=0)
    return float(-(log_probability.exp() * log_probability).sum(dim=0).mean())


class Entropy(Strategy):
    """Gives the unlabelled image with the largest mean entropy under the present weights.

    Scores are kept with the images, together with the weights' time: after a training they are computed anew, when
    they are asked for.

    Args:
        task: inference with the network that is to be taught.
    """

    def __init__(self, task: BasicInferTask) -> None:
        super().__init__("Image whose segmentation is least certain: entropy of the probability, averaged over pixels")
        self.task = task

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        images = datastore.get_unlabeled_images(request.get("label_tag"), request.get("labels"))
        if not images:
            return None
        scores = {image: self.score(image, request, datastore) for image in sorted(images)}
        image = max(scores, key=lambda name: scores[name])
        return {"id": image, KEY: scores[image]}

    def score(self, image: str, request: dict[str, Any], datastore: Datastore) -> float:
        """Mean entropy of one image, remembered."""
        weights = Path(self.task.get_path()).stat().st_mtime
        known = datastore.get_image_info(image)
        if known.get(WEIGHTS) == weights:
            return known[KEY]
        value = self.measure(datastore.get_image_uri(image), request)
        datastore.update_image_info(image, {KEY: value, WEIGHTS: weights})
        return value

    def measure(self, path: str, request: dict[str, Any]) -> float:
        """Mean entropy of an image file."""
        found = []

        def keep(data: dict[str, Any]) -> dict[str, Any]:
            found.append(mean_entropy(data["pred"]))
            return data

        options = {key: request[key] for key in ("device",) if key in request}
        self.task({"image": path, "skip_writer": True, **options}, callbacks={CallBackTypes.INFERER: keep})
        return found[0]
