"""The page is self-contained and escapes names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from html.parser import HTMLParser

import numpy as np
import pytest

from custom.data import make_synthetic, read_dataset, read_image, write_image
from custom.report.advice import remarks
from custom.report.charts import loss_chart, steps_per_epoch
from custom.report.content import ImageTable
from custom.report.facts import dataset_facts
from custom.report.layers import Picture
from custom.report.page import Report, render, write_page
from custom.report.record import command_line

from .samples import make_picture, make_table

EVIL = "</script><img src=x onerror=alert(1)>\"'&.png"
CURVES = {
    "train_loss": (list(range(1, 41)), [1 / step for step in range(1, 41)]),
    "val_loss": ([1, 2, 3, 4], [0.5, 0.4, 0.3, 0.2]),
    "iou": ([1, 2, 3, 4], [0.5, 0.6, 0.7, 0.8]),
    "learning_rate": ([1, 2, 3, 4], [0.1, 0.1, 0.05, 0.01]),
}


class Page(HTMLParser):
    """Tags with their attributes, and the text of the page's content element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.content = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][1].get("id") == "content" and not self.content:
            self.content = data


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    folder = make_synthetic(
        tmp_path_factory.mktemp("data") / "set", size=(48, 64), counts={"training": 2, "validation": 1, "test": 1}
    )
    data = read_dataset(folder)
    write_image(data.test[0]["image"], read_image(data.training[0]["image"]))
    return dataset_facts(data)


def test_facts_of_cells_with_large_numbers(tmp_path):
    """A table as long as the largest number would take 16 GiB."""
    cells = np.zeros((20, 33), np.uint32)
    cells[2:6, 3:8], cells[9:12, 3:8], cells[15:19, 9:20] = 2**31 - 1, 2**31 - 2, 7
    write_image(tmp_path / "a.png", np.arange(660, dtype=np.uint16).reshape(20, 33))
    write_image(tmp_path / "b.tif", cells)
    content = {"name": "x", "label_kind": "instances", "labels": {"0": "background", ">0": "cell"}}
    content |= {"training": [{"image": "a.png", "label": "b.tif"}], "validation": []}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (training,) = dataset_facts(read_dataset(tmp_path))["splits"]
    assert (training["objects"], training["area"]) == (3, 20)


def full_report(facts, table: ImageTable | None = None, title: str = "run") -> Report:
    return Report(title, "test", table or make_table(), CURVES, facts, {"max_epochs": 4}, ["python -m x"])


def test_the_page_asks_for_nothing(facts):
    text = render(full_report(facts))
    for tag, attributes in Page(text).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#"), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert "default-src 'none'" in text
    assert not re.search(r"@import|url\((?!#)", text)


def test_blank_images_of_which_the_network_is_certain_have_a_page(facts):
    """No threshold has an IoU: neither label nor prediction has foreground."""
    table, nothing = ImageTable(objects=False), np.zeros((48, 64), int)
    table.add(Picture("blank.png", np.full(nothing.shape, 0.3), nothing.astype(np.float32), nothing, nothing, {}))
    assert "IoU is highest, 0.000" in render(full_report(facts, table))


@pytest.mark.parametrize(("epochs", "steps"), [([1, 2, 4], 10), ([0, 2, 4], 10), ([0], 1), ([], 1)])
def test_validations_stand_at_their_steps(epochs, steps):
    """A model that a training starts from is validated as epoch 0, after which it may have been interrupted."""
    curves = {"train_loss": CURVES["train_loss"], "val_loss": (epochs, [0.5] * len(epochs))}
    assert steps_per_epoch(curves) == steps
    assert "training ends at" in str(loss_chart(curves))


