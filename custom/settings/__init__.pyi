from .configuration import check
from .declarations import RUNS, STRUCTURE, Common, Evaluating, Inferring, Objects, Trained, Training
from .setting import Setting, declared_in, settings_of
from .values import shown

__all__ = [
    "RUNS",
    "STRUCTURE",
    "Common",
    "Evaluating",
    "Inferring",
    "Objects",
    "Setting",
    "Trained",
    "Training",
    "check",
    "declared_in",
    "settings_of",
    "shown",
]
