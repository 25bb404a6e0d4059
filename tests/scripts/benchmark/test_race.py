"""The bookkeeping of the race, with candidates that learn nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from custom.data import make_synthetic
from custom.errors import UserError
from scripts.benchmark import __main__ as benchmark
from scripts.benchmark.race import course, entrant
from scripts.benchmark.race import part as race
from scripts.benchmark.race.candidates import CANDIDATES, Candidate
from scripts.benchmark.race.entrant import BudgetUsed, Entrant, tree_seconds
from scripts.benchmark.report import to_markdown

TOY = Candidate("toy", "tests.scripts.benchmark.toy", "nothing")
SCHEDULED = Candidate("ours, toy", "tests.scripts.benchmark.toy", "nothing", scheduled=True)
ABSENT = Candidate("absent", "tests.scripts.benchmark.toy", "", environment="absent", packages=("a==1",))


class Clock:
    """Processor time that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(entrant, "READ_EVERY", 0.0)
    return Clock()


def enter(folder: Path, minutes: list[float], clock: Clock) -> Entrant:
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    np.savez(folder / "data.npz", images=images, labels=images % 2, held_out=images[:1])
    return Entrant(folder, folder / "out", minutes, clock)


def test_a_prediction_at_each_mark_does_not_count(tmp_path: Path, clock: Clock) -> None:
    toy = enter(tmp_path, [2, 1], clock)

    def predict(image: np.ndarray) -> np.ndarray:
        clock.now += 1000
        return image / 255

    clock.now = 60.0
    toy.step(predict)
    assert toy.share == 0.25
    clock.now = 121.0
    toy.step(predict)
    clock.now += 118.0  # 239 without the prediction
    toy.step(predict)
    assert sorted(path.name for path in toy.output.iterdir()) == ["1.npz"]
    clock.now += 1.0
    with pytest.raises(BudgetUsed):
        toy.step(predict)
    assert toy.share == 1
    with np.load(toy.output / "1.npz") as first, np.load(toy.output / "2.npz") as second:
        np.testing.assert_array_equal(first["probability"], (toy.held_out / 255).astype(np.float32))
        facts = [json.loads(str(saved["facts"])) for saved in (first, second)]
    assert [(one["mark"], one["steps"]) for one in facts] == [(1, 2), (2, 4)]
    assert [one["minutes"] for one in facts] == pytest.approx([121 / 120, 2])


def test_of_several_marks_in_one_long_step_the_last_is_predicted(tmp_path: Path, clock: Clock) -> None:
    toy = enter(tmp_path, [1, 2, 3], clock)
    clock.now = 300.0
    toy.step(lambda image: image)
    assert [path.name for path in toy.output.iterdir()] == ["2.npz"]


