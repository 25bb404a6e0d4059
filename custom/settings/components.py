"""The arguments that a component of a configuration accepts: parameters of its `_target_`, and their types."""

from __future__ import annotations

import ast
import contextlib
import difflib
import enum
import functools
import importlib.util
import inspect
import types
import typing
from dataclasses import dataclass, field
from pydoc import ErrorDuringImport, locate
from typing import Any

from monai.bundle import ConfigParser
from torch.utils.data import DataLoader

from ..errors import UserError
from .values import meant, shown

SIMPLE = {int, float, bool, type(None)}


@dataclass(frozen=True)
class Arguments:
    """Names and annotations of the parameters; the default accepts everything."""

    hints: dict[str, Any] = field(default_factory=dict)
    takes_any: bool = True

    def accepts(self, name: str) -> bool:
        """Whether there is a parameter of that name."""
        return self.takes_any or name in self.hints


def arguments_of(parser: ConfigParser, target: Any, id: str) -> Arguments:
    """Parameters of the class or function that `_target_` names, in full or by MONAI's short name.

    Raises:
        UserError: there is no such class or function.
    """
    if not isinstance(target, str):
        raise UserError(f"{id}#_target_ is {shown(target)}; expected the name of a class or function")
    module = parser.locator.get_component_module_name(target)
    module = module[0] if isinstance(module, list) else module
    path = f"{module}.{target}" if module else target
    try:
        component = locate(path)
    except ErrorDuringImport as error:
        raise UserError(f"{id}#_target_ is {target!r}, which cannot be imported ({error.value})") from error
    if not callable(component):
        raise UserError(f"{id}#_target_ is {target!r}: no such class or function{_neighbours(parser, target)}")
    if target == "MLFlowHandler" and importlib.util.find_spec("mlflow") is None:
        raise UserError("--tracking mlflow: MLflow is not installed; `pip install mlflow`, or leave the option out")
    return _parameters(component)


@functools.cache
def _parameters(component: Any) -> Arguments:
    try:
        parameters = inspect.signature(component).parameters.values()
    except (TypeError, ValueError):  # built in, without a signature
        return Arguments()
    annotations = _annotations(component)
    hints: dict[str, Any] = {}
    takes_any = False
    for parameter in parameters:
        hint = annotations.get(parameter.name)
        if parameter.kind is parameter.VAR_KEYWORD:
            named = typing.get_args(hint)
            if typing.get_origin(hint) is typing.Unpack:
                hints |= typing.get_type_hints(named[0])
            else:
                takes_any = True
        elif parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            default = parameter.default
            if hint is None and default is not parameter.empty and default is not None:
                hint = type(default)
            hints[parameter.name] = hint
    if takes_any and inspect.isclass(component) and issubclass(component, DataLoader) and component is not DataLoader:
        return Arguments({**_parameters(DataLoader).hints, **hints}, takes_any=False)  # subclasses hand them on
    return Arguments(hints, takes_any)


def _annotations(component: Any) -> dict[str, Any]:
    function = component.__init__ if inspect.isclass(component) else component
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # names that are only imported for type checkers
        return {}


def read_argument(name: str, value: Any, hint: Any) -> Any:
    """Convert a value for a parameter: a text such as "30" or "false" may be a number or a boolean.

    Args:
        name: for the message.
        value: a scalar.
        hint: annotation of the parameter, or None.

    Raises:
        UserError: the parameter accepts only numbers or booleans, and the value is neither.
    """
    kinds = set(_flat(hint))
    word = meant(value)
    if not _takes_text(kinds) or type(word) in kinds:
        value = word
    if not kinds or not kinds <= SIMPLE:
        return value
    if isinstance(value, str) and kinds & {int, float}:
        with contextlib.suppress(ValueError, SyntaxError):
            value = ast.literal_eval(value)
    fits = type(value) in kinds or (type(value) is int and float in kinds)
    if not fits:
        raise UserError(f"{name} is {shown(value)}; expected {_words(kinds)}")
    return value


def _flat(hint: Any) -> typing.Iterator[Any]:
    """The alternatives of an annotation; of a `Literal`, the types of its values."""
    origin = typing.get_origin(hint)
    if hint is None:
        return
    if origin in (typing.Union, types.UnionType):
        for part in typing.get_args(hint):
            yield from _flat(part)
    elif origin is typing.Literal:
        yield from (type(value) for value in typing.get_args(hint))
    elif origin is typing.Annotated:
        yield from _flat(typing.get_args(hint)[0])
    else:
        yield origin or hint


def _takes_text(kinds: set[Any]) -> bool:
    """Whether the parameter accepts text: its annotation names `str`, an enumeration or an unknown type."""
    known = {kind for kind in kinds if isinstance(kind, type) and kind is not object}
    return known != kinds or any(issubclass(kind, (str, enum.Enum)) for kind in known)


def _words(kinds: set[Any]) -> str:
    number = {float: "a number", int: "an integer"}
    words = [next(word for kind, word in number.items() if kind in kinds)] if kinds & set(number) else []
    words += [word for kind, word in ((bool, "true or false"), (type(None), "none")) if kind in kinds]
    return " or ".join(words)


def _neighbours(parser: ConfigParser, target: str) -> str:
    """Names similar to an unknown one: in its module, or among MONAI's components."""
    parent, _, name = target.rpartition(".")
    try:
        module = locate(parent) if parent else None
    except ErrorDuringImport:
        module = None
    names = dir(module) if module is not None else (parser.locator._components_table or ())
    close = difflib.get_close_matches(name, names, n=3)
    prefix = f"{parent}." if module is not None else ""
    return f"; did you mean {', '.join(prefix + found for found in close)}?" if close else "; name it in full"
