"""Experiments run one after another through real command lines, on a tiny data set and a tiny budget."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from monai.bundle import ConfigParser
from PIL import Image

from custom.data import make_synthetic, read_dataset
from custom.errors import UserError
from custom.lock import lock
from custom.model import read_model
from scripts.reproduce import __main__ as reproducing
from scripts.reproduce.__main__ import choose, main, plan, reproduce
from scripts.reproduce.experiments import CONFIGS, Experiment, budgets, merged, read_experiments
from scripts.reproduce.folds import write_fold
from scripts.reproduce.record import thin_out
from scripts.reproduce.run import LOCK, Run, shell_line
from scripts.reproduce.table import groups, merge, of_folds, of_split, read_records, row, write_results

ROOT = Path(__file__).parents[3]
EXPERIMENTS = read_experiments(ROOT / CONFIGS)
PAPER = next(experiment for experiment in EXPERIMENTS if experiment.name == "paper_em")
TINY = {
    "features": 2,
    "network_def#depth": 2,
    "input_size": 92,
    "max_epochs": 2,
    "steps_per_epoch": 2,
    "test_orientations": 1,
}


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder with a tiny `isbi2012`: five labelled images and one without label."""
    make_synthetic(tmp_path / "data" / "isbi2012", 1, (96, 120), {"training": 4, "validation": 1, "test": 1})
    return tmp_path / "data"


@pytest.fixture
def tiny(tmp_path) -> Path:
    """Overlay of a budget of four steps."""
    path = tmp_path / "quick.json"
    path.write_text(json.dumps(TINY))
    return path


def record(name: str = "paper_em", budget: str = "quick", fold: int | None = 4, **more) -> dict:
    base = {"experiment": name, "budget": budget, "fold": fold, "title": "t", "data": "isbi2012", "split": "4 / 1"}
    return {**base, "hardware": "h", "failed": None, "published": {}, **more}


def test_a_run_is_trained_scored_written_and_then_skipped(data, tiny, tmp_path, capfd):
    run = plan([PAPER], tiny, 1, data, tmp_path / "runs")[0]
    run_state = run.read()
    assert reproduce([run], tmp_path / "docs") == [], (run.folder / "training.log").read_text()
    printed = capfd.readouterr().out
    assert all(command in printed for command in run_state["commands"].values())
    result = read_records(tmp_path / "docs" / "results.json")[0]
    assert (result["steps"], result["epochs"], result["fold"]) == (4, 2, 4)
    assert result["parameters"] == sum(t.numel() for t in read_model(run.folder).state().values())
    measures = {"pixel_error", "iou", "v_rand", "v_info", "rand_error", "warping_error"}
    assert measures <= result["scores"].keys()
    assert 0 <= result["last_pixel_error"] <= 1
    assert " --dataset_dir runs/reproduce/folds/isbi2012-4 " in result["commands"]["training"]
    assert " --model runs/reproduce/quick/paper_em/fold4 " in result["commands"]["evaluating"]
    assert len(result["curves"]["train_loss"]) == 4
    assert Image.open(tmp_path / "docs" / result["example"]).size[1] == 256
    text = (tmp_path / "docs" / "results.md").read_text()
    assert f"{result['scores']['pixel_error']:.4f} (0.0611)" in text
    pictures = re.findall(r"\]\((results/[^)]+)\)", text)
    assert len(pictures) == 2
    assert all((tmp_path / "docs" / picture).is_file() for picture in pictures)

    trained = (run.folder / "weights.safetensors").stat().st_mtime_ns
    assert reproduce([run], tmp_path / "docs") == []
    assert "monai.bundle" not in capfd.readouterr().out
    assert (run.folder / "weights.safetensors").stat().st_mtime_ns == trained
    assert read_records(tmp_path / "docs" / "results.json") == [result]


def test_the_recorded_commands_name_no_folder_of_one_machine():
    for record in read_records(ROOT / "docs" / "results.json"):
        words = [word for line in record["commands"].values() for word in shlex.split(line)]
        assert not [word for word in words if Path(word).is_absolute()], record["experiment"]


def test_a_step_that_fails_is_told_and_done_again(data, tiny, tmp_path, monkeypatch, capsys):
    run = plan([PAPER], tiny, 1, data, tmp_path / "runs")[0]
    lines = {"training": ["-c", "pass"], "evaluating": ["-c", "import sys; print('x'); sys.exit('error: no weights')"]}
    monkeypatch.setattr(Run, "commands", lambda _: lines)
    assert reproduce([run], tmp_path / "docs") == [f"{run.folder}: error: no weights"]
    assert "failed: error: no weights" in capsys.readouterr().out
    assert run.read()["done"] == ["training"]
    assert "(failed: error: no weights)" in (tmp_path / "docs" / "results.md").read_text()
    calls = []
    monkeypatch.setattr(Run, "_step", lambda _, step, *__: calls.append(step))
    assert run.execute()["failed"] is None
    assert calls == ["evaluating"]
    assert run.read()["done"] == ["training", "evaluating"]


