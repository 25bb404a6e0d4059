"""MONAI Label with packaged bundles: refusals and polygons at once, the real server over HTTP with `make slow`.

The server's tests are no step of continuous integration, which starts on a fresh machine each time: they install MONAI
Label and its own PyTorch first, 3.6 GB from package servers, to run for less than two minutes. Run them by `make slow`,
or alone by `python -m pytest -m slow tests/test_label_server.py`, before a release and after a change to
`scripts/label*` or `scripts/package*`; `.venv-label` stays for the next time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import monai.bundle
import nibabel
import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import grid_points_in_poly

from custom.data import make_synthetic, read_image, to_gray
from custom.errors import UserError
from custom.inferers import OverlapTileInferer
from custom.networks import ValidUNet, load_state, read_state
from scripts.label_server import environment
from scripts.label_server.__main__ import main
from scripts.label_server.app.lib.polygons import mask_polygons, signed_area
from scripts.label_server.bundle import find_bundle, install_app, install_bundle
from scripts.label_server.server import check_port, check_studies
from scripts.package_bundle.__main__ import package

from ..package_bundle.making import make_inputs

ROOT = Path(__file__).parents[3]
NAME, OTHER = "unet_tiny_segmentation", "unet_wider_segmentation"
WIDTHS = {NAME: 4, OTHER: 6}
SIZE = (150, 210)  # (H, W)
STEMS = ("gray", "sixteen", "colour", "bitmap", "plain0", "plain1")


def draw(polygon: list[list[int]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels inside a polygon, by the rule of even and odd, asked a little off their centres, where no cut passes."""
    corners = np.array([[y, x] for x, y in polygon]) - [0.5 + 0.013, 0.5 + 0.0071]
    return grid_points_in_poly(shape, corners)


class TestPolygons:
    @pytest.mark.parametrize("density", [0.2, 0.5, 0.8])
    def test_areas_are_pixel_counts(self, density):
        mask = np.random.default_rng(3).random((19, 27)) < density
        assert sum(signed_area(polygon) for polygon in mask_polygons(mask)) == mask.sum()

    @pytest.mark.parametrize("density", [0.4, 0.6, 0.9])
    def test_drawn_again_they_are_the_mask(self, density):
        mask = np.random.default_rng(4).random((23, 31)) < density
        drawn = np.logical_or.reduce([draw(polygon, mask.shape) for polygon in mask_polygons(mask)])
        np.testing.assert_array_equal(drawn, mask)

    def test_a_part_with_holes_is_one_polygon_that_leaves_them_out(self):
        mask = np.zeros((12, 17), bool)
        mask[1:11, 2:15] = True
        mask[3:5, 4:6] = mask[6:9, 9:11] = False
        (polygon,) = mask_polygons(mask)
        assert signed_area(polygon) == mask.sum()
        np.testing.assert_array_equal(draw(polygon, mask.shape), mask)

    def test_a_rectangle_has_four_corners(self):
        mask = np.zeros((5, 9), bool)
        mask[1:3, 2:7] = True
        assert sorted(mask_polygons(mask)[0]) == [[2, 1], [2, 3], [7, 1], [7, 3]]

    def test_pixels_that_touch_at_a_corner_are_two_polygons(self):
        assert len(mask_polygons(np.eye(2, 3, dtype=bool))) == 2

    def test_small_parts_can_be_left_out(self):
        mask = np.zeros((6, 8), bool)
        mask[0, 0] = mask[2:5, 3:6] = True
        assert [signed_area(p) for p in mask_polygons(mask, least_area=2)] == [9]

    def test_an_empty_mask_has_none(self):
        assert mask_polygons(np.zeros((3, 4), bool)) == []


