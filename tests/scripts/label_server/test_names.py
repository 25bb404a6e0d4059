"""Names that callers give: inside the folder, and possible on every system."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.label_server.app.lib.names import (
    IMAGE_SUFFIXES,
    LONGEST,
    RequestError,
    check_inside,
    check_name,
    check_suffix,
    check_tag,
    is_plain,
)

OUTSIDE = [
    "../x",
    "..",
    ".",
    "",
    "/etc/x",
    "a/b",
    "a/../../x",
    "..\\x",
    "C:\\x",
    "C:x",
    "\\\\host\\x",
    "a\0b",
    "a\nb",
    "a\u202egnp",
]
NOT_PORTABLE = [
    "con",
    "NUL.png",
    "Com1",
    "lpt9.tif",
    "x.",
    " x",
    "x ",
    ".hidden",
    "a*b",
    "a|b",
    "a?",
    "a<b",
    'a"b',
    "a:b",
]


class TestNames:
    @pytest.mark.parametrize("name", [*OUTSIDE, *NOT_PORTABLE, None, 5, ["a"], "é" * (LONGEST // 2 + 1)])
    def test_what_cannot_be_a_new_file_is_refused(self, name):
        with pytest.raises(RequestError) as error:
            check_name(name)
        assert error.value.status == 400
        assert error.value.detail.isprintable()
        assert len(error.value.detail) < 200

    @pytest.mark.parametrize(
        "name", ["a", "Zelle 12 (Kopie)", "cell.v2.final", "ü_ß", "細胞", "console", "x" * LONGEST]
    )
    def test_ordinary_names_pass(self, name):
        assert check_name(name) == name

    @given(st.text(max_size=30))
    def test_a_name_that_passes_is_one_file_in_the_folder(self, tmp_path_factory, name):
        try:
            check_name(name)
        except RequestError:
            return
        folder = tmp_path_factory.getbasetemp()
        file = check_inside(folder, folder / f"{name}.png")
        assert file.parent == folder
        assert not file.name.startswith(".")

    @pytest.mark.parametrize("name", OUTSIDE)
    def test_names_that_are_no_plain_ones(self, name):
        assert is_plain(name) == (name == "C:x")

    @pytest.mark.parametrize("tag", [*OUTSIDE, *NOT_PORTABLE[5:], "-x", "a b", "x" * 65, None, 7])
    def test_tags_that_are_refused(self, tag):
        with pytest.raises(RequestError, match="tag"):
            check_tag(tag)

    def test_tags_are_plain_strings(self):
        class Tag(str):
            __slots__ = ()

        assert type(check_tag(Tag("final"))) is str

    @pytest.mark.parametrize("name", ["a.PNG", "a.b.tiff", "a.jpeg"])
    def test_formats_by_ending(self, name):
        assert check_suffix(name, IMAGE_SUFFIXES) == name

    @pytest.mark.parametrize(("name", "status"), [("a.svg", 415), ("png", 415), ("a.png.exe", 415), ("../a.png", 400)])
    def test_other_formats_are_refused(self, name, status):
        with pytest.raises(RequestError) as error:
            check_suffix(name, IMAGE_SUFFIXES)
        assert error.value.status == status


class TestInside:
    def test_a_file_in_the_folder_passes(self, tmp_path):
        file = tmp_path / "labels" / "final" / "a.png"
        assert check_inside(tmp_path, file) == file

    def test_links_are_refused(self, tmp_path):
        store, outside = tmp_path / "store", tmp_path / "outside"
        for folder in (store, outside):
            folder.mkdir()
        (store / "a.png").symlink_to(outside / "a.png")
        (store / "b.png").symlink_to(store / "c.png")
        (store / "labels").symlink_to(outside)
        for file in (store / "a.png", store / "b.png", store / "labels" / "x.png", store / ".." / "outside" / "x.png"):
            with pytest.raises(RequestError, match="not in the folder of images, or a link"):
                check_inside(store, file)
