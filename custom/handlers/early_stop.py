"""Early stopping that survives a restart."""

from __future__ import annotations

from typing import Any

from monai.handlers import EarlyStopHandler


class ResumableEarlyStop(EarlyStopHandler):
    """`monai.handlers.EarlyStopHandler` with its patience counter and best score in a state dict."""

    @property
    def has_stopped(self) -> bool:
        """Whether the patience is exhausted."""
        return self._handler is not None and self._handler.counter >= self.patience

    def reset(self) -> None:
        """Reset the patience counter; the best score is kept."""
        if self._handler is not None:
            self._handler.counter = 0

    def state_dict(self) -> dict[str, Any]:
        """Counter and best score; empty before :meth:`set_trainer`."""
        return dict(self._handler.state_dict()) if self._handler is not None else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore counter and best score; call :meth:`set_trainer` first."""
        if self._handler is None:
            raise RuntimeError("call set_trainer() before load_state_dict()")
        self._handler.load_state_dict(state)