def test_a_run_with_other_options_or_of_another_process_is_refused(data, tiny, tmp_path, monkeypatch):
    run = plan([PAPER], tiny, 1, data, tmp_path / "runs")[0]
    monkeypatch.setattr(Run, "_step", lambda *_: None)
    run.execute()
    other = Run(PAPER, tmp_path / "other.json", run.fold, run.dataset_dir, run.folder)
    other.budget.write_text(json.dumps(TINY))
    with pytest.raises(UserError, match="started with other options; delete it"):
        reproduce([other], tmp_path / "docs")
    for file in (tiny, run.dataset_dir / "dataset.json"):
        before = file.read_text()
        file.write_text(before.replace("2", "4"))
        with pytest.raises(UserError, match=r"\(train.json, paper_em.json, quick.json\) or the list of images changed"):
            reproduce([run], tmp_path / "docs")
        file.write_text(before)
    with lock(run.folder, LOCK), pytest.raises(UserError, match="another process is writing to it"):
        run.execute()


@pytest.mark.parametrize("fold", range(5))
def test_folds_hold_out_contiguous_blocks_of_the_labelled_images(data, tiny, tmp_path, fold):
    source = data / "isbi2012"
    whole, part = read_dataset(source), read_dataset(write_fold(source, tmp_path / "runs" / "fold", 5, fold))
    one, other = (
        sorted((Path(item["image"]).resolve(), Path(item["label"]).resolve()) for item in d.training + d.validation)
        for d in (whole, part)
    )
    assert one == other
    assert Path(part.validation[0]["image"]).resolve() == one[fold][0]
    assert [len(part.training), len(part.validation), len(part.test)] == [4, 1, 1]


def settings(experiment: Experiment, budget: str, *wanted: str) -> list:
    config = ConfigParser(merged((CONFIGS / "train.json", *experiment.overlays, budgets()[budget])))
    return [config.get_parsed_content(name) for name in wanted]


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
@pytest.mark.parametrize(("budget", "tiles", "width"), [("quick", 1800, 16), ("compact", 3000, 32)])
def test_a_budget_is_a_number_of_tiles_but_600_steps_at_least(experiment, budget, tiles, width):
    epochs, per_epoch, batch_size, features = settings(
        experiment, budget, "max_epochs", "steps_per_epoch", "batch_size", "features"
    )
    assert features == width
    if batch_size == 1:
        assert epochs * per_epoch == tiles
    else:
        assert 600 <= epochs * per_epoch < 600 + epochs


def test_the_full_budget_leaves_experiments_as_they_are():
    assert json.loads(budgets()["full"].read_text()) == {}


def test_an_ablation_changes_one_thing_of_its_base():
    by_name = {experiment.name: experiment for experiment in EXPERIMENTS}
    ablations = [experiment for experiment in EXPERIMENTS if len(experiment.overlays) == 2]
    assert len(ablations) == 13
    for ablation in ablations:
        base = by_name[ablation.overlays[0].stem]
        ours, theirs = (flatten(merged((CONFIGS / "train.json", *e.overlays))) for e in (ablation, base))
        changed = {key for key in ours | theirs if ours.get(key) != theirs.get(key)}
        if "contact" in changed:
            changed.remove("border_width")  # of that class
        if "network_def#_target_" in changed:
            changed = {key.partition("#")[0] for key in changed} - {"input_size"}  # which such a network takes
        assert len(changed) == 1, ablation.name
        assert ablation.published == {}


def flatten(config: dict) -> dict:
    """Values by id, without what describes the experiment."""
    leaves = {}
    for key, value in config.items():
        if isinstance(value, dict):
            leaves.update({f"{key}#{inner}": leaf for inner, leaf in flatten(value).items()})
        elif key not in ("name", "base", "title"):
            leaves[key] = value
    return {key: value for key, value in leaves.items() if not key.startswith("experiment#")}


def test_a_command_line_can_be_typed_again(data, tiny, tmp_path):
    for line in plan([PAPER], tiny, 1, data, tmp_path / "runs")[0].commands().values():
        assert shlex.split(shell_line(line)) == ["python", *line]


@pytest.mark.parametrize("name", ["it's.json", 'a "b".json', """it's "b".json"""])
def test_paths_may_hold_quotes(tiny, tmp_path, name):
    budget = tmp_path / name
    shutil.copy(tiny, budget)
    line = Run(PAPER, budget, None, tmp_path, tmp_path).commands()["training"]
    assert ast.literal_eval(line[line.index("--config_file") + 1])[-1] == str(budget)
    assert shlex.split(shell_line(line)) == ["python", *line]


