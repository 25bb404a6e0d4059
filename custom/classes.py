"""From the probabilities of classes to foreground, and to one class a pixel: two classes are the special case.

Class 0 is the background, or the membrane; every other class is foreground. A prediction is one map (1, H, W) where
there are two classes, the probability of the second; and all maps (K, H, W) where there are more. A network trained
with `contact` has one output more than the model has classes, for pixels near two cells; a prediction has no such map,
see `split_contact`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import torch


def as_prediction(probability: Any) -> Any:
    """The prediction of soft-max probabilities (K, H, W), an array or a tensor: (1, H, W) of two classes, else all."""
    return 1 - probability[:1] if len(probability) == 2 else probability


def split_contact(probability: Any) -> tuple[Any, Any]:
    """Two classes and the contact from soft-max probabilities of background, cell and contact.

    Args:
        probability: (3, H, W), an array or a tensor.

    Returns:
        Probabilities (2, H, W) of background and cell, where contact is part of the cell; and of contact (1, H, W).
    """
    cell, contact = 1 - probability[:1], probability[2:]
    if isinstance(probability, torch.Tensor):
        return torch.cat([probability[:1], cell]), contact
    return np.concatenate([probability[:1], cell]), contact


def foreground_of(prediction: Any) -> Any:
    """Probability of foreground (1, H, W) of a prediction (1, H, W) or (K, H, W).

    Of more than two classes it is that of the likeliest of the others against class 0: m / (m + p_0), m = max(p_1,
    p_2, ...). It is at least 0.5 where class 0 is not the likeliest of all.
    """
    if len(prediction) == 1:
        return prediction
    if isinstance(prediction, torch.Tensor):
        likeliest = prediction[1:].amax(0, keepdim=True)
    else:
        likeliest = prediction[1:].max(axis=0, keepdims=True)
    return likeliest / (likeliest + prediction[:1])


def classes_of(prediction: Any, threshold: float = 0.5) -> Any:
    """Class of each pixel (1, H, W), of a prediction (1, H, W) or (K, H, W), as float or in the prediction's type.

    Where the probability of foreground is at least the threshold it is the likeliest class but class 0, elsewhere
    class 0. So a threshold of 0.5 gives the likeliest of all, and a lower one gives class 0 less.
    """
    is_foreground = foreground_of(prediction) >= threshold
    if isinstance(prediction, torch.Tensor):
        likeliest = 1 + prediction[1:].argmax(0, keepdim=True) if len(prediction) > 1 else 1
        return (is_foreground * likeliest).to(prediction.dtype)
    likeliest = 1 + prediction[1:].argmax(axis=0)[None] if len(prediction) > 1 else 1
    return np.asarray(is_foreground * likeliest, dtype=prediction.dtype)


def output_names(class_names: Sequence[str], contact: bool) -> tuple[str, ...]:
    """Names of a network's output channels: the classes and, if it is trained with `contact`, contact."""
    return (*class_names, *(["contact"] if contact else []))


def class_keys(names: Sequence[str]) -> list[str]:
    """A word for each class, for the names of its scores: letters, digits and _; no two are alike."""
    words = [re.sub(r"\W+", "_", name).strip("_") or "class" for name in names]
    taken = [word for word in words if words.count(word) == 1 and word not in ("threshold", "raw")]
    for index, word in enumerate(words):
        if word not in taken:
            number = next(number for number in count(index) if f"{word}_{number}" not in taken)
            words[index] = f"{word}_{number}"
            taken.append(words[index])
    return words