def fake_bundle(folder: Path, content: str = "{}") -> Path:
    """A folder with what tells a packaged bundle, and checksums that agree."""
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(content)
    digest = hashlib.sha256(content.encode()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  configs/inference.json\n")
    return folder


def zipped(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return target


class TestRefusals:
    def test_a_port_in_use(self, tmp_path, capsys):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            assert main(["--studies", str(tmp_path), "--port", str(port)]) == 2
        assert capsys.readouterr().err.startswith(f"error: --port {port}: address already in use")

    @pytest.mark.parametrize("port", [0, 70000])
    def test_a_port_that_cannot_be(self, port):
        with pytest.raises(UserError, match="1 to 65535"):
            check_port(port)

    def test_studies_without_images(self, tmp_path):
        (tmp_path / "notes.txt").write_text("none")
        with pytest.raises(UserError, match="no image in it"):
            check_studies(tmp_path)
        with pytest.raises(UserError, match="no such folder"):
            check_studies(tmp_path / "missing")

    def test_studies_whose_labels_would_have_one_name(self, tmp_path):
        for name in ("a.png", "a.tif", "b.png"):
            (tmp_path / name).touch()
        with pytest.raises(UserError, match="a.png, a.tif would have labels of the same name"):
            check_studies(tmp_path)

    def test_no_bundle_or_too_many(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UserError, match="--bundle is needed: dist has none"):
            find_bundle(None)
        fake_bundle(tmp_path / "dist" / "one")
        assert find_bundle(None) == Path("dist/one")
        fake_bundle(tmp_path / "dist" / "two")
        with pytest.raises(UserError, match="dist has one, two"):
            find_bundle(None)
        with pytest.raises(UserError, match="no such bundle"):
            find_bundle("three")
        assert find_bundle("two") == Path("dist/two")

    def test_what_is_no_bundle(self, tmp_path):
        app = install_app(tmp_path / "app")
        (tmp_path / "folder").mkdir()
        (tmp_path / "broken.zip").write_bytes(b"no zip")
        (tmp_path / "a.txt").touch()
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            archive.write(tmp_path / "a.txt", "folder/a.txt")
        with zipfile.ZipFile(tmp_path / "outside.zip", "w") as archive:
            archive.write(tmp_path / "a.txt", "../a.txt")
        wrong = {"folder": "not a packaged bundle", "broken.zip": "not a zip archive", "other.zip": "not a packaged"}
        for name, message in {**wrong, "outside.zip": "points outside"}.items():
            with pytest.raises(UserError, match=message):
                install_bundle(str(tmp_path / name), app)
        assert list((app / "model").iterdir()) == []

    def test_an_altered_bundle(self, tmp_path):
        app, folder = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        (folder / "configs" / "inference.json").write_text("{ }")
        with pytest.raises(UserError, match="inference.json not as packaged"):
            install_bundle(str(folder), app)
        assert list((app / "model").iterdir()) == []

    @pytest.mark.parametrize("as_zip", [False, True])
    def test_only_files_with_a_checksum_are_installed(self, tmp_path, as_zip):
        app, folder = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        (folder / "sitecustomize.py").write_text("evil")
        installed = install_bundle(str(zipped(folder) if as_zip else folder), app)
        files = {file.relative_to(installed).as_posix() for file in installed.rglob("*") if file.is_file()}
        assert files == {"SHA256SUMS", "configs/inference.json"}

    @pytest.mark.parametrize("as_zip", [False, True])
    def test_a_checksum_of_a_file_outside_is_refused(self, tmp_path, as_zip):
        app, folder = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        with (folder / "SHA256SUMS").open("a") as file:
            file.write(f"{'0' * 64}  ../../main.py\n")
        with pytest.raises(UserError, match="line 2 is not a checksum"):
            install_bundle(str(zipped(folder) if as_zip else folder), app)
        assert list((app / "model").iterdir()) == []

    def test_another_bundle_of_the_name(self, tmp_path):
        app = install_app(tmp_path / "app")
        install_bundle(str(fake_bundle(tmp_path / "cells")), app)
        with pytest.raises(UserError, match="another bundle of that name"):
            install_bundle(str(fake_bundle(tmp_path / "other" / "cells", "[]")), app)

    @pytest.mark.parametrize(("content", "message"), [(None, "no such weights"), (b"torn", "not a file of PyTorch")])
    def test_weights_that_are_lost_or_broken(self, tmp_path, capsys, content, message):
        (tmp_path / "studies").mkdir()
        Image.fromarray(np.zeros((3, 5), np.uint8)).save(tmp_path / "studies" / "a.png")
        bundle, app = fake_bundle(tmp_path / "cells"), tmp_path / "app"
        models = install_bundle(str(bundle), install_app(app)) / "models"
        models.mkdir()
        if content is not None:
            (models / "model.pt").write_bytes(content)
        line = ["--studies", str(tmp_path / "studies"), "--bundle", str(bundle), "--app", str(app)]
        assert main([*line, "--port", str(free_port()), "--environment", str(tmp_path / "environment")]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert f"or move {app / 'model' / 'cells'} away" in said
        assert len(said.splitlines()) == 1
        assert not (tmp_path / "environment").exists()

    def test_a_disk_that_fills_up_leaves_no_half_bundle(self, tmp_path, monkeypatch):
        def fill(*given: Any, **options: Any) -> None:
            raise OSError(28, "No space left on device")

        app, bundle = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        monkeypatch.setattr("scripts.label_server.bundle.shutil.copyfile", fill)
        with pytest.raises(UserError, match="No space left"):
            install_bundle(str(bundle), app)
        assert list((app / "model").iterdir()) == []

    def test_an_app_folder_with_something_else(self, tmp_path):
        (tmp_path / "thesis.tex").touch()
        with pytest.raises(UserError, match="holds something else"):
            install_app(tmp_path)

    def test_a_full_disk_before_anything_is_installed(self, tmp_path, monkeypatch):
        monkeypatch.setattr(environment.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 20))
        with pytest.raises(UserError, match="1 MB free, 4096 MB are needed"):
            environment.prepare(tmp_path / "env")
        assert list(tmp_path.iterdir()) == []

    def test_a_python_that_is_too_new(self, tmp_path, monkeypatch):
        monkeypatch.setattr(environment.sys, "version_info", (3, 13))
        with pytest.raises(UserError, match="needs Python 3.11 or 3.12"):
            environment.prepare(tmp_path / "env")

    def test_an_installation_that_fails_is_told_and_tried_again(self, tmp_path):
        failing = [sys.executable, "-c", "import sys; print('no network', file=sys.stderr); sys.exit(1)"]
        with pytest.raises(UserError, match="failed \\(no network\\)"):
            environment.run(failing, tmp_path)
        assert not environment.is_ready(tmp_path)


class TestInstallation:
    @pytest.mark.parametrize("as_zip", [False, True])
    def test_what_was_trained_stays(self, tmp_path, as_zip):
        app, folder = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        source = zipped(folder) if as_zip else folder
        installed = install_bundle(str(source), app)
        assert installed == app / "model" / "cells"
        assert (installed / "configs" / "inference.json").read_text() == "{}"
        (installed / "trained").touch()
        assert install_bundle(str(source), install_app(app)) == installed
        assert (installed / "trained").is_file()

    def test_the_environment_has_the_versions_of_this_project(self):
        def pins(file: Path) -> dict[str, str]:
            lines = file.read_text().splitlines()
            return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))

        own, label = pins(ROOT / "requirements.txt"), pins(environment.REQUIREMENTS[0])
        shared = own.keys() & label.keys()
        assert {name: label[name] for name in shared} == {name: own[name] for name in shared}
        needed = json.loads((ROOT / "bundle/configs/metadata.json").read_text())["required_packages_version"]
        assert needed.keys() <= label.keys()


