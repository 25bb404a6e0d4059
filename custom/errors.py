"""Exceptions for errors that a user can fix."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input. The message is one line: the file or argument, the problem, and how to fix it."""

    exit_code = 2


class SomeFailedError(UserError):
    """Some of the inputs failed, the others succeeded; the message lists the failures, one per line."""

    exit_code = 1
