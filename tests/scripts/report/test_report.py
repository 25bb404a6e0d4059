"""Page and figure of a run from the results of training, evaluation and inference."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from custom.data import make_synthetic, read_dataset, read_image, write_image
from custom.report.curves import learning_curve
from scripts.report.__main__ import main
from scripts.report.figure import draw_curve, error_overlay, headline, worst_median_best
from scripts.report.run_files import image_scores


@pytest.fixture
def finished(tmp_path):
    """A run folder, a data set and segmentations, as the commands would leave them."""
    data = make_synthetic(tmp_path / "data", size=(64, 80), counts={"training": 1, "validation": 1, "test": 2})
    run, segmentations = tmp_path / "run", tmp_path / "segmentations"
    (run / "evaluation" / "test").mkdir(parents=True)
    with SummaryWriter(run) as writer:
        for step in range(1, 9):
            writer.add_scalar("train_loss", 1 / step, step)
            writer.add_scalar("iou", step / 10, step)
    rows = ["filename,class0"]
    for item in read_dataset(data).test:
        name = item["image"].rsplit("/", 1)[1]
        label = read_image(item["label"])
        write_image(segmentations / "masks" / name, label)
        write_image(segmentations / "probabilities" / name.replace("png", "tif"), (label / 255).astype(np.float32))
        rows.append(f"{item['image']},0.25")
    (run / "evaluation" / "test" / "pixel_error_raw.csv").write_text("\n".join(rows) + "\n")
    return run, data, segmentations


def arguments(run, data, segmentations) -> list[str]:
    return ["--run", str(run), "--dataset_dir", str(data), "--segmentations", str(segmentations), "--split", "test"]


def test_page_and_figure_are_made(finished, capsys):
    assert main(arguments(*finished)) == 0
    page = (finished[0] / "report.html").read_text(encoding="utf-8")
    for item in read_dataset(finished[1]).test:
        assert Path(item["image"]).name in page
    assert f"python -m scripts.report --run {finished[0]}" in page
    picture = np.asarray(Image.open(finished[0] / "report.png"))
    assert min(picture.shape[:2]) > 500
    assert picture.std() > 20
    assert "report.png" in capsys.readouterr().out


def test_curves_of_a_short_training_have_whole_epochs(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("train_loss", 0.5, 1)
        writer.add_scalar("iou", 0.5, 2)
    figure, (left, right) = plt.subplots(1, 2)
    draw_curve(left, right, tmp_path)
    assert all(tick == int(tick) for tick in right.get_xticks())
    assert [axis.get_legend().texts[0].get_text() for axis in (left, right)] == ["each step", "IoU"]
    plt.close(figure)


@pytest.mark.parametrize("name", ["run/evaluation/test/metrics.csv", "segmentations/probabilities/02.tif"])
def test_results_that_are_older_than_the_model_are_named(name, finished, tmp_path, recwarn):
    (tmp_path / "run" / "evaluation" / "test" / "metrics.csv").write_text("pixel_error,0.25\n")
    model = tmp_path / "run" / "model.json"
    model.touch()
    for seconds, warned in ((-30, False), (-90, True)):  # a copy of the folders is not of one second
        os.utime(tmp_path / name, (written := model.stat().st_mtime + seconds, written))
        assert main(arguments(*finished)) == 0
        assert any(f"{tmp_path / name} is older than {model}" in str(given.message) for given in recwarn) == warned


@pytest.mark.filterwarnings("error:Glyph")
def test_a_name_that_is_no_formula_and_not_of_the_font(finished):
    run, data, segmentations = finished
    old, new = Path(read_dataset(data).test[0]["image"]).stem, "細_$x_$"
    for file in [*data.rglob(f"test/*/{old}.*"), *segmentations.rglob(f"{old}.*")]:
        file.rename(file.with_stem(new))
    for file in (data / "dataset.json", run / "evaluation" / "test" / "pixel_error_raw.csv"):
        file.write_text(file.read_text().replace(f"{old}.png", f"{new}.png"))
    assert main(arguments(*finished)) == 0
    assert (run / "report.png").is_file()


def test_curves_and_scores_are_read_back(finished):
    steps, values = learning_curve(finished[0])["train_loss"]
    assert steps == list(range(1, 9))
    assert values == pytest.approx([1 / step for step in steps])
    scores = image_scores(finished[0], "test")
    assert len(scores) == 2
    assert all(score == {"pixel_error": 0.25} for score in scores.values())


@pytest.mark.parametrize(("measure", "best_first"), [("pixel_error", "bcaed"), ("seg", "deacb")])
def test_the_worst_the_median_and_the_best_image_are_shown(measure, best_first):
    values = dict(zip("bcaed", (0.1, 0.2, 0.3, 0.4, 0.5), strict=True))
    scores = {name: {"pixel_error": 1 - value, measure: value} for name, value in values.items()}
    chosen = worst_median_best([{"image": f"folder/{name}"} for name in "abcde"], scores)
    ranks = {rank: item["image"][-1] for rank, item in chosen.items()}
    assert ranks == {"worst": best_first[-1], "median": best_first[2], "best": best_first[0]}
    assert list(worst_median_best([{"image": "a"}], scores)) == ["image"]


def test_errors_are_coloured_and_ignored_pixels_are_not():
    gray, label = np.full((2, 3), 0.5), np.array([[1, 0, 255], [1, 0, 255]])
    mask = np.array([[True, True, True], [False, False, False]])
    picture = error_overlay(gray, label, mask)
    plain = (picture == 0.5).all(axis=2)
    np.testing.assert_array_equal(plain, [[True, False, True], [False, True, True]])
    assert picture[1, 0, 0] > picture[1, 0, 2]
    assert picture[0, 1, 2] > picture[0, 1, 0]


def test_a_run_without_scores_is_told_in_one_line(finished, capsys):
    run, data, segmentations = finished
    (run / "evaluation" / "test" / "pixel_error_raw.csv").unlink()
    assert main(arguments(run, data, segmentations)) == 2
    assert "run evaluating with --split test first" in capsys.readouterr().err


def test_the_images_are_those_that_other_commands_take(finished, capsys):
    run, data, segmentations = finished
    assert main(["--run", str(run), "--dataset_dir", str(data), "--segmentations", str(segmentations)]) == 2
    assert "run evaluating with --split validation first" in capsys.readouterr().err


def test_the_scores_are_those_of_the_evaluation(finished):
    run = finished[0]
    (run / "evaluation" / "test" / "metrics.csv").write_text("pixel_error,0.1875\npixel_error_threshold,0.3\n")
    assert main(arguments(*finished)) == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<dd>0.1875</dd><p>all images together, threshold 0.3; lower is better</p>" in page
    file = run / "evaluation" / "test" / "pixel_error_raw.csv"
    file.write_text(file.read_text() + "elsewhere/more.png,0.5\n")
    assert main(arguments(*finished)) == 0
    assert "<dd>0.2500</dd><p>mean of the images; lower is better</p>" in (run / "report.html").read_text("utf-8")


def test_the_figure_has_the_numbers_of_the_page():
    scores = {"a.png": {"rand_error": 0.1, "iou": 0.7}, "b.png": {"rand_error": 0.3, "iou": 0.8}}
    assert headline(scores, {}) == "Rand error 0.2000, IoU 0.7500"
    assert headline(scores, {"rand_error": 0.18, "rand_error_threshold": 0.4}) == "Rand error 0.1800, IoU 0.7500"


def test_images_without_a_data_set_make_a_page_and_no_figure(finished):
    run, data, segmentations = finished
    images = str(Path(read_dataset(data).test[0]["image"]).parent)
    given = ["--run", str(run), "--images", images, "--segmentations", str(segmentations)]
    assert main([*given, "--output", str(run / "new" / "images.html")]) == 0
    assert "There are no labels" in (run / "new" / "images.html").read_text(encoding="utf-8")
    assert [path.name for path in (run / "new").iterdir()] == ["images.html"]


def test_what_was_not_segmented_is_named(finished, capsys):
    run, data, segmentations = finished
    file = sorted((segmentations / "masks").iterdir())[0]
    file.unlink()
    assert main(arguments(run, data, segmentations)) == 2
    assert f"{file}: missing" in capsys.readouterr().err


def test_a_segmentation_of_another_size_is_refused(finished, capsys):
    run, data, segmentations = finished
    file = sorted((segmentations / "probabilities").iterdir())[0]
    write_image(file, np.zeros((9, 11), np.float32))
    assert main(arguments(run, data, segmentations)) == 2
    assert f"{file}: is (9, 11), the image" in capsys.readouterr().err


def test_the_page_is_an_html_file(finished, capsys):
    assert main([*arguments(*finished), "--output", "report.png"]) == 2
    assert "give the name of an .html file" in capsys.readouterr().err


def test_masks_may_be_tiff_and_without_them_nothing_is_written(finished, capsys):
    run, _, segmentations = finished
    for mask in sorted((segmentations / "masks").iterdir()):
        write_image(mask.with_suffix(".tif"), read_image(mask))
        mask.unlink()
    assert main(arguments(*finished)) == 0
    (run / "report.html").unlink()
    (run / "report.png").unlink()
    for mask in (segmentations / "masks").iterdir():
        mask.unlink()
    assert main(arguments(*finished)) == 2
    assert "masks" in capsys.readouterr().err
    assert sorted(file.name for file in run.iterdir() if "tfevents" not in file.name) == ["evaluation"]


def test_a_broken_table_of_scores_is_named(finished, capsys):
    table = finished[0] / "evaluation" / "test" / "pixel_error_raw.csv"
    table.write_text("filename,class0\na.png,x\n")
    assert main(arguments(*finished)) == 2
    assert f"{table}: not a table of scores" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes in folders")
def test_a_pipe_among_the_files_of_a_run_does_not_hold_it_up(finished, capsys):
    os.mkfifo(finished[0] / "events.out.tfevents.1.pipe")
    table = finished[0] / "evaluation" / "test" / "more_raw.csv"
    os.mkfifo(table)
    assert main(arguments(*finished)) == 2
    assert f"{table}: is not a file" in capsys.readouterr().err
    table.unlink()
    assert main(arguments(*finished)) == 0