@dataclass
class Server:
    """A running server, its images, and the bundles it was given by name."""

    address: str
    studies: Path
    bundles: dict[str, Path]
    labels: Path

    def request(
        self, method: str, path: str, body: Any = None, files: dict[str, Path] | None = None
    ) -> tuple[int, str, bytes]:
        """Status, content type and content of an answer."""
        data, kind = (b"", "") if body is None and files is None else (json.dumps(body).encode(), "application/json")
        if files is not None:
            data, kind = multipart(body or {}, files)
        call = urllib.request.Request(self.address + path, data=data or None, method=method)
        if kind:
            call.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(call, timeout=120) as answer:
                return answer.status, answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get_content_type(), error.read()

    def json(self, method: str, path: str, body: Any = None, files: dict[str, Path] | None = None) -> Any:
        status, _, content = self.request(method, path, body, files)
        assert status == 200, content
        return json.loads(content)

    def mask(self, path: str, files: dict[str, Path] | None = None) -> NDArray:
        status, kind, content = self.request("POST", path, files=files)
        assert (status, kind) == (200, "image/png"), content[:300]
        return np.asarray(Image.open(BytesIO(content)))

    def train(self, **options: Any) -> dict[str, Any]:
        """Start a training and wait until it ends."""
        assert self.json("POST", f"/train/{NAME}", options)["status"] == "SUBMITTED"
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            task = self.json("GET", "/train/")
            if task["status"] not in ("SUBMITTED", "RUNNING"):
                return task
            time.sleep(1)
        raise AssertionError("the training does not end")

    def weights(self, name: str = NAME) -> bytes:
        status, _, content = self.request("GET", f"/model/{name}")
        assert status == 200
        return content


