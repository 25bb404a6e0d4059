"""Mutants of a source file: the operators are mutmut's, each mutant is the whole file with one change."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

# As in mutmut: a mutated annotation changes nothing, and these two functions fail whatever else they are given.
SKIPPED_NODES = (cst.Annotation, cst.Import, cst.ImportFrom)
SKIPPED_CALLS = {"len", "isinstance"}


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes:
        file: the path from the root of the repository, with slashes.
        line: where the change begins, from 1.
        function: dotted name of the function or method, empty at module or class level.
        first, last: lines of the whole function; 0 without one.
        runs_as_python: whether coverage can see the function run; false for compiled ones and without a function.
        before, after: the lines that differ, stripped.
        source: the mutated file.
    """

    file: str
    line: int
    function: str
    first: int
    last: int
    runs_as_python: bool
    before: str
    after: str
    source: str

    @cached_property
    def digest(self) -> str:
        """Identifies the mutant as long as the code of its file stays as it is; comments and docstrings may change."""
        return hashlib.sha256(f"{self.file}\n{_code(self.source)}".encode()).hexdigest()[:16]


def mutants_of(root: Path, file: str) -> list[Mutant]:
    """All mutants of a file in the order of its text; text of error messages, annotations and imports are left alone.

    Args:
        root: root of the repository.
        file: path of the file from there.
    """
    original = (root / file).read_text()
    wrapper = MetadataWrapper(cst.parse_module(original))
    visitor = _Changes()
    wrapper.visit(visitor)
    found: dict[str, Mutant] = {}
    for change in visitor.changes:
        source = cst.ensure_type(wrapper.module.deep_replace(change.old, change.new), cst.Module).code
        if source in found or source == original or not _is_valid(source):
            continue
        line, before, after = _difference(original, source)
        found[source] = Mutant(file, line, *change.place, before, after, source)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def sample(mutants: list[Mutant], count: int | None, seed: int) -> list[Mutant]:
    """The first `count` mutants in a random order: a run that is stopped has tried a smaller sample.

    The order is that of a hash of seed and change, so that a larger sample begins with a smaller one, and an edit
    elsewhere leaves it alone.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    order = {}
    for mutant in mutants:
        change = (mutant.file, mutant.function, mutant.before, mutant.after)
        order[mutant.digest] = hashlib.sha256(repr((seed, change, seen[change])).encode()).digest()
        seen[change] += 1
    return sorted(mutants, key=lambda mutant: order[mutant.digest])[:count]


@dataclass(frozen=True)
class _Change:
    old: cst.CSTNode
    new: cst.CSTNode
    place: tuple[str, int, int, bool]  # function, its first and last line, runs_as_python


class _Changes(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[_Change] = []
        self.names: list[str] = []
        self.places: list[tuple[str, int, int, bool]] = [("", 0, 0, False)]
        self.raises = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (*SKIPPED_NODES, cst.Decorator)) or _is_skipped_call(node) or _is_static(node):
            return False
        self._enter(node)
        for kind, operator in mutation_operators:
            # The words of an error message are no behaviour that a test should pin.
            if isinstance(node, kind) and not (self.raises and isinstance(node, cst.BaseString)):
                self.changes += [_Change(node, new, self.places[-1]) for new in operator(node)]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self.names.pop()
        if isinstance(original_node, cst.FunctionDef):
            self.places.pop()
        self.raises -= isinstance(original_node, cst.Raise)

    def _enter(self, node: cst.CSTNode) -> None:
        self.raises += isinstance(node, cst.Raise)
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self.names.append(node.name.value)
        if isinstance(node, cst.FunctionDef):
            span = self.get_metadata(PositionProvider, node)
            compiled = any(_name(decorator.decorator) == "compiled" for decorator in node.decorators)
            # The line of `def` itself runs on import, whoever calls the function.
            self.places.append((".".join(self.names), span.start.line + 1, span.end.line, not compiled))


def _name(node: cst.BaseExpression) -> str:
    return node.value if isinstance(node, cst.Name) else ""


def _is_skipped_call(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Call) and _name(node.func) in SKIPPED_CALLS


def _is_static(node: cst.CSTNode) -> bool:
    """Whether a node is the list of exported names or the name of a type."""
    if isinstance(node, cst.AnnAssign):
        return _name(node.annotation.annotation) == "TypeAlias"
    return isinstance(node, cst.Assign) and _name(node.targets[0].target) == "__all__"


def _code(source: str) -> str:
    """The syntax tree of a file without its docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)


def _is_valid(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _difference(before: str, after: str) -> tuple[int, str, str]:
    """First line that differs, and the text that differs in both, line breaks and indentation taken out."""
    a, b = before.splitlines(), after.splitlines()
    blocks = [block for block in SequenceMatcher(None, a, b, autojunk=False).get_opcodes() if block[0] != "equal"]
    first, last, first_b, last_b = blocks[0][1], blocks[-1][2], blocks[0][3], blocks[-1][4]
    return first + 1, " ".join(_stripped(a[first:last])), " ".join(_stripped(b[first_b:last_b]))


def _stripped(lines: list[str]) -> Iterator[str]:
    return (line.strip() for line in lines if line.strip())
