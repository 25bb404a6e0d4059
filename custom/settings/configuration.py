"""The check of a merged configuration: overlays, command line and arguments files, at any depth, before data are read.

MONAI itself accepts every id and every value, and silently ignores overrides that nothing refers to.
"""

from __future__ import annotations

import ast
import builtins
import difflib
import os
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from monai.bundle import ConfigComponent, ConfigParser, ReferenceResolver
from monai.bundle.properties import InferProperties, TrainProperties
from monai.utils import BundlePropertyConfig

from ..bundle_call import BundleCall
from ..config import active_parser
from ..errors import UserError
from ..exits import one_line_errors
from .components import Arguments, arguments_of, read_argument
from .declarations import RUNS, STRUCTURE
from .setting import settings_of
from .values import is_plain, meant, shown

SEP = ReferenceResolver.sep
# Types of values from files and command lines; programs also pass objects (MONAI Label passes a `torch.device`).
GIVEN = (str, os.PathLike, int, float, list, tuple, dict, set, type(None))
KEPT = "_meta_"  # the metadata, which are not part of the configuration
PROPERTIES = frozenset(
    str(property[BundlePropertyConfig.ID])
    for table in (TrainProperties, InferProperties)
    for property in typing.cast("dict[str, dict[Any, Any]]", table).values()
)


def check(parser: ConfigParser | None = None) -> None:
    """Check a configuration as a whole: the first expression of each run, before data are read.

    Rejects ids that nothing refers to, unknown arguments of components, components and names that do not exist, and
    values of a wrong type or out of range. Texts such as "false" are replaced by the values they stand for, before the
    following expressions of the run are evaluated.

    Args:
        parser: by default the one that evaluates the expression in which this is called.

    Raises:
        UserError: the first invalid setting, in one line.
    """
    call = BundleCall.find()
    if call.is_command:
        one_line_errors()
    parser = parser or active_parser()
    call.check_words(parser)
    for id in call.dropped:
        if parser.get(id, "") is not None:
            parser[id] = None
    if not parser.ref_resolver.items:
        parser.parse()
    _Check(parser, call).run()