def multipart(fields: dict[str, str], files: dict[str, Path]) -> tuple[bytes, str]:
    """Body and content type of a form with files."""
    boundary = uuid.uuid4().hex
    start = f"--{boundary}\r\nContent-Disposition: form-data; name="
    parts = [f'{start}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    for name, file in files.items():
        head = f'{start}"{name}"; filename="{file.name}"\r\n\r\n'
        parts.append(head.encode() + file.read_bytes() + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def make_studies(folder: Path, drawn: Path) -> None:
    """The drawn images in the formats that annotators have."""
    folder.mkdir()
    images = [np.asarray(Image.open(drawn / "training" / "image" / f"{n:02d}.png")) for n in range(len(STEMS))]
    Image.fromarray(images[0]).save(folder / "gray.png")
    tifffile.imwrite(folder / "sixteen.tiff", images[1].astype(np.uint16) * 100 + 7)
    Image.fromarray(np.stack([images[2], images[2] // 2, 255 - images[2]], axis=-1)).save(folder / "colour.png")
    Image.fromarray(images[3]).save(folder / "bitmap.bmp")
    tifffile.imwrite(folder / "plain0.tif", images[4])
    Image.fromarray(images[5]).save(folder / "plain1.png")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """The server as a user starts it, in `.venv-label`, which is made if it is not there."""
    folder = tmp_path_factory.mktemp("label")
    bundles = {}
    for name, features in WIDTHS.items():
        overlay, model = make_inputs(folder, features)
        bundles[name] = package(model, name, folder / "dist", str(overlay))
    drawn = make_synthetic(folder / "drawn", seed=2, size=SIZE, counts={"training": len(STEMS)})
    make_studies(folder / "studies", drawn)
    port = free_port()
    line = [sys.executable, "-m", "scripts.label_server", "--studies", str(folder / "studies"), "--port", str(port)]
    line += ["--bundle", f"{bundles[NAME]}.zip", "--bundle", str(bundles[OTHER]), "--app", str(folder / "app")]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(line, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = []
    for text in process.stdout:
        said.append(text)
        if "Ctrl-C stops" in text:
            break
    assert process.poll() is None, said
    assert f"ready: http://127.0.0.1:{port}/" in "".join(said)
    yield Server(f"http://127.0.0.1:{port}", folder / "studies", bundles, drawn / "training" / "label")
    process.terminate()  # Ctrl-C is ignored in a background job
    assert process.wait(timeout=30) == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def network_of(server: Server, name: str) -> ValidUNet:
    network = ValidUNet(features=WIDTHS[name], depth=2)
    path = server.bundles[name] / "models" / "model.pt"
    load_state(network, read_state(path), path)
    return network.eval()


def file_of(server: Server, stem: str) -> Path:
    return next(file for file in server.studies.iterdir() if file.stem == stem)


def masks_of(server: Server, name: str, output: Path) -> dict[str, NDArray]:
    """What `inferring` writes for the same images and weights, as 0 and 1."""
    hook, folder = sys.excepthook, Path.cwd()
    try:
        os.chdir(ROOT)
        monai.bundle.run(
            run_id="inferring",
            config_file="bundle/configs/inference.json",
            dataset_dir=str(server.studies),
            output_dir=str(output),
            model=str(server.bundles[name] / "models"),
        )
    finally:
        sys.excepthook = hook
        os.chdir(folder)
    return {stem: read_image(output / "masks" / f"{stem}.png") // 255 for stem in STEMS}


@pytest.fixture(scope="module")
def own_masks(server, tmp_path_factory) -> dict[str, NDArray]:
    return masks_of(server, NAME, tmp_path_factory.mktemp("own"))


@pytest.mark.slow
class TestServer:
    def test_it_tells_what_it_has(self, server):
        info = server.json("GET", "/info/")
        assert list(info["models"]) == list(info["trainers"]) == [NAME, OTHER]
        assert info["labels"] == ["cell"]
        assert {model["dimension"] for model in info["models"].values()} == {2}
        assert set(info["strategies"]) == {"random", "first", "entropy"}
        assert info["datastore"]["total"] == len(STEMS)

    def test_its_page_needs_no_internet(self, server):
        status, kind, page = server.request("GET", "/")
        assert (status, kind) == (200, "text/html")
        for file in re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', page.decode()):
            assert server.request("GET", file)[0] == 200, file

    @pytest.mark.parametrize("stem", STEMS)
    def test_a_mask_is_that_of_inferring(self, server, own_masks, stem):
        assert own_masks[stem].shape == SIZE
        assert 0 < own_masks[stem].mean() < 1
        mask = server.mask(f"/infer/{NAME}?image={stem}&output=image")
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, own_masks[stem])

    def test_a_second_bundle_answers_as_its_own_source(self, server, own_masks, tmp_path):
        others = masks_of(server, OTHER, tmp_path / "other")
        for stem in STEMS:
            np.testing.assert_array_equal(server.mask(f"/infer/{OTHER}?image={stem}&output=image"), others[stem])
        assert any((others[stem] != own_masks[stem]).any() for stem in STEMS)
        np.testing.assert_array_equal(server.mask(f"/infer/{NAME}?image=gray&output=image"), own_masks["gray"])

    @pytest.mark.parametrize("stem", ["gray", "sixteen", "colour"])
    def test_an_uploaded_file_gives_the_same_mask(self, server, own_masks, stem):
        file = file_of(server, stem)
        mask = server.mask(f"/infer/{NAME}?output=image", files={"file": file})
        np.testing.assert_array_equal(mask, own_masks[stem])

    @pytest.mark.parametrize("route", ["wsi", "wsi_v2"])
    def test_qupath_gets_polygons_of_the_mask(self, server, own_masks, route):
        region = {"location": [0, 0], "size": [0, 0], "min_poly_area": 0}
        if route == "wsi":
            answer = server.request("POST", f"/infer/wsi/{NAME}?image=gray&output=asap", region)
        else:
            body, files = {"wsi": json.dumps(region)}, {"file": file_of(server, "gray")}
            answer = server.request("POST", f"/infer/wsi_v2/{NAME}?output=asap", body, files)
        status, _, content = answer
        assert status == 200, content
        root = ElementTree.fromstring(content)
        polygons = [
            [[int(point.get("X", -1)), int(point.get("Y", -1))] for point in annotation.iter("Coordinate")]
            for annotation in root.iter("Annotation")
        ]
        assert {annotation.get("Name") for annotation in root.iter("Annotation")} == {"cell"}
        mask = own_masks["gray"]
        assert sum(signed_area(polygon) for polygon in polygons) == mask.sum()
        drawn = np.logical_or.reduce([draw(polygon, SIZE) for polygon in polygons])
        np.testing.assert_array_equal(drawn, mask == 1)

    def test_a_region_is_cut_out_of_the_whole(self, server, own_masks):
        region = {"location": [40, 30], "size": [100, 60], "min_poly_area": 0}
        _, _, content = server.request("POST", f"/infer/wsi/{NAME}?image=gray&output=asap", region)
        points = [
            (int(p.get("X", -1)), int(p.get("Y", -1))) for p in ElementTree.fromstring(content).iter("Coordinate")
        ]
        x, y = np.array(points).T
        assert (x.min(), y.min(), x.max(), y.max()) == (40, 30, 140, 90)

    def test_cvat_gets_annotations(self, server, own_masks):
        body = {"params": json.dumps({"output": "json"})}
        answer = server.json("POST", f"/infer/{NAME}", body, {"file": file_of(server, "plain1")})
        elements = [element for item in answer["annotations"] for element in item["annotation"]["elements"]]
        assert {element["label"] for element in elements} == {"cell"}
        area = sum(signed_area(contour) for element in elements for contour in element["contours"])
        assert area == own_masks["plain1"].sum()

    def test_slicer_gets_its_format_when_it_asks(self, server, own_masks, tmp_path):
        body = {"params": json.dumps({"result_extension": ".nii.gz", "result_dtype": "uint8"})}
        answer = server.request("POST", f"/infer/{NAME}?output=image", body, {"file": file_of(server, "gray")})
        (tmp_path / "label.nii.gz").write_bytes(answer[2])
        label = np.asarray(nibabel.nifti1.load(tmp_path / "label.nii.gz").dataobj).squeeze()
        np.testing.assert_array_equal(label.T, own_masks["gray"])

    @pytest.mark.parametrize(
        ("method", "path", "status", "message"),
        [
            ("POST", f"/infer/{NAME}?image=nowhere&output=image", 404, "no image 'nowhere'"),
            ("POST", "/infer/other?image=gray&output=image", 404, "no model 'other'"),
            ("POST", "/infer/wsi/other?image=gray&output=asap", 404, "no model 'other'"),
            ("POST", "/train/other", 404, "no model 'other'"),
            ("POST", "/batch/infer/other", 404, "no model 'other'"),
            ("POST", "/activelearning/other", 404, "no strategy 'other'"),
            ("GET", "/datastore/image?image=nowhere", 404, "NOT Found"),
        ],
    )
    def test_what_is_not_there_is_told(self, server, method, path, status, message):
        answer = server.request(method, path, {} if "wsi" in path else None)
        assert answer[0] == status
        assert message in json.loads(answer[2])["detail"]

    def test_a_label_for_an_unknown_image_is_told(self, server):
        answer = server.request("PUT", "/datastore/label?image=nowhere", files={"label": server.labels / "00.png"})
        assert (answer[0], json.loads(answer[2])["detail"]) == (404, "Image nowhere not found")

    def test_a_broken_image_is_told(self, server, tmp_path):
        (tmp_path / "broken.png").write_bytes(b"no image")
        answer = server.request("POST", f"/infer/{NAME}?output=image", files={"file": tmp_path / "broken.png"})
        assert answer[0] == 400
        assert "truncated, corrupt or not an image" in json.loads(answer[2])["detail"]

    def test_the_next_image_by_each_strategy(self, server):
        assert server.json("POST", "/activelearning/first")["id"] == min(STEMS)
        assert server.json("POST", "/activelearning/random")["id"] in STEMS
        for name in (NAME, OTHER, NAME):
            network, inferer, entropies = network_of(server, name), OverlapTileInferer(), {}
            for stem in STEMS:
                image = torch.from_numpy(to_gray(read_image(file_of(server, stem))))[None, None]
                p = torch.softmax(inferer(image, network), dim=1)
                entropies[stem] = float(-(p * p.log()).sum(dim=1).mean())
            chosen = server.json("POST", "/activelearning/entropy", {} if name == NAME else {"model": name})
            assert chosen["id"] == max(entropies, key=lambda stem: entropies[stem])
            assert chosen["entropy"] == pytest.approx(entropies[chosen["id"]], abs=1e-3)

    def test_a_batch_is_segmented(self, server, own_masks):
        assert server.json("POST", f"/batch/infer/{NAME}?run_sync=true").keys() == set(STEMS)
        for stem in STEMS:
            saved = server.studies / "labels" / "original" / f"{stem}.png"
            np.testing.assert_array_equal(read_image(saved), own_masks[stem])

    def test_training_without_labels_is_told(self, server):
        task = server.train(max_epochs=1)
        assert task["status"] == "ERROR"
        assert any("there is no final label yet" in line for line in task["details"])

    def test_training_from_one_label_drawn_in_slicer(self, server, own_masks, tmp_path):
        drawn = np.asarray(Image.open(server.labels / "00.png")) > 0
        label = tmp_path / "label.nii.gz"
        nibabel.save(nibabel.nifti1.Nifti1Image(drawn.T[:, :, None].astype(np.uint8), np.eye(4)), label)
        assert server.json("PUT", "/datastore/label?image=gray&tag=final", files={"label": label})["label"] == "gray"
        before = server.weights()
        assert server.train(max_epochs=1)["status"] == "DONE"
        assert server.weights() != before
        assert server.weights(OTHER) == (server.bundles[OTHER] / "models" / "model.pt").read_bytes()
        after = server.mask(f"/infer/{NAME}?image=gray&output=image")
        assert after.shape == SIZE
        assert (after != own_masks["gray"]).any()

    def test_training_from_five_labels(self, server):
        for number, stem in enumerate(STEMS[1:5], start=1):
            label = server.labels / f"{number:02d}.png"
            server.json("PUT", f"/datastore/label?image={stem}&tag=final", files={"label": label})
        before, mask = server.weights(), server.mask(f"/infer/{NAME}?image=plain1&output=image")
        task = server.train(max_epochs=2, val_split=0.2)
        assert task["status"] == "DONE"
        assert server.weights() != before
        assert (server.mask(f"/infer/{NAME}?image=plain1&output=image") != mask).any()

    def test_what_is_left_to_label_after_that(self, server):
        for strategy in ("first", "random", "entropy"):
            assert server.json("POST", f"/activelearning/{strategy}")["id"] == "plain1"

    def test_training_from_scratch(self, server):
        before = server.weights()
        assert server.train(max_epochs=1, pretrained=False)["status"] == "DONE"
        assert server.weights() != before
