"""The words of a command line, split as Python Fire does, and the call that started a workflow."""

from __future__ import annotations

import pytest
from monai.bundle import ConfigParser

from custom.bundle_call import BundleCall, split_words
from custom.errors import UserError


@pytest.mark.parametrize(
    ("line", "typed", "others"),
    [
        ("run training --max_epochs 5", {"max_epochs": "5"}, ("run", "training")),
        ("run training --max-epochs=5 --resume", {"max_epochs": "5", "resume": None}, ("run", "training")),
        ("run training --a#b 1 --c::d -5", {"a#b": "1", "c#d": "-5"}, ("run", "training")),
        ("run training --dataset_dir my images --x", {"dataset_dir": "my", "x": None}, ("run", "training", "images")),
    ],
)
def test_words_of_a_command_line(line, typed, others):
    assert split_words(line.split()) == (typed, others)


def test_a_word_that_is_not_utf8_is_refused():
    call = BundleCall(typed={"progress_bar": None, "output_dir": "runs/\udcff"})
    with pytest.raises(UserError, match=r"^runs/.: is not UTF-8; rename"):
        call.check_words(ConfigParser({}))


def test_in_another_program_nothing_was_typed():
    assert BundleCall.find() == BundleCall()
