"""Scores as files."""

from __future__ import annotations

from ignite.engine import Engine
from monai.handlers import MetricsSaver

from ..files import replace_files


class ScoresSaver(MetricsSaver):
    """MONAI's `MetricsSaver`, whose files appear complete or not at all; arguments as there.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """

    def __call__(self, engine: Engine) -> None:
        """Write the files of the epoch."""
        folder = self.save_dir
        with replace_files(folder) as temporary:
            self.save_dir = str(temporary)
            try:
                super().__call__(engine)
            finally:
                self.save_dir = folder