def test_processor_time_of_children_counts() -> None:
    work = "import time\nwhile time.process_time() < 0.3: pass\n"
    before = tree_seconds()
    subprocess.run([sys.executable, "-c", work], check=True)
    ended = tree_seconds() - before
    assert ended >= 0.25
    with subprocess.Popen([sys.executable, "-c", work + "print(flush=True)\ninput()"], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert tree_seconds() - before - ended >= 0.25
        child.communicate(b"\n")


@pytest.fixture
def settings(tmp_path: Path) -> course.Settings:
    make_synthetic(tmp_path / "data", 0, (64, 80), {"training": 2, "validation": 2, "test": 1})
    return course.Settings(tmp_path / "data", tmp_path / "race", (0.004, 0.002), tmp_path)


def test_a_race_is_scored_and_reported(settings: course.Settings, tmp_path: Path, capsys) -> None:
    candidates = [SCHEDULED, TOY, ABSENT]
    part = race.run(settings, tmp_path, candidates)
    assert (tmp_path / "race.png").read_bytes().startswith(b"\x89PNG")
    runs = [line for line in capsys.readouterr().err.splitlines() if line.startswith("race:")]
    assert runs == [
        f"race: {name}, {m:g} minutes ..." for name, m in (("ours, toy", 0.002), ("ours, toy", 0.004), ("toy", 0.004))
    ]

    table, made_with = part.tables
    assert [row[0] for row in table.rows] == ["ours, toy"] * 2 + ["toy"] * len(
        list((tmp_path / "race/toy/all").glob("0*.npz"))
    ) + ["absent"]
    assert table.rows[0][2:5] == table.rows[1][2:5]  # the same prediction has the same scores
    assert table.rows[-1][1:] == [race.NO_RESULT] * 6
    assert "\nbuilt-in synthetic EM: 2 images to train on, 2 scored." in to_markdown({}, [part], shortened=False)
    assert made_with.rows[-1] == ["absent", "", "absent", "a==1"]

    again = race.run(settings, tmp_path, candidates)
    assert again.tables == part.tables
    assert "race:" not in capsys.readouterr().err  # what is in the folder is not run again


def test_who_does_not_race_keeps_its_results(settings: course.Settings, tmp_path: Path) -> None:
    candidates = [SCHEDULED, TOY, ABSENT]
    before = race.run(settings, tmp_path, candidates)
    first, second, *others = before.tables[0].rows
    shutil.rmtree(settings.folder)
    first[2] = second[2] = others[0][2] = "0.9876"  # what no training gives here
    for row, minutes in zip((first, second, others[0]), (10.0, 30.0, 30.0), strict=True):
        row[1] = minutes
    shorter = replace(settings, minutes=(0.002,))
    again = race.run(shorter, tmp_path, candidates, before, racing=[TOY.name]).tables[0].rows
    assert again[:2] == [first, second]
    assert others[0] not in again, "a peer's marks are of one training"
    assert [row[0] for row in again[2:]] == ["toy", "absent"]


def test_results_on_other_images_are_not_kept(settings: course.Settings, tmp_path: Path) -> None:
    before = race.run(settings, tmp_path, [TOY])
    make_synthetic(tmp_path / "other", 1, (64, 80), {"training": 3, "validation": 2, "test": 1})
    other = replace(settings, dataset=tmp_path / "other")
    with pytest.raises(UserError, match=r"--race_folder .*race: holds a race of other images"):
        race.run(other, tmp_path, [TOY])
    rows = race.run(replace(other, folder=tmp_path / "again"), tmp_path, [TOY, ABSENT], before, [ABSENT.name])
    assert [row[1] for row in rows.tables[0].rows] == [race.NO_RESULT] * 2


def test_a_schedule_is_replaced_by_one_over_the_same_budget() -> None:
    def result(name: str, minutes: float) -> course.Result:
        return course.Result(name, minutes, 1.0, 1, {})

    new = [result("ours, toy", 10.04), result("toy", 30.0)]
    old = [result("ours, toy", 10.0), result("ours, toy", 30.0), result("toy", 10.0), result("absent", 10.0)]
    assert [race.is_replaced(one, new, {"ours, toy"}) for one in old] == [True, False, True, False]


def test_marks_that_were_passed_by_a_step_are_one_budget() -> None:
    passed = [course.Result("toy", minutes, 1.0, 1, {}) for minutes in (10.06, 1.0, 30.1, 1.055, 10.0, 30.0)]
    assert race.budgets_of(passed) == [1.0, 10.0, 30.0]


def test_a_candidate_that_fails_is_named_with_its_log(settings: course.Settings, capsys) -> None:
    broken = Candidate("broken", "tests.scripts.benchmark.no_such_recipe", "nothing")
    course.lay_out(settings)
    assert course.race([broken], settings) == []
    log = settings.folder / "broken" / "all" / "log.txt"
    assert capsys.readouterr().err.splitlines()[1:] == [f"race: broken failed with exit code 1, see {log}"]
    assert "No module named" in log.read_text()


def test_an_environment_is_found_by_its_folder(tmp_path: Path) -> None:
    there = Candidate("there", "x", "", environment=Path(sys.prefix).name)
    found = there.python(Path(sys.prefix).parent)
    assert found is not None
    assert found.parent == Path(sys.executable).parent
    assert there.python(tmp_path) is None
    assert there.python(None) is None


def test_images_of_several_sizes_are_refused(settings: course.Settings) -> None:
    make_synthetic(settings.dataset.parent / "other", 1, (64, 96), {"training": 1, "validation": 1, "test": 1})
    data = json.loads((settings.dataset / "dataset.json").read_text())
    other = json.loads((settings.dataset.parent / "other" / "dataset.json").read_text())["validation"][0]
    data["validation"].append({key: f"../other/{name}" for key, name in other.items()})
    (settings.dataset / "dataset.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match="images of one size"):
        course.lay_out(settings)


def test_images_of_several_channels_are_refused(settings: course.Settings) -> None:
    for path in (settings.dataset / "validation" / "image").iterdir():
        Image.fromarray(np.zeros((64, 80, 3), np.uint8)).save(path)
    with pytest.raises(UserError, match="gray images of one size"):
        course.lay_out(settings)


def test_the_race_is_only_run_by_name() -> None:
    options = benchmark.make_parser().parse_args([])
    assert options.only == list(benchmark.PARTS)
    assert benchmark.RACE not in options.only
    for candidate in CANDIDATES:
        assert (Path(course.ROOT) / f"{candidate.recipe.replace('.', '/')}.py").exists()


def test_parts_not_measured_again_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = {"processor": "p", "GPU": "g", "packages": "a 1, b 1"}
    monkeypatch.setattr(benchmark, "describe", lambda: machine)
    for name in ("weight_map", "augmentation"):
        monkeypatch.setitem(benchmark.PARTS, name, lambda sizes, name=name: race.Part(name, "about"))
        assert benchmark.main(["--only", name, "--output", str(tmp_path)]) == 0

    def names() -> list[str]:
        return [part["name"] for part in json.loads((tmp_path / "benchmark.json").read_text())["parts"]]

    assert names() == ["augmentation", "weight_map"]
    machine["packages"] = "a 1, b not installed"
    assert benchmark.main(["--only", "weight_map", "--output", str(tmp_path)]) == 0
    assert names() == ["augmentation", "weight_map"]
    assert "- packages: a 1, b 1\n" in (tmp_path / "benchmark.md").read_text()
    machine["packages"] = "a 2, b 1"
    benchmark.main(["--only", "augmentation", "--output", str(tmp_path)])
    assert names() == ["augmentation"]
