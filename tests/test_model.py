"""Models are read as written, or refused with one line that names the file."""

from __future__ import annotations

import json
import shutil
from itertools import count, product
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from custom.errors import UserError
from custom.model import MODEL_FILE, WEIGHTS_FILE, Postprocessing, models_folder, read_model, to_json, update_model
from custom.networks import SamePaddingNetwork, ValidUNet
from custom.trained_images import RECORD

from .models import make_model, shift

SHIPPED = sorted(file.parent.name for file in models_folder().glob(f"*/{MODEL_FILE}"))


def test_a_model_is_read_as_it_was_written(tmp_path):
    post = Postprocessing(method="watershed", threshold=0.3, min_size=7)
    made = make_model(tmp_path / "mine", postprocessing=post, orientations=8, scale=0.5)
    read = read_model(tmp_path / "mine")
    assert read == made
    assert read_model(tmp_path / "mine" / "model.json") == made
    network, state = read.network(), made.state()
    assert not network.training
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_half_precision_is_widened(tmp_path):
    model = make_model(tmp_path, half=True)
    for name, value in model.network().state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value.half(), model.state()[name])


def test_networks_of_monai_are_built_from_their_names(tmp_path):
    inner = {"_target_": "UNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [2, 4]}
    wrapped = {"_target_": "SamePaddingNetwork", "divisor": 2, "halo": 4, "network": {**inner, "strides": [2]}}
    network = make_model(tmp_path, network_def=wrapped).network()
    assert isinstance(network, SamePaddingNetwork)
    assert network(torch.zeros(1, 1, 8, 10)).shape == (1, 2, 8, 10)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_work_and_say_where_they_come_from(name):
    model = read_model(name)
    network = model.network()
    assert isinstance(network, ValidUNet)
    side = network.next_admissible(1)
    assert network(torch.zeros(1, 1, side, side + network.divisor)).isfinite().all()
    assert "ISBI" in model.data_source or "Cell Tracking Challenge" in model.data_source
    assert "commercial" in model.license
    assert model.authors
    assert model.references
    assert model.scores
    assert model.training["border_width"] >= 3
    assert len(set(model.training[RECORD])) == model.training["training_images"]
    assert (model.folder / MODEL_FILE).read_text() == to_json(model)


def test_three_models_are_shipped():
    assert SHIPPED == ["dic_hela", "em", "phc_u373"]


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(UserError, match=r"model nowhere: no model.json there; .*dic_hela, em, phc_u373"):
        read_model("nowhere")
    with pytest.raises(UserError, match=r"no model.json there"):
        read_model(tmp_path)
    make_model(tmp_path / "bundle/models")
    with pytest.raises(UserError, match=r"bundle: is a packaged bundle; give its model, .*models"):
        read_model(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"postprocessing": {"threshold": 2}}, "postprocessing.threshold: Input should be less than or equal to 1"),
        ({"treshold": 0.5}, "treshold: Extra inputs are not permitted"),
        ({"orientations": 3}, "orientations: Input should be 1, 7 or 8"),
        ({"classes": []}, "classes: List should have at least 2 items"),
        ({"name": None}, "name: Input should be a valid string"),
    ],
)
def test_what_is_wrong_in_a_model_file_is_named(tmp_path, change, message):
    make_model(tmp_path)
    path = tmp_path / MODEL_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError) as caught:
        read_model(tmp_path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_a_broken_model_file_is_refused(tmp_path, content):
    make_model(tmp_path)
    (tmp_path / MODEL_FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"model\.json: (cannot be read|broken JSON)"):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({"_target_": "os.system", "command": "true"}, "network_def names 'os.system'; allowed are ValidUNet"),
        ({"_target_": "ValidUNet", "featurs": 3}, "network_def does not make a ValidUNet"),
        ({"_target_": "ValidUNet", "features": 0}, "features is 0"),
    ],
)
def test_only_known_networks_are_built(tmp_path, definition, message):
    make_model(tmp_path)
    content = json.loads((tmp_path / MODEL_FILE).read_text())
    (tmp_path / MODEL_FILE).write_text(json.dumps({**content, "network_def": definition}))
    with pytest.raises(UserError, match=message):
        read_model(tmp_path).network()


def test_weights_that_are_lost_or_altered_are_refused(tmp_path):
    model = make_model(tmp_path)
    path = model.weights_path()
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\1\0")
    with pytest.raises(UserError, match=r"weights\.safetensors: damaged"):
        read_model(tmp_path).network()
    path.unlink()
    with pytest.raises(UserError, match=r"weights\.safetensors: no such weights"):
        read_model(tmp_path).network()


def test_a_torn_file_of_weights_is_refused(tmp_path):
    model = make_model(tmp_path)
    model.weights_path().write_bytes(b"torn")
    with pytest.raises(UserError, match="not a safetensors file"):
        model.model_copy(update={"weights": None}).network()