def test_a_name_is_text_and_nothing_else(facts):
    facts = {**facts, "duplicates": [[EVIL, EVIL]], "folder": EVIL, "about": {"name": EVIL, "licence": EVIL}}
    table = make_table(make_picture(EVIL, 30, seg=0.2), make_picture("b.png", seg=0.3))
    plain = Page(render(full_report(facts, make_table(make_picture("a", 30, seg=0.2), make_picture("b", seg=0.3)))))
    text = render(Report(EVIL, EVIL, table, CURVES, facts, {EVIL: EVIL}, [EVIL], progress=EVIL))
    assert "<img" not in text
    page = Page(text)
    assert sum(tag == "script" for tag, _ in page.tags) == 2
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert {tag for tag, _ in page.tags} - {"strong"} <= {tag for tag, _ in plain.tags}
    assert json.loads(page.content)["rows"][0]["name"] == EVIL


def test_the_script_is_the_one_that_the_policy_allows(facts):
    text = render(full_report(facts))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


def test_every_control_has_a_name(facts):
    text = render(full_report(facts))
    for button in re.findall(r"<button[^>]*>.*?</button>", text, re.DOTALL):
        words = re.sub(r"<[^>]+>", "", button).strip()
        assert len(words) > 1 or "aria-label" in button, button
    for tag, attributes in Page(text).tags:
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]


def test_curves_facts_settings_and_commands_are_shown(facts):
    text = render(full_report(facts))
    assert text.count('class="chart"') == 5
    for words in ("max_epochs", "python -m x", "48 x 64", "training: 00", "expected calibration error", "monai"):
        assert words in text, words
    assert len(set(re.findall(r'\bid="([^"]+)"', text))) == len(re.findall(r'\bid="([^"]+)"', text))


def test_a_page_of_images_alone_says_what_is_not_known():
    text = render(Report("run", "", make_table(make_picture(labelled=False)), {}))
    for words in ("There are no labels", "no curves", "None of the images has a label", "No data set was given"):
        assert words in text, words
    assert "<svg" not in text


def test_it_is_written_whole(tmp_path):
    write_page(Report("run", "test", make_table(), {}), tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_facts_count_and_find_the_image_that_is_there_twice(facts):
    assert [(split["split"], split["images"]) for split in facts["splits"]] == [
        ("training", 2),
        ("validation", 1),
        ("test", 1),
    ]
    assert facts["leaks"]
    (group,) = facts["duplicates"]
    assert [entry.split(":")[0] for entry in group] == ["training", "test"]
    low, high = facts["splits"][0]["foreground"][1:]
    assert 0 < low <= facts["splits"][0]["foreground"][0] <= high < 1


def test_remarks_name_the_leak_the_frequent_error_and_the_training_that_was_too_short(facts):
    table = make_table(make_picture("a", 30), make_picture("b", 30))
    text = " ".join(remarks(table, CURVES, facts))
    for words in ("too good", "one validation image", "still falling", "'missed' (4 for 4"):
        assert words in text, words
    assert remarks(make_table(make_picture("a")), {}, None) == []
    worse = {"val_loss": ([1, 2, 3, 4, 5, 6], [0.5, 0.3, 0.4, 0.5, 0.6, 0.7])}
    assert "overfits" in " ".join(remarks(ImageTable(True), worse, None))


def test_the_calibration_remark_needs_a_bad_calibration():
    picture = make_picture("a")
    picture.probability[:] = np.where(picture.label > 0, 0.7, 0.3)
    assert any("calibration error" in remark for remark in remarks(make_table(picture), {}, None))


@pytest.mark.parametrize("argument", ["plain", "['a','b']", "it's $HOME", 'a "b" c', "", "back\\slash's", "a!b'c"])
def test_a_shell_reads_a_command_line_as_it_was(argument):
    assert shlex.split(command_line(["python", argument])) == ["python", argument]


def test_a_list_stays_readable_in_a_command_line():
    assert command_line(["--save", "['mask','instance']"]) == "--save \"['mask','instance']\""


def test_the_threshold_remark_is_about_the_threshold_in_use():
    picture = make_picture("a")
    picture.probability[:] = np.where(picture.label > 0, 0.35, 0.05)
    table = make_table(picture)
    assert any("0.5 gives 0.000" in remark for remark in remarks(table, {}, None))
    assert not any("gives" in remark for remark in remarks(table, {}, None, threshold=0.3))
