"""The one exception that means: what the user gave cannot be used, and here is what would be right."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input. The message is one line: the file or argument, what came, and what to do instead."""

    exit_code = 2


class SomeFailedError(UserError):
    """Some of the inputs failed, the results of the others are there; the message lists the former, one a line."""

    exit_code = 1
