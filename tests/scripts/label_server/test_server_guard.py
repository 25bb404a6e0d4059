"""What the real server does not let happen: writing and reading elsewhere, foreign pages, code, waiting."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from .running import NAME, SIZE, STEMS, Server, file_of

CODE = "$__import__('pathlib').Path({!r}).touch()"


def tree(folder: Path) -> dict[str, bytes]:
    """Files below a folder, without what the server notes down itself."""
    noted = (".lock", "datastore_v2.json", ".log")
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.endswith(noted)]
    return {str(file): file.read_bytes() for file in files if "__pycache__" not in file.parts}


def detail(answer: tuple[int, str, bytes]) -> str:
    """Reason of a refusal, in which no folder of the server may be named."""
    text = json.loads(answer[2])["detail"]
    assert "/tmp" not in text.replace("'/tmp", "")
    assert len(text.splitlines()) == 1
    return text


@pytest.fixture
def unchanged(server: Server) -> Iterator[None]:
    """Nothing is written by the test, anywhere near the images, and no upload is left."""
    before = tree(server.studies.parent)
    yield
    assert tree(server.studies.parent).keys() == before.keys()
    assert tree(server.studies) == {
        file: content for file, content in before.items() if Path(file).is_relative_to(server.studies)
    }
    assert server.left_over() == []


@pytest.mark.slow
@pytest.mark.usefixtures("unchanged")
class TestRefused:
    @pytest.mark.parametrize(
        "name", ["../evil", "/tmp/evil", "..%5Cevil", "a%00b", "NUL", ".hidden", "labels/final/gray", "gray", "GRAY"]
    )
    def test_names_of_new_images(self, server, name):
        answer = server.request("PUT", f"/datastore/image?image={name}", files={"file": file_of(server, "gray")})
        assert answer[0] == (409 if name.lower() == "gray" else 400), answer
        detail(answer)

    @pytest.mark.parametrize("tag", ["../../evil", "/tmp/evil", "..%5Cevil", "a%00b", "final/x", ".."])
    def test_tags(self, server, tag):
        label = {"label": server.labels / "00.png"}
        answer = server.request("PUT", f"/datastore/label?image=gray&tag={tag}", files=label)
        assert (answer[0], detail(answer)[:3]) == (400, "tag")
        params = json.dumps({"save_label": True, "label_tag": tag})
        answer = server.request("POST", f"/infer/{NAME}?image=gray&output=json", {"params": params}, {})
        assert (answer[0], detail(answer)[:3]) == (400, "tag")

    def test_a_tag_that_is_a_link(self, server, tmp_path):
        link = server.studies / "labels" / "elsewhere"
        link.symlink_to(tmp_path)
        try:
            label = {"label": server.labels / "00.png"}
            answer = server.request("PUT", "/datastore/label?image=gray&tag=elsewhere", files=label)
        finally:
            link.unlink()
        assert answer[0] == 400
        assert "a link" in detail(answer)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["../drawn/training/image/00.png", "{labels}/00.png", "", "labels/final/gray"])
    def test_images_outside_the_folder(self, server, name):
        name = name.format(labels=server.labels)
        assert server.request("POST", f"/infer/{NAME}?image={name}&output=image")[0] == (404 if name else 400)
        params = {"params": json.dumps({"image": name})}
        answer = server.request("POST", f"/infer/{NAME}?image=nowhere&output=image", params, {})
        assert answer[0] == 404

    @pytest.mark.parametrize("key", ["device", "result_extension", "result_dtype", "min_poly_area", "logging"])
    def test_code_in_options(self, server, tmp_path, key):
        params = {"params": json.dumps({key: CODE.format(str(tmp_path / "ran"))})}
        answer = server.request("POST", f"/infer/{NAME}?image=gray&output=image", params, {})
        assert answer[0] == 400
        assert json.loads(answer[2])["detail"].startswith(key)
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}]
    )
    def test_foreign_pages(self, server, headers):
        for method, path in (
            ("GET", "/info/"),
            ("POST", "/activelearning/first"),
            ("DELETE", "/datastore/image?id=gray"),
        ):
            assert server.request(method, path, headers=headers)[0] in (400, 403)

    def test_large_uploads(self, server, tmp_path):
        (tmp_path / "large.png").write_bytes(b"x" * (4 << 20))
        for method, path, field in (("PUT", "/datastore/image?image=x", "file"), ("POST", f"/infer/{NAME}", "file")):
            try:
                answer = server.request(method, path, files={field: tmp_path / "large.png"})
            except (ConnectionError, OSError):
                continue  # the server closed the connection while the rest was sent
            assert answer[0] == 413

    def test_uploads_that_are_no_single_image(self, server, tmp_path):
        tifffile.imwrite(tmp_path / "stack.tif", np.zeros((4, *SIZE), np.uint8), photometric="minisblack")
        (tmp_path / "broken.png").write_bytes(b"no image")
        for name, message in (("stack.tif", "has 4 pages"), ("broken.png", "not an image")):
            for method, path in (("PUT", "/datastore/image?image=new"), ("POST", f"/infer/{NAME}?output=image")):
                answer = server.request(method, path, files={"file": tmp_path / name})
                assert answer[0] == 400
                assert message in detail(answer)

    def test_labels_that_do_not_fit(self, server, tmp_path):
        Image.fromarray(np.zeros(SIZE[::-1], np.uint8)).save(tmp_path / "turned.png")
        answer = server.request("PUT", "/datastore/label?image=gray", files={"label": tmp_path / "turned.png"})
        assert answer[0] == 400
        assert "210 x 150 pixels (height x width), the image has 150 x 210" in detail(answer)
        answer = server.request("PUT", "/datastore/label?image=gray", files={"label": file_of(server, "gray")})
        assert "values besides 0" in detail(answer)

    @pytest.mark.parametrize("fields", [{"params": "[1]"}, {"params": "{"}, {"params": "[" * 9999}])
    def test_fields_that_are_no_objects(self, server, fields):
        answer = server.request("PUT", "/datastore/label?image=gray", fields, {"label": server.labels / "00.png"})
        assert (answer[0], detail(answer)) == (400, "params: give a JSON object")

    def test_calls_that_annotators_do_not_need(self, server):
        for method, path in (
            ("GET", "/proxy/dicom/wado/x"),
            ("GET", "/ohif/"),
            ("GET", "/logs/"),
            ("PUT", "/session/"),
            ("PUT", f"/model/{NAME}"),
            ("DELETE", f"/model/{NAME}"),
            ("POST", "/reload"),
            ("GET", "/datastore/dataset"),
        ):
            assert server.request(method, path)[0] in (404, 405), path


def wait_for_total(server, total: int) -> None:
    """Wait until the store lists so many images; it watches its folder."""
    deadline = time.monotonic() + 20
    while server.json("GET", "/info/")["datastore"]["total"] != total and time.monotonic() < deadline:
        time.sleep(0.2)


@pytest.mark.slow
class TestAllowed:
    def test_a_page_that_was_let_in(self, server):
        headers = {"Origin": "https://viewer.example"}
        assert server.request("GET", "/info/", headers=headers)[0] == 200

    def test_an_image_comes_and_goes(self, server):
        file = file_of(server, "plain0")
        assert server.json("PUT", "/datastore/image?image=new", files={"file": file}) == {"image": "new"}
        assert (server.studies / "new.tif").read_bytes() == file.read_bytes()
        server.json("DELETE", "/datastore/image?id=new")
        assert not (server.studies / "new.tif").exists()
        assert server.left_over() == []

    def test_a_label_in_another_format_takes_the_place_of_the_first(self, server, tmp_path):
        label = np.asarray(Image.open(server.labels / "05.png"))
        tifffile.imwrite(tmp_path / "label.tif", label)
        for file in (server.labels / "05.png", tmp_path / "label.tif"):
            server.json("PUT", "/datastore/label?image=plain1&tag=draft", files={"label": file})
        assert [file.name for file in (server.studies / "labels" / "draft").iterdir()] == ["plain1.tif"]
        server.json("DELETE", "/datastore/label?id=plain1&tag=draft")
        assert server.left_over() == []

    def test_an_unreadable_image_is_skipped_and_reported(self, server):
        wait_for_total(server, len(STEMS))  # the store notices a little later that a refused upload is gone
        broken = server.studies / "broken.png"
        broken.write_bytes(b"no image")
        try:
            wait_for_total(server, len(STEMS) + 1)
            result = server.json("POST", f"/batch/infer/{NAME}?run_sync=true")
            assert {image for image, value in result.items() if "error" in value} == {"broken"}
            assert "studies/broken.png: truncated, corrupt or not a PNG" in result["broken"]["error"]
            chosen = server.json("POST", "/activelearning/entropy")
            assert chosen["id"] in STEMS
            assert list(chosen["skipped"]) == ["broken"]
        finally:
            broken.unlink()
            wait_for_total(server, len(STEMS))

    def test_an_image_that_was_just_removed_is_unknown(self, server):
        file = server.studies / "passing.png"
        file.write_bytes(file_of(server, "gray").read_bytes())
        wait_for_total(server, len(STEMS) + 1)
        file.unlink()
        status, _, content = server.request("POST", f"/infer/{NAME}?image=passing&output=image")
        assert status == 404, content
        wait_for_total(server, len(STEMS))

    def test_others_need_not_wait_for_a_large_image(self, server, tmp_path):
        ramp = np.linspace(0, 255, 2600, dtype=np.uint8)
        Image.fromarray(np.tile(ramp, (2000, 1))).save(tmp_path / "large.png")
        path, files = f"/infer/{NAME}?output=image", {"file": tmp_path / "large.png"}
        answers: list[int] = []
        call = threading.Thread(target=lambda: answers.append(server.request("POST", path, files=files)[0]))
        call.start()
        time.sleep(0.5)
        start = time.monotonic()
        server.json("GET", "/info/")
        waited = time.monotonic() - start
        busy = call.is_alive()
        call.join()
        assert answers == [200]
        assert busy
        assert waited < 2
