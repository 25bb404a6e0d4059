"""A journal of another job says in one short line what differs."""

from __future__ import annotations

import json

import pytest

from custom.errors import UserError
from scripts.segment_volume.journal import Journal

MODEL = {"name": "tiny", "scale": 1.0, "postprocessing": {"threshold": 0.5}}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"block": 52}, "was started with block 48, not 52; give the same"),
        (
            {"model": json.dumps({**MODEL, "scale": 2.0, "postprocessing": {"threshold": 0.4}}, indent=1)},
            r"was started with another model or other settings of it \(postprocessing, scale\); give the same",
        ),
    ],
)
def test_what_differs_is_named(tmp_path, changed, message):
    job = {"block": 48, "model": json.dumps(MODEL, indent=1)}
    journal = Journal(tmp_path / "journal.txt")
    journal.start(job)
    assert journal.finished(job) == set()
    with pytest.raises(UserError, match=rf"^--resume: {tmp_path} {message}") as refusal:
        journal.finished({**job, **changed})
    assert "\n" not in str(refusal.value)