def test_names_are_unique_and_chosen_in_the_order_of_the_table():
    names = [experiment.name for experiment in EXPERIMENTS]
    assert len(set(names)) == len(names)
    assert [experiment.name for experiment in choose(["notebook", "best_em"])] == ["best_em", "notebook"]


def test_what_is_missing_is_told_with_the_way_to_make_it(data, tmp_path, capsys):
    given = ["--budget", "quick", "--data", str(data), "--runs", str(tmp_path / "runs"), "--output", str(tmp_path)]
    assert main([*given, "--only", "paper_u373"]) == 2
    message = capsys.readouterr().err
    assert f"python -m scripts.prepare_data phc-u373 --output {data / 'u373'}" in message
    assert main([*given, "--only", "paper_me"]) == 2
    assert "no experiment paper_me; there are" in capsys.readouterr().err


def test_records_replace_those_of_the_same_run_and_keep_the_others(tmp_path):
    write_results(tmp_path, [record(steps=1), record("best_em", steps=2), record(budget="full")])
    write_results(tmp_path, [record(steps=3)])
    runs = [(r["experiment"], r["budget"], r.get("steps")) for r in read_records(tmp_path / "results.json")]
    assert runs == [("best_em", "quick", 2), ("paper_em", "quick", 3), ("paper_em", "full", None)]


def test_the_default_split_and_the_folds_have_a_row_each_with_mean_and_standard_deviation():
    errors = {(4, None): 0.1, (4, 2016): 0.2, (4, 2017): 0.6, (3, None): 0.3, (2, None): 0.2}
    shuffled = [
        record(fold=fold, seed=seed, scores={"pixel_error": error}, seconds=60, split=f"24 / 6 ({fold})")
        for (fold, seed), error in reversed(errors.items())
    ]
    (group,) = groups(merge([], shuffled))
    assert [(r["fold"], r["seed"]) for r in group] == list(errors)
    split, folds = (row(part(group), ["pixel_error"]) for part in (of_split, of_folds))
    assert {"24 / 6 (4), 3 trainings", "0.3000 ± 0.2646", "1 min"} <= set(split)  # sqrt(0.04 + 0.01 + 0.09) / sqrt(2)
    assert {"3 folds", "0.2000 ± 0.1000"} <= set(folds)


def test_a_single_training_has_one_row_without_a_deviation():
    (group,) = groups([record(scores={"pixel_error": 0.1})])
    assert of_folds(group) == []
    assert {"4 / 1", "0.1000"} <= set(row(of_split(group), ["pixel_error"]))


def test_further_seeds_repeat_the_default_split_alone(data, tiny, tmp_path):
    runs = plan([PAPER], tiny, 2, data, tmp_path / "runs", seeds=3)
    assert [(run.fold, run.seed, run.is_default) for run in runs] == [
        (4, None, True),
        (4, 2016, False),
        (4, 2017, False),
        (3, None, False),
    ]
    assert len({run.folder for run in runs}) == 4
    assert {run.dataset_dir.name for run in runs[:3]} == {"isbi2012-4"}
    assert ["--seed" in run.commands()["training"] for run in runs] == [False, True, True, False]
    first = merged((CONFIGS / "train.json",))["seed"]
    assert runs[1].commands()["training"][-2:] == ["--seed", str(first + 1)]


def test_a_further_training_leaves_the_picture_of_the_first(data, tiny, tmp_path, monkeypatch):
    run = plan([PAPER], tiny, 1, data, tmp_path / "runs", seeds=2)[1]
    drawn = []
    monkeypatch.setattr(Run, "execute", lambda _: {"failed": None})
    monkeypatch.setattr(reproducing, "make_record", lambda *_: record(seed=2016, threshold=0.5))
    monkeypatch.setattr(reproducing, "draw_example", lambda *given: drawn.append(given))
    assert reproduce([run], tmp_path / "docs") == []
    assert drawn == []


def test_broken_results_are_refused(tmp_path):
    (tmp_path / "results.json").write_text("[")
    with pytest.raises(UserError, match="broken JSON"):
        read_records(tmp_path / "results.json")


def test_a_curve_keeps_its_mean_and_end_and_writes_nan_as_null():
    steps, values = list(range(1, 1001)), np.linspace(1, 0, 1000).tolist()
    thin = thin_out(steps, values)
    assert len(thin) <= 60
    assert thin[-1][0] == 1000
    assert np.mean([value for _, value in thin]) == pytest.approx(0.5, abs=0.01)
    assert json.dumps(thin_out([1], [float("nan")])) == "[[1, null]]"