def test_weights_of_another_network_are_refused_by_the_first_that_differs(tmp_path):
    model = make_model(tmp_path / "a", features=2)
    other = make_model(tmp_path / "b", features=3)
    mixed = model.model_copy(update={"folder": other.folder, "weights": other.weights})
    with pytest.raises(UserError, match=r"does not fit the network: classify.weight is \(2, 2, 1, 1\)"):
        mixed.network()


def test_weights_that_are_not_finite_are_refused(tmp_path):
    model = make_model(tmp_path)
    shift(model, by=float("nan"))
    with pytest.raises(UserError, match=r"classify.bias has values that are not finite"):
        read_model(tmp_path).network()


def test_the_file_of_weights_cannot_lie_outside_the_folder(tmp_path):
    model = make_model(tmp_path / "inside")
    shutil.copy(model.weights_path(), tmp_path / "outside.safetensors")
    content = json.loads((tmp_path / "inside" / MODEL_FILE).read_text())
    content["weights"]["file"] = "../outside.safetensors"
    (tmp_path / "inside" / MODEL_FILE).write_text(json.dumps(content))
    with pytest.raises(UserError, match="no such weights"):
        read_model(tmp_path / "inside").network()


def test_a_part_of_a_model_can_be_changed_and_is_checked(tmp_path):
    model = make_model(tmp_path)
    model.postprocessing.threshold = 0.4
    update_model(model)
    assert read_model(tmp_path).postprocessing.threshold == 0.4
    assert read_model(tmp_path).weights == model.weights
    with pytest.raises(ValidationError):
        model.postprocessing.threshold = 4


def test_files_are_readable_by_others(tmp_path):
    model = make_model(tmp_path)
    modes = {Path(file).stat().st_mode & 0o777 for file in (model.weights_path(), tmp_path / MODEL_FILE)}
    assert len(modes) == 1


def test_another_pixel_size_changes_scale_and_lengths(tmp_path):
    """In pixels twice as wide, cells have half the diameter and a quarter of the area."""
    post = Postprocessing(method="watershed", threshold=0.3, min_size=101, grow=2, sigma=2.0, height=5.0)
    model = make_model(tmp_path, pixel_size=0.2, scale=0.5, postprocessing=post)
    other = model.at_pixel_size(0.4)
    assert (other.scale, other.pixel_size, other.folder) == (1.0, 0.4, model.folder)
    expected = Postprocessing(method="watershed", threshold=0.3, min_size=25, grow=1, sigma=1.0, height=2.5)
    assert other.postprocessing == expected
    assert (model.scale, model.postprocessing) == (0.5, post)
    assert model.at_pixel_size(None) is model
    assert model.at_pixel_size(0.2) == model


def test_a_pixel_size_that_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(UserError, match="tiny does not know the pixel size .* give --scale"):
        make_model(tmp_path / "unknown").at_pixel_size(0.2)
    known = make_model(tmp_path / "known", pixel_size=0.2)
    for size, scale in ((200, "1000"), (0, "0"), (-0.2, "-1"), (float("nan"), "nan")):
        with pytest.raises(UserError, match=f"scaled by {scale}; is it in micrometres"):
            known.at_pixel_size(size)


class Killed(BaseException):
    """Stands for a signal that ends the process."""


def make_and_be_killed(monkeypatch: pytest.MonkeyPatch, folder: Path, epoch: int, step: int) -> None:
    """Write another model over that of the folder, and be killed before a step: one of three renames, or the end."""
    calls, replace = count(), Path.replace

    def replace_or_die(path: Path, target: Path) -> Path:
        if next(calls) == step:
            raise Killed
        return replace(path, target)

    def die(path: Path) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_or_die)
        patch.setattr("custom.model.drop", die)
        with pytest.raises(Killed):
            make_model(folder, training={"epoch": epoch})


@pytest.mark.parametrize("steps", product(range(4), repeat=2))
def test_a_kill_leaves_weights_and_description_of_one_epoch(tmp_path, monkeypatch, steps):
    make_model(tmp_path, training={"epoch": 0})
    for epoch, step in enumerate(steps, 1):
        before = read_model(tmp_path).training["epoch"]
        make_and_be_killed(monkeypatch, tmp_path, epoch, step)
        left = read_model(tmp_path)
        assert left.training["epoch"] == (epoch if step == 3 else before)
        left.network()  # checks that the weights are those that model.json describes
    make_model(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [MODEL_FILE, WEIGHTS_FILE]


def test_a_broken_model_can_be_replaced(tmp_path):
    make_model(tmp_path)
    (tmp_path / MODEL_FILE).write_bytes(b"\xff{")
    make_model(tmp_path)
    read_model(tmp_path).network()
