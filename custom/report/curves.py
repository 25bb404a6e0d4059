"""Curves of a training, from its TensorBoard events."""

from __future__ import annotations

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

Curves = dict[str, tuple[list[int], list[float]]]


def learning_curve(run: Path) -> Curves:
    """Steps and values of each TensorBoard scalar of a run folder, by tag, in the order of the steps."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(run.glob("events.out.tfevents.*")):
        if file.suffix == ".pictures" or not file.is_file():
            continue
        events = EventAccumulator(str(file), size_guidance={"scalars": 0}).Reload()
        for tag in events.Tags()["scalars"]:
            curves.setdefault(tag, []).extend((event.step, event.value) for event in events.Scalars(tag))
    return {
        tag: ([step for step, _ in sorted(points)], [value for _, value in sorted(points)])
        for tag, points in curves.items()
    }
