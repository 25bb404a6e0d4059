"""Access to the configuration that is being evaluated, which MONAI does not give to expressions."""

from __future__ import annotations

import inspect
from typing import Any

from monai.bundle import ConfigParser

from .errors import UserError


def active_parser() -> ConfigParser:
    """The parser that evaluates the expression in which this function is called.

    MONAI evaluates `$` expressions without a reference to the configuration as a whole, so it is found in the calling
    frames. This works from the command line, from Python, under torchrun and in MONAI Label.

    Raises:
        UserError: called from anywhere else.
    """
    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, ConfigParser):
            return caller
        frame = frame.f_back
    raise UserError("active_parser() was called outside an expression of a MONAI bundle configuration")


def plain_config(parser: ConfigParser, id: str) -> Any:
    """The configuration under an id as plain values: references and expressions are replaced by their values.

    Components stay dictionaries with `_target_`; keys that begin with `_`, such as `_disabled_`, are kept.
    """
    config = parser[id]
    if isinstance(config, dict):
        return {key: plain_config(parser, f"{id}::{key}") for key in config}
    if isinstance(config, list):
        return [plain_config(parser, f"{id}::{index}") for index in range(len(config))]
    if isinstance(config, str) and config[:1] in ("@", "$"):
        return parser.get_parsed_content(id)
    return config
