"""Weights chosen by V_rand or SEG: what a training says and saves, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from monai.bundle import ConfigParser
from PIL import Image
from scipy import ndimage

from custom.data import make_synthetic, read_dataset, read_image
from custom.data.datalist import FILE_NAME
from custom.data.image_io import write_image
from custom.errors import UserError
from custom.evaluation import require_measure, require_objects
from custom.handlers.metrics import SEG_THRESHOLDS
from custom.metrics import seg, v_rand
from custom.model import read_model
from custom.segmenter import Segmenter
from tests.robustness.warm import call

from .conftest import TINY


@pytest.fixture(scope="module")
def cells(tmp_path_factory) -> Path:
    """Drawn tissue, (96, 120), each of whose cells is an instance."""
    folder = make_synthetic(tmp_path_factory.mktemp("data") / "x", 1, (96, 120), {"training": 2, "validation": 2})
    for path in folder.glob("*/label/*.png"):
        mask = ndimage.binary_opening(np.asarray(Image.open(path)) > 0, iterations=3)
        write_image(path, ndimage.label(mask)[0].astype(np.uint8))
    content = json.loads((folder / FILE_NAME).read_text())
    kind = {"label_kind": "instances", "labels": {"0": "background", ">0": "cell"}}
    (folder / FILE_NAME).write_text(json.dumps({**content, **kind}))
    return folder


@pytest.mark.parametrize(
    ("overlay", "of_cells"), [("quick", "watershed"), ("best_hela", "watershed"), ("paper_hela", "components")]
)
def test_touching_instances_are_divided_except_as_in_the_paper(overlay, of_cells, cells, tiny_dataset):
    for dataset, expected in ((cells, of_cells), (tiny_dataset, "components")):
        parser = ConfigParser()
        parser.read_config(["bundle/configs/train.json", f"bundle/configs/experiments/{overlay}.json"])
        parser["dataset_dir"] = str(dataset)
        assert parser.get_parsed_content("method") == expected


def test_the_validation_finds_objects_as_the_model_will(cells):
    parser = ConfigParser()
    parser.read_config("bundle/configs/train.json")
    rule = {"method": "components", "sigma": 1.5, "height": 7.0, "min_size": 9, "grow": 2}
    for name, value in {"dataset_dir": str(cells), **rule}.items():
        parser[name] = value
    validated = parser.get_parsed_content("validate#seg").metric_fn.rules[0]
    assert vars(validated) == {"threshold": SEG_THRESHOLDS[0], **rule}


@pytest.mark.parametrize(("best_by", "title"), [("seg", "SEG"), ("v_rand", "V_rand")])
def test_a_training_says_by_what_it_chooses_and_its_score_is_that_of_evaluation(
    best_by, title, cells, tiny_dataset, tmp_path, monkeypatch
):
    dataset = cells if best_by == "seg" else tiny_dataset
    monkeypatch.setattr("tests.robustness.warm.logging.disable", lambda level: None)  # the epochs' lines are wanted
    tiny = {name.removeprefix("--"): value for name, value in TINY.items()}
    done = call(
        "training",
        dataset_dir=dataset,
        output_dir=tmp_path,
        best_by=best_by,
        learning_rate=0.01,
        bfloat16="false",
        **tiny,
    )
    assert done.code == 0, str(done)
    assert f", {title} 0." in done.out
    assert ", smoothed 0." in done.out
    assert f"<dt>best_by</dt><dd>{best_by}</dd>" in (tmp_path / "report.html").read_text()
    model = read_model(tmp_path)
    assert model.training["best_by"] == best_by
    assert model.postprocessing.fitted_on.startswith(f"{title} on 2 validation images")
    assert (model.scores[0].measure, "chosen by it" in model.scores[0].on) == (best_by, True)
    assert {score.measure for score in model.scores} == {best_by, "pixel_error", "iou"}
    items = read_dataset(dataset).validation
    labels = [read_image(item["label"]) for item in items]
    found = [Segmenter(model)(read_image(item["image"])) for item in items]
    if best_by == "seg":
        assert model.postprocessing.method == "watershed"
        assert model.postprocessing.threshold in SEG_THRESHOLDS
        value = seg(labels, [one.instances for one in found]).value
    else:
        value = v_rand(labels, [one.probability for one in found]).value
    assert model.scores[0].value == pytest.approx(value, abs=1e-3)
    assert value > 0


def test_what_a_data_set_has_no_measure_for_is_refused(cells, tiny_dataset, tmp_path):
    classes, instances = read_dataset(tiny_dataset), read_dataset(cells)
    several = read_dataset(make_synthetic(tmp_path / "x", 1, (32, 40), {"training": 1, "validation": 1}, kind="cells"))
    for data in (classes, instances, several):
        require_measure("pixel_error", "contact", data)
    require_measure("v_rand", "components", classes)
    require_measure("seg", "components", instances)
    for best_by, method, data, message in (
        ("seg", "watershed", classes, "dataset.json labels classes, not instances; give v_rand"),
        ("v_rand", "watershed", instances, "dataset.json labels instances; give seg"),
        ("seg", "contact", instances, "does not measure --method contact"),
        ("seg", "watershed", several, "is for two classes, .*dataset.json has 3"),
        ("v_rand", "watershed", several, "is for two classes, .*dataset.json has 3"),
    ):
        with pytest.raises(UserError, match=f"^--best_by {best_by}: .*{message}"):
            require_measure(best_by, method, data)


def test_a_refused_training_leaves_no_folder(cells, tmp_path):
    done = call("training", dataset_dir=cells, output_dir=tmp_path / "runs" / "x", best_by="v_rand")
    assert done.code == 2, str(done)
    assert "--best_by v_rand: is for classes" in done.err
    assert not list(tmp_path.iterdir())


def test_validation_images_without_any_cell_have_no_seg():
    empty, one = {"instance": np.zeros((1, 3, 5))}, {"instance": np.eye(3, 5)[None]}
    require_objects("seg", [])
    require_objects("seg", [empty, one])
    require_objects("pixel_error", [empty])
    with pytest.raises(UserError, match="^--best_by seg: no validation image has a labelled cell"):
        require_objects("seg", [empty, {"instance": np.full((1, 3, 5), -1)}])


def test_validation_labels_of_one_class_have_no_v_rand():
    """Nor do those in which the other class is ignored, nor one image of each class."""
    membrane, cells, ignored, both = ({"label": np.full((1, 3, 5), value, np.uint8)} for value in (0, 1, 255, 1))
    both["label"][0, 1, 4] = 0
    cells["label"][0, 1, 4] = 255
    require_objects("v_rand", [])
    require_objects("v_rand", [membrane, cells, both])
    require_objects("pixel_error", [membrane])
    for labels in ([membrane], [cells], [membrane, cells, ignored]):
        with pytest.raises(UserError, match="^--best_by v_rand: no validation image has both classes"):
            require_objects("v_rand", labels)


def test_a_training_by_v_rand_on_labels_without_foreground_is_refused_before_it_starts(tmp_path):
    folder = make_synthetic(tmp_path / "data", 1, (96, 120), {"training": 1, "validation": 2})
    for item in read_dataset(folder).validation:
        write_image(item["label"], np.zeros((96, 120), np.uint8))
    done = call("training", dataset_dir=folder, output_dir=tmp_path / "run", best_by="v_rand")
    assert done.code == 2, str(done)
    assert "--best_by v_rand: no validation image has both classes" in done.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("best_by", "more_is_better"), [("pixel_error", False), ("v_rand", True), ("seg", True)])
def test_the_better_score_is_the_best_and_its_images_are_listed(best_by, more_is_better):
    parser = ConfigParser(ConfigParser.load_config_file("bundle/configs/train.json"))
    parser["best_by"] = best_by
    assert parser.get_parsed_content("validate#evaluator#metric_cmp_fn")(0.9, 0.5) is more_is_better
    assert best_by in parser.get_parsed_content("validate#measures")
