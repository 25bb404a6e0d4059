"""A copy in half precision gives the results of the model to half precision."""

from __future__ import annotations

import pytest
import torch

from custom.model import Score, read_model, write_model
from scripts.ship_model.__main__ import main
from tests.models import make_contact_model, make_model, shift


def test_the_copy_is_the_model_in_half_precision(tmp_path):
    made = make_model(tmp_path / "run", orientations=8)
    line = ["--model", str(tmp_path / "run"), "--name", "ours", "--output", str(tmp_path), "--threshold", "0.3"]
    assert main([*line, "--authors", "B. Lab", "--description", "Cells."]) == 0
    copy = read_model(tmp_path / "ours")
    assert (copy.name, copy.authors, copy.description) == ("ours", "B. Lab", "Cells.")
    assert (copy.orientations, copy.postprocessing.threshold) == (8, 0.3)
    assert all(torch.equal(copy.state()[name], value.half()) for name, value in made.state().items())
    assert main(line) == 2


def test_a_method_that_the_model_does_not_know_is_refused(tmp_path, capsys):
    make_model(tmp_path / "run")
    line = ["--model", str(tmp_path / "run"), "--name", "ours", "--output", str(tmp_path), "--method", "contact"]
    assert main(line) == 2
    assert "was not trained with --contact true" in capsys.readouterr().err


def test_weights_beyond_half_precision_are_refused(tmp_path, capsys):
    shift(make_model(tmp_path / "run"), by=1e6)
    assert main(["--model", str(tmp_path / "run"), "--name", "ours", "--output", str(tmp_path)]) == 2
    assert "classify.bias has values beyond the range of half precision" in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()


def test_a_name_that_cannot_be_is_refused(tmp_path, capsys):
    make_model(tmp_path / "run")
    assert main(["--model", str(tmp_path / "run"), "--name", "../ours", "--output", str(tmp_path)]) == 2
    assert "--name ../ours: use letters" in capsys.readouterr().err


def test_a_final_model_is_measured_by_one_that_held_images_out(tmp_path, capsys):
    final, fold = make_model(tmp_path / "all"), make_model(tmp_path / "fold")
    line = ["--model", str(tmp_path / "all"), "--measured_by", str(tmp_path / "fold"), "--output", str(tmp_path)]
    assert main([*line, "--name", "none"]) == 2
    assert "fold: has no scores" in capsys.readouterr().err
    fold.scores = [Score(measure="seg", value=0.75, on="frame 3")]
    fold.postprocessing.threshold, fold.postprocessing.min_size = 0.25, 70
    write_model(tmp_path / "fold", fold, fold.state())
    assert main([*line, "--name", "ours", "--min_size", "90"]) == 0
    copy = read_model(tmp_path / "ours")
    assert (copy.postprocessing.threshold, copy.postprocessing.min_size) == (0.25, 90)
    (score,) = copy.scores
    assert (score.measure, score.value) == ("seg", 0.75)
    assert score.on == f"frame 3; by {fold.name} {fold.version}, the same training without these images"
    assert torch.equal(copy.state()["classify.bias"], final.state()["classify.bias"].half())


@pytest.mark.parametrize(("scale", "code"), [(0.8, 0), (1.25, 0), (0.5, 2), (1.4, 2)])
def test_a_final_model_takes_the_scale_that_was_fitted_within_the_zoom_of_training(tmp_path, capsys, scale, code):
    make_model(tmp_path / "all")
    fold = make_model(tmp_path / "fold", scale=scale)
    fold.scores = [Score(measure="seg", value=0.75, on="frame 3")]
    write_model(tmp_path / "fold", fold, fold.state())
    line = ["--model", str(tmp_path / "all"), "--measured_by", str(tmp_path / "fold"), "--output", str(tmp_path)]
    assert main([*line, "--name", "ours"]) == code
    if code:
        assert "has other classes or quite another scale" in capsys.readouterr().err
    else:
        assert read_model(tmp_path / "ours").scale == scale


def test_measurements_of_a_model_with_contact_are_not_those_of_one_without(tmp_path, capsys):
    make_model(tmp_path / "all")
    fold = make_contact_model(tmp_path / "fold")
    fold.scores = [Score(measure="seg", value=0.75, on="frame 3")]
    write_model(tmp_path / "fold", fold, fold.state())
    line = ["--model", str(tmp_path / "all"), "--measured_by", str(tmp_path / "fold"), "--output", str(tmp_path)]
    assert main([*line, "--name", "ours"]) == 2
    assert "has other classes or quite another scale" in capsys.readouterr().err
