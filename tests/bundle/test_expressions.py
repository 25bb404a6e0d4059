"""Configs are code: what the shipped ones may run, by rule.

A config is as powerful as a script, so that a change of one is read as code. This list keeps the shipped ones small:
they call this project, MONAI, Ignite and parts of PyTorch, and read the variables of `torchrun`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from monai.bundle.config_item import ComponentLocator

CONFIGS = sorted(Path("bundle/configs").rglob("*.json"))
REFERENCE = re.compile(r"@\w+(?:(?:#|::)\w+)*")
MODULES = {"custom", "monai", "torch", "ignite", "os"}  # `os`: `os.environ[...]` alone
BUILTINS = {"getattr", "int", "isinstance", "len", "max", "min"}
VARIABLES = {"RANK", "LOCAL_RANK", "WORLD_SIZE"}
IMPORTED = {"from_engine", "Events"}
# These read code or files, or fetch them, whatever package they are called through.
DANGEROUS = {"load", "hub", "jit", "compile", "package", "cpp_extension", "bundle", "apps", "eval", "exec", "system"}
TARGETS = ("custom.", "monai.", "ignite.", "torch.optim.", "torch.utils.data.", "torch.nn.")


def strings(config: Any) -> Iterator[tuple[str | None, str]]:
    """Every text of a config, with its key if it has one."""
    if isinstance(config, dict):
        for key, value in config.items():
            yield from ((key, value),) if isinstance(value, str) else strings(value)
    elif isinstance(config, list):
        for value in config:
            yield from ((None, value),) if isinstance(value, str) else strings(value)


def objections(expression: str) -> list[str]:
    """What an expression of a config, without its `$`, does that is not on the list."""
    tree = ast.parse(REFERENCE.sub("reference", expression).strip())
    bound = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    bound |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    allowed = MODULES | BUILTINS | IMPORTED | bound | {"reference"}
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found += [name.name for name in names if name.name not in MODULES or name.asname]
            case ast.ImportFrom(module=module, names=names):
                found += [name.name for name in names if name.name not in IMPORTED]
                found += [str(module)] if str(module).partition(".")[0] not in MODULES - {"os"} else []
            case ast.Name(id=name) if name not in allowed:
                found.append(name)
            case ast.Attribute(attr=name) if name.startswith("_") or name in DANGEROUS:
                found.append(name)
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=name), *_]) if name.startswith("_"):
                found.append(name)
            case ast.NamedExpr() | ast.Await() | ast.Yield() | ast.JoinedStr():
                found.append(type(node).__name__)
    return found + uses_of_os(tree)


def uses_of_os(tree: ast.AST) -> list[str]:
    """Uses of `os` other than the variables of `torchrun`."""
    harmless = {
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "environ"
        and isinstance(node.slice, ast.Constant)
        and node.slice.value in VARIABLES
    }
    return ["os" for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "os" and node not in harmless]


@cache
def locator() -> ComponentLocator:
    return ComponentLocator()


def is_known_target(target: str) -> bool:
    """Whether a `_target_` is this project's, or of a library on the list; a short name is one of MONAI's."""
    if "." in target:
        return target.startswith(TARGETS) and not any(part.startswith("_") for part in target.split("."))
    module = locator().get_component_module_name(target)
    return isinstance(module, str) and module.startswith("monai.")


class TestShippedConfigs:
    @pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
    def test_expressions_and_targets_are_on_the_list(self, file):
        for key, text in strings(json.loads(file.read_text())):
            if text.startswith("$"):
                assert objections(text[1:]) == [], text
            if key is not None and key.rpartition("#")[2] == "_target_":  # overlays: `network_def#_target_`
                assert is_known_target(text), text

    def test_there_are_some(self):
        texts = [text for file in CONFIGS for _, text in strings(json.loads(file.read_text()))]
        assert sum(text.startswith("$") for text in texts) > 50


class TestTheList:
    @pytest.mark.parametrize(
        "expression",
        [
            "__import__('os').system('true')",
            "os.system('true')",
            "os.environ",
            "os.environ['HOME']",
            "open('/etc/passwd').read()",
            "eval('1')",
            "().__class__.__base__.__subclasses__()",
            "getattr(@data, '__class__')",
            "torch.load('model.pt')",
            "torch.hub.load('a/b', 'c')",
            "monai.bundle.run()",
            "[f for f in [exec]][0]('1')",
            "(lambda: breakpoint())()",
            "(x := custom)",
            "import subprocess",
            "import os as o",
            "from os import system",
            "from monai.bundle import run",
            "vars(custom)",
        ],
    )
    def test_it_objects(self, expression):
        assert objections(expression) != []

    @pytest.mark.parametrize("target", ["os.system", "builtins.eval", "torch.load", "eval", "Nothing"])
    def test_it_objects_to_targets(self, target):
        assert not is_known_target(target)

    @pytest.mark.parametrize(
        "expression",
        [
            "int(os.environ['LOCAL_RANK'])",
            "@train#trainer.run()",
            "lambda batch: [item['image'].meta for item in batch]",
            "from ignite.engine import Events",
            "custom.data.find_images(@dataset_dir) if @rank == 0 else None",
        ],
    )
    def test_it_lets_pass(self, expression):
        assert objections(expression) == []
