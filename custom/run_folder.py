"""The output folder of a training: free for a new one, or with one to continue."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from .errors import UserError
from .files import require_space
from .lock import hold_lock
from .model import MODEL_FILE

MODEL_FILES = (MODEL_FILE, "model.pt")
CURVES = "events.out.tfevents.*"  # TensorBoard's files
REPORTS = 2**25  # bytes for curves, pictures and the report


def is_first_rank() -> bool:
    """True in a run without `torch.distributed` and on its rank 0."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


def claim(path: str | os.PathLike[str], resume: bool = False, overwrite: bool = False) -> list[Path]:
    """Keep other processes out of the folder of a training until this process ends, if it is free for the training.

    Call it before anything is written there. On other ranks than the first it does nothing.

    Args:
        path: the checkpoint in the folder, which may be missing.
        resume: continue from ``path`` if it exists.
        overwrite: a training that is not resumed may replace the one in the folder.

    Returns:
        Curves of earlier trainings that are not continued; remove them when the new one runs.

    Raises:
        UserError: the folder holds a training that is not to be resumed or lacks a part of it, or another process
            writes to it.
    """
    if not is_first_rank():
        return []
    path = Path(path)
    folder = path.parent
    hold_lock(folder)
    if not overwrite:
        _require_free(path, resume)
    return [] if resume and path.is_file() else [file for file in sorted(folder.glob(CURVES)) if file.is_file()]


def _require_free(path: Path, resume: bool) -> None:
    folder = path.parent
    used = [name for name in (path.name, *MODEL_FILES) if (folder / name).exists()]
    if resume and used and not path.is_file():
        raise UserError(
            f"{folder} holds a model ({used[0]}), but no {path.name} to continue from: give another "
            "--output_dir, or replace the model with --overwrite true"
        )
    if used and not resume and not (used == [path.name] and _is_untrained(path)):
        raise UserError(
            f"{folder} holds a training already ({used[0]}): continue it with --resume true, "
            "or give another --output_dir"
        )


def _is_untrained(path: Path) -> bool:
    """Whether the checkpoint is that of before the first step, so that nothing is lost with it."""
    try:
        return bool(load_checkpoint(path)["trainer"]["epoch"] == 0)
    except UserError:
        return False


def require_disk(folder: str | os.PathLike[str], network: nn.Module) -> None:
    """Raise UserError unless the disk of an output folder has room for what the training of a network writes.

    The checkpoint has up to four numbers for a weight: itself, its average and two of the optimizer. Checkpoint and
    model are written beside those that they replace.
    """
    weights = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    there = sum(file.stat().st_size for file in Path(folder).glob("*") if file.is_file())
    require_space(folder, max(0, 2 * (4 + 1) * weights + REPORTS - there))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU.

    Raises:
        UserError: it is missing, damaged or of another version.
    """
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        json.loads(checkpoint["settings"])
        _ = checkpoint["trainer"]["epoch"], checkpoint["evaluator"]["best_metric_epoch"]
    except (OSError, LookupError, TypeError, ValueError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{path} is damaged or of another version: it cannot be resumed; give another --output_dir"
        ) from error
    return checkpoint
