"""The page in a headless Chromium: drawing, sorting, zooming and finding objects, by mouse and keyboard."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_erosion

from custom.report.page import Report, write_page

from .browser import CHROMIUM, DRIVER, browser
from .samples import make_picture, make_table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the path"),
]
EVIL = "<img src=x onerror=window.evil=1>.png"


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """A page with three images, the worst of them with a name that would like to be HTML."""
    folder = tmp_path_factory.mktemp("page")
    table = make_table(
        make_picture("good.png", 1, seg=0.9), make_picture(EVIL, 30, seg=0.1), make_picture("fair.png", 9, seg=0.5)
    )
    write_page(Report(EVIL, "test", table, {}), folder / "report.html")
    with browser(folder / "profile") as found:
        found.file = folder / "report.html"
        yield found


@pytest.fixture
def page(window):
    window.prefer("light")
    window.open(window.file)
    return window


def canvas(page) -> np.ndarray:
    url = page.script("document.getElementById('canvas').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")).astype(int)


def names(page) -> list[str]:
    return page.script("[...document.querySelectorAll('#table tbody th')].map(th => th.textContent)")


def test_the_worst_image_is_drawn_and_nothing_is_complained_about(page):
    assert page.script("document.getElementById('canvas').dataset.shown") == EVIL
    assert canvas(page).std() > 20
    assert page.script("window.evil ?? null") is None
    assert page.log() == []


@pytest.mark.parametrize("layer", range(6))
def test_every_layer_changes_the_picture(page, layer):
    before = canvas(page)
    page.script(f"document.querySelectorAll('#layers input')[{layer}].click()")
    assert (canvas(page) != before).any()
    page.script(f"document.querySelectorAll('#layers input')[{layer}].click()")
    np.testing.assert_array_equal(canvas(page), before)


def test_missed_and_invented_differ_without_colour(page):
    """Their hatchings have other directions: each is unlike the other, turned or not, in gray."""
    for box in ("gray", "prediction", "numbers"):
        page.script(f"document.querySelector('#layers input[value={box}]').click()")
    gray = canvas(page)
    tiles = []
    for one, other in ((0, 2), (2, 0)):  # missed is rather red, invented rather blue
        inside = binary_erosion(gray[..., one] > gray[..., other], iterations=20)
        row, column = np.argwhere(inside)[0]
        tiles.append(gray[row - 20 : row + 20, column - 20 : column + 20].sum(axis=2))

    def rising(tile):  # along which diagonal is it constant?
        return np.abs(tile[1:, :-1] - tile[:-1, 1:]).sum() < np.abs(tile[1:, 1:] - tile[:-1, :-1]).sum()

    assert rising(tiles[0])
    assert not rising(tiles[1])


def test_keys_move_zoom_and_turn_the_page(page):
    page.script("document.getElementById('canvas').focus()")
    seen = [canvas(page)]
    for key in ("+", "\ue014", "\ue015", "-"):  # plus, right, down, minus
        page.press(key)
        seen.append(canvas(page))
        assert (seen[-1] != seen[-2]).any(), key
    page.press("0")
    np.testing.assert_array_equal(canvas(page), seen[0])
    page.press("n")
    page.wait("document.getElementById('canvas').dataset.shown === 'fair.png'")
    page.press("p")
    page.wait(f"document.getElementById('canvas').dataset.shown === '{EVIL}'")


def test_tab_reaches_every_layer_and_the_canvas(page):
    reached = set()
    for _ in range(60):
        page.press("\ue004")
        reached.add(page.script("document.activeElement.id || document.activeElement.value || ''"))
    layers = {"gray", "probability", "prediction", "label", "errors", "numbers"}
    assert layers | {"canvas", "in", "out", "fit", "next", "previous", "kind"} <= reached


def test_headings_sort_both_ways(page):
    assert names(page) == [EVIL, "fair.png", "good.png"]
    press = "document.querySelectorAll('#table thead button')[{}].click()"
    page.script(press.format(1))
    assert names(page) == [EVIL, "fair.png", "good.png"]
    page.script(press.format(1))
    assert names(page) == ["good.png", "fair.png", EVIL]
    page.script(press.format(0))
    assert names(page) == sorted(names(page), key=str.lower)
    assert page.script("document.querySelectorAll('#table [aria-sort]').length") == 1


def test_an_object_of_the_list_is_brought_to_the_middle(page):
    page.script("document.querySelector('#list button').click()")
    page.wait("chosen === 0")
    assert page.script("centre") == [20, 15]
    assert "missed" in page.script("document.getElementById('status').textContent")
    page.script("document.getElementById('kind').value = 'invented'")
    page.script("document.getElementById('kind').dispatchEvent(new Event('change'))")
    assert page.script("document.querySelectorAll('#list li').length") == 2


def test_a_dark_page_for_those_who_like_it_dark(page, tmp_path):
    means = []
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        page.screenshot(tmp_path / "shot.png")
        means.append(np.asarray(Image.open(tmp_path / "shot.png").convert("L"))[:80].mean())
    assert means[0] > 200
    assert means[1] < 60


def test_what_an_image_lacks_cannot_be_chosen(window, tmp_path):
    write_page(Report("run", "", make_table(make_picture(labelled=False)), {}), tmp_path / "report.html")
    window.open(tmp_path / "report.html")
    shown = "[...document.querySelectorAll('#layers input')].filter(box => box.offsetParent).map(box => box.value)"
    assert window.script(shown) == ["gray", "probability", "prediction"]
    assert window.script("document.getElementById('objects').offsetParent") is None
