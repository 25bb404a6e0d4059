"""Mutants of a source file: the operators are mutmut's, each mutant is the whole file with one change."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import cast

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper, PositionProvider
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
        digest: identifies the mutant while the code of its file stays as it is; comments and docstrings may change.
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
    digest: str


def mutants_of(root: Path, file: str) -> list[Mutant]:
    """All mutants of a file in the order of its text.

    Error messages, annotations, imports and `strict` of `zip` are left alone.

    Args:
        root: root of the repository.
        file: path of the file from there.
    """
    wrapper = MetadataWrapper(cst.parse_module((root / file).read_text()))
    pieces = _Pieces(file, wrapper.module)
    visitor = _Changes()
    found: dict[str, Mutant] = {}
    with visitor.resolve(wrapper):
        for index, statement in enumerate(wrapper.module.body):
            statement.visit(visitor)
            for change in visitor.take():
                mutant = pieces.mutant(index, change)
                if mutant is not None:
                    found.setdefault(mutant.source, mutant)
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
    start: int | None  # of the old node in the file, in bytes
    place: tuple[str, int, int, bool]  # function, its first and last line, runs_as_python


class _Pieces:
    """A file as its top-level statements: a mutant costs the parsing of one of them, not of the file.

    Args:
        file: the path from the root of the repository.
        module: the file's syntax tree.
    """

    def __init__(self, file: str, module: cst.Module) -> None:
        self.file, self.module = file, module
        self.texts = [module.code_for_node(statement) for statement in module.body]
        self.codes = [_code(text) for text in self.texts]
        self.head = "".join(module.code_for_node(line) for line in module.header)
        self.foot = module.code[len(self.head + "".join(self.texts)) :]

    def mutant(self, index: int, change: _Change) -> Mutant | None:
        """The file with one change in a statement; None if it is not valid Python or changes nothing."""
        before = self.texts[index]
        after = self._changed(index, change)
        if after == before or not _is_valid(after):
            return None
        above = self.head + "".join(self.texts[:index])
        source = above + after + "".join(self.texts[index + 1 :]) + self.foot
        code = "\n".join([self.file, *self.codes[:index], _code(after), *self.codes[index + 1 :]])
        digest = hashlib.sha256(code.encode()).hexdigest()[:16]
        line, old, new = _difference(before, after)
        return Mutant(self.file, above.count("\n") + line, *change.place, old, new, source, digest)

    def _changed(self, index: int, change: _Change) -> str:
        text, old = self.texts[index].encode(), self.module.code_for_node(change.old).encode()
        if change.start is not None:
            start = change.start - len((self.head + "".join(self.texts[:index])).encode())
            if text[start : start + len(old)] == old:
                new = self.module.code_for_node(change.new).encode()
                return (text[:start] + new + text[start + len(old) :]).decode()
        # A node in parentheses, or with lines whose indentation its own text lacks.
        changed = self.module.body[index].deep_replace(change.old, change.new)
        return self.module.code_for_node(cast("cst.CSTNode", changed))


class _Changes(cst.CSTVisitor):
    """Collects the changes of the top-level statements that it visits."""

    METADATA_DEPENDENCIES = (ByteSpanPositionProvider, PositionProvider)

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[_Change] = []
        self.names: list[str] = []
        self.places: list[tuple[str, int, int, bool]] = [("", 0, 0, False)]
        self.raises = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, (*SKIPPED_NODES, cst.Decorator)) or _is_skipped_call(node) or _is_static(node):
            return False
        if _is_strict(node) or (self.raises and isinstance(node, cst.BaseString)):
            return False
        self._enter(node)
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                span = self.get_metadata(ByteSpanPositionProvider, node, None)
                start = None if span is None else span.start
                self.changes += [
                    _Change(node, new, start, self.places[-1]) for new in operator(node) if not _drops_strict(node, new)
                ]
        return True

    def take(self) -> list[_Change]:
        """The changes found since the last call."""
        changes, self.changes = self.changes, []
        return changes

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


def _is_strict(node: cst.CSTNode) -> bool:
    """Whether a node is the argument `strict` of `zip`: an assertion, which no input should ever fail."""
    return isinstance(node, cst.Arg) and node.keyword is not None and node.keyword.value == "strict"


def _drops_strict(old: cst.CSTNode, new: cst.CSTNode) -> bool:
    if not (isinstance(old, cst.Call) and isinstance(new, cst.Call) and _name(old.func) == "zip"):
        return False
    values = [[_name(arg.value) for arg in call.args if _is_strict(arg)] for call in (old, new)]
    return values[0] != values[1]


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
