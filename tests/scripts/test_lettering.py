"""Letters of file names that are not ASCII."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from custom.data.labels import LabelFormat
from scripts.lettering import drawable, font
from scripts.prepare_data.overview import Overview


def drawn(text: str) -> bytes:
    picture = Image.new("L", (40, 16))
    ImageDraw.Draw(picture).text((2, 2), text, fill=255, font=font(10))
    return picture.tobytes()


def test_letters_of_the_font_stay_and_each_looks_its_own_way():
    letters = "üéµßΑβγЖ?"
    assert drawable(letters) == letters
    missing = drawn("\uffff")  # the box for a letter that the font lacks
    pictures = {drawn(letter) for letter in letters}
    assert len(pictures) == len(letters)
    assert missing not in pictures


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("u\u0308", "ü"),  # as macOS stores it
        ("細胞_1", r"\u7d30\u80de_1"),
        ("a\nb\t", r"a\nb\t"),
        ("\udc80", r"\udc80"),  # of a name that is not UTF-8
    ],
)
def test_other_letters(text, shown):
    assert drawable(text) == shown


@pytest.mark.parametrize("name", ["Zürich", "W" * 200 + "é", "細" * 40])
def test_names_on_a_contact_sheet_fit_over_their_picture(name):
    overview = Overview(LabelFormat("classes", (0, 1)), frozenset({0, 1}))
    pixels = np.zeros((6, 9), np.uint8)
    for text in (name, "?" * len(name)):
        overview.add(text, pixels, pixels, None)
    title, other = (np.asarray(tile)[:16] for tile in overview.tiles)
    assert (title != other).any()
    assert title.any()
    assert not title[:, -2:].any()
