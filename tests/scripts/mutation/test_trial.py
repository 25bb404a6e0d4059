"""Trials on a tiny repository: killed, survived, not reached; and child processes that hang."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from scripts.mutation.children import in_child
from scripts.mutation.mutants import Mutant
from scripts.mutation.trial import Reach

TRY = """
import json, sys
from pathlib import Path
from custom.errors import UserError
from scripts.mutation.mutants import mutants_of
from scripts.mutation.trial import Trials

root = Path(sys.argv[1])
trials = Trials(root, root.parent / "workspace", "tests/toy")
found = {m.after: (o.kind, o.by) for m in mutants_of(root, "custom/toy/area.py") for o in [trials.run(m)]}
assert (trials.root / "custom/toy/area.py").read_text() == (root / "custom/toy/area.py").read_text()
(root / "tests/toy/test_area.py").write_text("def test_area(): assert 1 == 2")
try:
    Trials(root, root.parent / "second", "tests/toy")
except UserError as error:
    found["error"] = str(error)
print("RESULT", json.dumps(found))
"""
FILES = {
    "custom/__init__.py": "",
    "custom/toy/__init__.py": "",
    "custom/toy/area.py": """
def area(height, width):
    return height * width

def perimeter(height, width):
    return height + width + height + width

def forked():
    return 1

def unused():
    return 3
""",
    "tests/__init__.py": "",
    "tests/toy/__init__.py": "",
    "tests/toy/test_area.py": """
import multiprocessing
from custom.toy.area import area, forked, perimeter

def test_area():
    assert area(2, 3) == 6

def test_perimeter():
    assert perimeter(2, 0) in (4, 0)

def in_process():
    assert forked() == 1

def test_process():
    process = multiprocessing.get_context("fork").Process(target=in_process)
    process.start()
    process.join()
    assert process.exitcode == 0
""",
    "pyproject.toml": "",
}


def test_a_mutant_is_killed_if_a_test_fails(tmp_path):
    root = tmp_path / "repository"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    done = subprocess.run([sys.executable, "-c", TRY, str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.partition("RESULT ")[2].splitlines()[0])
    assert found["return height / width"] == ["killed", "tests/toy/test_area.py::test_area"]
    assert found["return height + width - height + width"] == ["survived", ""]
    assert found["return 2"] == ["killed", "tests/toy/test_area.py::test_process"]
    assert found["return 4"] == ["survived", ""]
    assert found["error"].startswith("tests/toy: does not pass without a mutant; make it pass first (")


def test_a_child_that_hangs_runs_out_of_time(tmp_path):
    start = time.monotonic()
    assert in_child(lambda: (0, time.sleep(60)), tmp_path, tmp_path / "log", 0.1).code is None
    assert time.monotonic() - start < 30


def test_a_child_that_crashes_is_no_success(tmp_path):
    ended = in_child(lambda: (0, 1 / 0), tmp_path, tmp_path / "log", 5)
    assert (ended.code, ended.value) == (70, None)


def test_tests_of_the_file_of_the_same_name_are_tried_first():
    tests = {"tests/x/test_other.py::a": 1.0, "tests/x/test_f.py::b": 3.0, "tests/x/test_f.py::c": 2.0}
    mutant = Mutant("custom/x/f.py", 5, "f", 4, 6, True, "", "", "", "")
    reach = Reach(tests, {"custom/x/f.py": {5: set(tests)}}, set())
    assert reach.tests_for(mutant) == list(tests)[::-1]


def test_tests_that_reach_a_function_are_tried_quickest_first():
    reach = Reach({"a": 3.0, "b": 1.0, "c": 2.0}, {"f.py": {5: {"a", "b"}, 9: {"c"}}}, set())
    in_function = Mutant("f.py", 5, "f", 4, 6, True, "", "", "", "")
    compiled = Mutant("f.py", 5, "f", 4, 6, False, "", "", "", "")
    assert reach.tests_for(in_function) == ["b", "a"]
    assert reach.tests_for(compiled) == ["b", "c", "a"]
    assert reach.tests_for(Mutant("other.py", 5, "f", 4, 6, True, "", "", "", "")) == []
    assert Reach(reach.seconds, reach.lines, {"c"}).tests_for(in_function) == ["b", "c", "a"]
