"""Mutations of JSON documents: of their tree, and of their text."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2, 1.5, 1e30, 10**9, float("nan"), float("inf"), "", "x", "#", [], {}, [None], [[]]),
    *("../../../etc/passwd", "/etc/passwd", "with space", "$1+1", "@name", "%name", "\u0000", "ü", {"x": {"x": []}}),
)
TEXTS: dict[str, Callable[[str], bytes]] = {
    "cut off": lambda text: text[: len(text) // 2].encode(),
    "empty": lambda text: b"",
    "a trailing comma": lambda text: text.replace("}", ",}").encode(),
    "with a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "in UTF-16": lambda text: text.encode("utf-16"),
    "not UTF-8": lambda text: text.replace("a", "\x00").encode().replace(b"\x00", b"\xe9"),
    "a key twice": lambda text: f"{text[:-1]}, {text[1:]}".encode(),
    "a list": lambda text: f"[{text}]".encode(),
    "a word": lambda text: b'"word"',
    "a number": lambda text: b"3",
    "nested deep": lambda text: b"[" * 20_000 + b"]" * 20_000,
    "noise": lambda text: bytes(range(256)),
    "NaN": lambda text: b"NaN",
}


@dataclass(frozen=True)
class Mutation:
    """One change of a document.

    Attributes:
        how: "changed", "removed", "renamed", "doubled", or a key of `TEXTS`.
        place: which node, counted in the order of the document; from the start again beyond the last.
        value: for "changed".
    """

    how: str
    place: int = 0
    value: str = "null"

    def where(self, content: Any) -> str:
        """The place in words, with `#` between keys; empty for a change of the text."""
        nodes = list(_places(content))
        return "" if self.how in TEXTS else "#".join(map(str, nodes[self.place % len(nodes)]))

    def apply(self, content: Any) -> bytes:
        """The text of the changed document."""
        if self.how in TEXTS:
            return TEXTS[self.how](json.dumps(content))
        changed = copy.deepcopy(content)
        nodes = list(_places(changed))
        *parents, last = nodes[self.place % len(nodes)]
        node = changed
        for key in parents:
            node = node[key]
        if self.how == "changed":
            node[last] = json.loads(self.value)
        elif self.how == "removed":
            del node[last]
        elif isinstance(node, list):
            node.append(copy.deepcopy(node[last]))
        else:
            node[f"{last}s"] = node.pop(last) if self.how == "renamed" else node[last]
        return json.dumps(changed).encode()

    def write(self, path: Path, content: Any) -> None:
        """Write the changed document."""
        path.write_bytes(self.apply(content))


def _places(node: Any, above: tuple[Any, ...] = ()) -> Any:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*above, key)
        yield from _places(value, (*above, key))


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    """Any change; three of four are of the tree."""
    if draw(st.integers(0, 3)) == 0:
        return Mutation(draw(st.sampled_from(sorted(TEXTS))))
    how = draw(st.sampled_from(["changed", "changed", "changed", "removed", "renamed", "doubled"]))
    return Mutation(how, draw(st.integers(0, 400)), json.dumps(draw(st.sampled_from(VALUES))))