class _Check:
    """One check of one configuration."""

    def __init__(self, parser: ConfigParser, call: BundleCall) -> None:
        self.parser, self.call = parser, call
        self.config = {key: value for key, value in parser.get().items() if key != KEPT}
        run = next((run for run in reversed(RUNS) if run in self.config), "training")
        self.settings = settings_of(run)
        self.strings = list(_strings(self.config))
        self.references = {
            reference for _, value in self.strings for reference in ReferenceResolver.match_refs_pattern(value)
        } - {""}
        declared = {id.replace("#", SEP) for id in {*self.settings, *STRUCTURE}}
        self.whole = (self.references | PROPERTIES | declared | call.run_ids) - {"train", "validate"}
        self.base = _base(self.config_root(), "inference.json" if run == "inferring" else "train.json")
        self.named = self.whole | declared | set(self.base)
        self.changes: dict[str, Any] = {}

    def run(self) -> None:
        """Raise `UserError` for the first invalid setting; write back the parsed values."""
        self.check_keys("", self.config)
        self.check_expressions()
        self.check_settings()
        if self.changes:
            for id, value in self.changes.items():
                self.parser[id] = value
            # Setting an id empties MONAI's resolver; the item that is being evaluated must be in it.
            self.parser.parse()

    def config_root(self) -> Path:
        """Folder of the bundle's own configuration."""
        if self.call.config_root is not None:
            return self.call.config_root
        root = self.settings["bundle_root"].read(self.parser.get("bundle_root"), self.call.typed.get("bundle_root"))
        if is_plain(root) and not Path(root).is_dir():
            given = f"{self.shown('bundle_root')} is {shown(root)}"
            raise UserError(f"{given}; there is no such folder: start in the folder of the repository")
        return Path(root) / "configs"

    def check_keys(self, id: str, config: dict[str, Any]) -> None:
        """Reject keys of a plain dictionary that no reference or expression uses."""
        for _, child, value in ReferenceResolver.iter_subconfigs(id, config):
            if not any(name == child or name.startswith(f"{child}{SEP}") for name in self.named):
                offered = {name[len(id) :].lstrip(":").split(SEP)[0] for name in self.named if name.startswith(id)}
                offered &= set(config) - {_last(child)}
                raise UserError(
                    f"{self.shown(child)} has no effect: nothing refers to it{_advice(_last(child), offered)}"
                )
            self.check_kind(child, value)
            if isinstance(value, dict) and "_target_" not in value and child not in self.whole:
                self.check_keys(child, value)
            else:
                self.check_value(child, value)

    def check_kind(self, id: str, value: Any) -> None:
        """Require that a component, list or dictionary is replaced by another one, a reference or an expression."""
        base = self.base.get(id)
        if _public(id) in self.settings or not is_plain(value) or not isinstance(value, GIVEN):
            return
        refers = isinstance(base, str) and base.startswith("@")
        if (refers or ConfigComponent.is_instantiable(base)) and not ConfigComponent.is_instantiable(value):
            near = base if refers else "@ID"
            expected = f"a component (an object with _target_) or a reference such as {near}"
        elif isinstance(base, (dict, list)) and not isinstance(value, type(base)):
            expected = "an object of ids" if isinstance(base, dict) else "a list"
        else:
            return
        self.call.check_given(_public(id), None)
        raise UserError(f"{self.shown(id)} is {shown(value)}; expected {expected}")

    def check_value(self, id: str, value: Any) -> None:
        """Check the components and texts in a part of the configuration that is referred to as a whole."""
        if ConfigComponent.is_instantiable(value):
            self.check_component(id, value)
        elif isinstance(value, (dict, list)):
            base = self.base.get(id, {})
            for key, child, item in ReferenceResolver.iter_subconfigs(id, value):
                if isinstance(value, dict) and isinstance(base, dict) and key not in base:
                    self.check_member(child, item, value)
                self.check_value(child, item)
        elif _public(id) not in self.settings:
            self.call.check_given(_public(id), None)
            if meant(value) is not value:
                self.changes[id] = meant(value)

    def check_member(self, id: str, value: Any, members: dict[str, Any]) -> None:
        """Reject a plain value in a dictionary whose other members are all components or references to them."""
        others = [other for other in members.values() if other is not value]
        refer = all(
            ConfigComponent.is_instantiable(other) or (isinstance(other, str) and not is_plain(other))
            for other in others
        )
        if others and refer and is_plain(value) and isinstance(value, GIVEN) and not isinstance(value, (dict, list)):
            known = [_last(id), *(key for key, other in members.items() if other is not value)]
            raise UserError(
                f"{self.shown(id)} is {shown(value)}; expected a component or a reference, as beside it"
                f"{_advice(known[0], known[1:])}"
            )

    def check_component(self, id: str, config: dict[str, Any]) -> None:
        target = config["_target_"]
        arguments = arguments_of(self.parser, target, _public(id)) if is_plain(target) else Arguments()
        given = {key: value for key, value in config.items() if key not in ConfigComponent.non_arg_keys}
        for key, value in given.items():
            child = f"{id}{SEP}{key}"
            if not arguments.accepts(key):
                raise UserError(f"{self.shown(child)}: {target} has no argument {key!r}{_advice(key, arguments.hints)}")
            if isinstance(value, (dict, list)):
                self.check_value(child, value)
            elif is_plain(value) and _public(child) not in self.settings:
                self.read_argument(child, value, arguments.hints.get(key))

    def read_argument(self, id: str, value: Any, hint: Any) -> None:
        """Convert a text to the type of its parameter."""
        self.call.check_given(_public(id), hint)
        read = read_argument(self.shown(id), value, hint)
        if type(read) is not type(value):
            self.changes[id] = read

    def check_settings(self) -> None:
        for id, setting in self.settings.items():
            if not setting.applies(self.parser):
                continue
            value = self.parser[id]
            if not is_plain(value) or not isinstance(value, GIVEN):
                continue
            if not setting.is_flag:
                self.call.check_given(id, None)
            read = setting.read(value, self.call.typed.get(id))
            if isinstance(read, str) and (SEP in read or "#" in read):
                read = _with_hash(read)
            if read != value or not isinstance(value, (type(read), int)):  # 1 is a valid float
                self.changes[id] = read

    def check_expressions(self) -> None:
        """Check that references exist, and that expressions are valid Python with known names."""
        for id, value in self.strings:
            for reference in ReferenceResolver.match_refs_pattern(value):
                if reference and reference not in self.parser:
                    ids = [id for id in self.parser.ref_resolver.items if id.count(SEP) == reference.count(SEP)]
                    missing = f"@{_public(reference)}, which does not exist"
                    raise UserError(f"{self.shown(id)} refers to {missing}{_advice(reference, ids)}")
        names = {name for _, value in self.strings for name in _imported(value)} | set(self.parser.globals)
        for id, value in self.strings:
            if value.startswith("$"):
                self.check_expression(id, value, names)

    def check_expression(self, id: str, value: str, names: set[str]) -> None:
        code = ReferenceResolver.id_matcher.sub("_", ReferenceResolver.normalize_id(value)[1:])
        try:
            tree = ast.parse(code)
        except SyntaxError as error:
            raise UserError(
                f"{self.shown(id)} is {value!r}, which is not a Python expression ({error.msg}); "
                "a value that begins with $ is evaluated as one"
            ) from error
        nodes = list(ast.walk(tree))
        bound = {node.arg for node in nodes if isinstance(node, ast.arg)}
        bound |= {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        loaded = {node.id for node in nodes if isinstance(node, ast.Name)} - bound - names - {"_", "__local_refs"}
        for name in sorted(loaded - set(dir(builtins))):
            raise UserError(f"{self.shown(id)} is {value!r}, but {name!r} is not imported{_advice(name, names)}")

    def shown(self, id: str) -> str:
        """The id as a user writes it, with `--` if it came from a command line."""
        public = _public(id)
        return f"--{public}" if public in self.call.typed else public


def _base(root: Path, name: str) -> dict[str, Any]:
    """Ids and values of the bundle's own configuration, components as a whole.

    These ids are valid even if an overlay replaced all references to them.
    """
    return dict(_items(ConfigParser.load_config_file(root / name))) if (root / name).is_file() else {}


def _items(config: dict[str, Any], id: str = "") -> Iterator[tuple[str, Any]]:
    for _, child, value in ReferenceResolver.iter_subconfigs(id, config):
        yield child, value
        if isinstance(value, dict) and "_target_" not in value:
            yield from _items(value, child)


def _with_hash(text: str) -> str:
    """An expression that evaluates to the text with `#`, which MONAI replaced by `::`.

    MONAI reads `#` in any text as its old separator of ids, and would change a path such as `runs/cells#2`.
    """
    return "$" + repr(text.replace(SEP, "#")).replace("#", "\\x23")


def _strings(config: Any, id: str = "") -> Iterator[tuple[str, str]]:
    """All texts of a configuration with their ids."""
    if isinstance(config, str):
        yield id, config
    elif isinstance(config, (dict, list)):
        for _, child, value in ReferenceResolver.iter_subconfigs(id, config):
            yield from _strings(value, child)


def _imported(value: str) -> Iterator[str]:
    """Names that an expression such as `$import numpy as np` defines for all others."""
    if not value.startswith("$") or "import" not in value:
        return
    try:
        tree = ast.parse(value[1:])
    except SyntaxError:
        return
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)


def _last(id: str) -> str:
    return id.rpartition(SEP)[2]


def _public(id: str) -> str:
    return id.replace(SEP, "#")


def _advice(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=3)
    meant = f"; did you mean {', '.join(map(_public, close))}?" if close else ";"
    return f"{meant} `python -m scripts.settings` lists the settings"
