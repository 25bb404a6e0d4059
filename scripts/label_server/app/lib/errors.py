"""The bundle's own errors about bad input, wherever a library wrapped them."""

from __future__ import annotations

from .names import RequestError


def input_error(error: BaseException | None) -> BaseException | None:
    """The bundle's `UserError` that `error` is or was caused by, if any. The bundle's package has a name of its own."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:  # an error that was raised from itself is its own cause
        if type(error).__name__ == "UserError":
            return error
        seen.append(error)
        error = error.__cause__ or error.__context__
    return None


def as_request_error(error: Exception) -> Exception:
    """The error as `RequestError` if it is about bad input, else as it is."""
    cause = input_error(error)
    return error if cause is None else RequestError(400, str(cause))
