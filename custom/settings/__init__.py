"""Settings of the workflows: declared once, listed by a command, checked before data are read."""

from .configuration import check
from .declarations import RUNS, STRUCTURE, Setting, settings_of

__all__ = ["RUNS", "STRUCTURE", "Setting", "check", "settings_of"]
