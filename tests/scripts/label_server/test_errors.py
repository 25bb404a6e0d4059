"""Errors about bad input are found wherever they were wrapped."""

from __future__ import annotations

from scripts.label_server.app.lib.errors import as_request_error, input_error
from scripts.label_server.app.lib.names import RequestError


class UserError(ValueError):
    """As each bundle has one of its own."""


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def test_bad_input_is_found_below_other_errors():
    error = caused(RuntimeError("failed"), caused(ValueError("wrapped"), UserError("a.png: no pixels")))
    assert str(input_error(error)) == "a.png: no pixels"
    found = as_request_error(error)
    assert isinstance(found, RequestError)
    assert (found.status, found.detail) == (400, "a.png: no pixels")


def test_an_error_that_is_its_own_cause_ends_the_search():
    error = RuntimeError("failed")
    for cause in (error, caused(ValueError("wrapped"), error)):
        assert input_error(caused(error, cause)) is None
        assert as_request_error(error) is error
