"""Arbitrary values for every declared setting: the intended value, or one line that names the setting."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from monai.bundle import ConfigParser

from custom.data.scale import check_scale
from custom.errors import UserError
from custom.inferers import OverlapTileInferer
from custom.networks.valid_unet import INITIALISATIONS, UP_CONVOLUTIONS
from custom.settings import RUNS, Setting, settings_of
from custom.transforms import ProbabilityToInstances

from ..bundle.conftest import CONFIGS, ROOT
from ..models import make_model

ALL = [(run, id) for run in RUNS for id in settings_of(run)]
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
settings = st.sampled_from([settings_of(run)[id] for run, id in ALL])


@pytest.mark.parametrize(("run", "id"), ALL)
def test_each_setting_has_a_meaning_of_one_line_and_a_type_in_words(run, id):
    setting = settings_of(run)[id]
    assert setting.meaning
    assert len(setting.meaning) < 90
    assert "\n" not in setting.meaning
    assert setting.kind


@given(settings, anything)
def test_any_value_is_read_as_the_declared_type_or_refused_in_one_line(setting: Setting, value):
    try:
        read = setting.read(value)
    except UserError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.startswith(f"{setting.id} is ")
        assert len(refusal.splitlines()) == 1
        return
    kinds = [kind for kind in (bool, int, float, str, list, dict, NoneType) if type(read) is kind]
    assert kinds
    words = setting.kind
    expected: dict[type, str | tuple[str, ...]] = {bool: "true or false", float: "a number", list: "a list"}
    expected |= {int: ("an integer", "one of"), str: ("text", "one of"), dict: "a table"}
    if read is None:
        assert NoneType in get_args(setting.field.annotation)
    else:
        first = expected[kinds[0]]
        assert words.startswith(first) or (kinds[0] is list and "or a list" in words)
    if isinstance(read, float):
        assert not math.isnan(read)


@given(settings, st.sampled_from([True, "abc!", -1, math.nan, {}, []]))
def test_a_number_is_never_what_is_none(setting: Setting, value):
    if setting.kind.startswith(("an integer", "a number")):
        with pytest.raises(UserError, match=f"^{setting.id} is "):
            setting.read(value)


@given(settings, st.integers(0, 2**40))
def test_a_whole_number_as_text_is_the_number(setting: Setting, number):
    if setting.kind.startswith("an integer"):
        try:
            expected = setting.read(number)
        except UserError:
            with pytest.raises(UserError):
                setting.read(str(number))
        else:
            assert setting.read(str(number)) == setting.read(float(number)) == expected == number


FILES = {
    "training": ("train.json",),
    "evaluating": ("train.json", "evaluate.json"),
    "inferring": ("inference.json",),
}


@pytest.mark.parametrize(("run", "id"), ALL)
def test_a_misspelt_setting_is_named_with_the_right_one(checked, run, id):
    files = FILES[run]
    if id not in ConfigParser(ConfigParser.load_config_files([str(ROOT / CONFIGS / file) for file in files])):
        pytest.skip("the network of a model, which brings its own arguments")
    if id == "progress_bar#disable":
        pytest.skip("the bar hands all arguments on to tqdm")
    wrong = f"{id}s" if not id.endswith("s") else id[:-1]
    with pytest.raises(UserError) as refusal:
        checked(*files, **{wrong: 1})
    assert wrong in str(refusal.value)
    assert id.rpartition("#")[2] in str(refusal.value).partition("did you mean")[2]
    assert difflib.get_close_matches(id, [wrong])


def test_choices_are_those_of_the_network():
    declared = settings_of("training")
    assert get_args(declared["network_def#up"].field.annotation) == UP_CONVOLUTIONS
    assert get_args(declared["network_def#init"].field.annotation) == INITIALISATIONS


def accepts(take: Callable[[Any], Any], value: Any) -> bool:
    try:
        take(value)
    except ValueError:  # of which UserError and pydantic's ValidationError are two
        return False
    return True


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(
    ("id", "user", "values"),
    [
        ("scale", check_scale, [0, 1 / 17, 1 / 16, 1, 16, 17, math.inf]),
        ("orientations", lambda count: OverlapTileInferer(orientations=count), range(10)),
        ("height", lambda height: ProbabilityToInstances(height=height), [0, 1e-3, 5, math.inf]),
    ],
)
def test_a_setting_has_the_range_of_what_uses_it(run, id, user, values, tmp_path: Path):
    """So that a value that cannot be used is refused before the work, and can be written into a model."""
    possible = [value for value in values if accepts(user, value)]
    assert possible == [value for value in values if accepts(settings_of(run)[id].read, value)]
    model = make_model(tmp_path)
    owner = model.postprocessing if id == "height" else model
    assert possible == [value for value in values if accepts(lambda new: setattr(owner, id, new), value)]
