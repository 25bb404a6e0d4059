"""A running server, as its clients see it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import monai.bundle
import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

from custom.data import read_image
from custom.networks import ValidUNet, load_state, read_state

from .helpers import free_port

ROOT = Path(__file__).parents[3]
NAME, OTHER = "unet_tiny_segmentation", "unet_wider_segmentation"
WIDTHS = {NAME: 4, OTHER: 6}
SIZE = (150, 210)  # (H, W)
STEMS = ("gray", "sixteen", "colour", "bitmap", "plain0", "plain1")


@contextmanager
def running(studies: Path, *options: str) -> Iterator[str]:
    """Address of a server as a user starts it; at the end it is asked to stop, and has to."""
    port = free_port()
    line = [sys.executable, "-m", "scripts.label_server", "--studies", str(studies), "--port", str(port), *options]
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(line, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    said = []
    for text in process.stdout:
        said.append(text)
        if "Ctrl-C stops" in text:
            break
    assert process.poll() is None, [*said, process.stderr.read()]
    assert f"ready: http://127.0.0.1:{port}/" in "".join(said)
    yield f"http://127.0.0.1:{port}"
    process.terminate()  # Ctrl-C is ignored in a background job
    assert process.wait(timeout=30) == 143
    assert process.stderr.read() == "terminated; start it again with the same command\n"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@dataclass
class Server:
    """A running server, its images, and the bundles it was given by name."""

    address: str
    studies: Path
    bundles: dict[str, Path]
    labels: Path
    app: Path

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        files: dict[str, Path] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, str, bytes]:
        """Status, content type and content of an answer."""
        data, kind = (b"", "") if body is None and files is None else (json.dumps(body).encode(), "application/json")
        if files is not None:
            data, kind = multipart(body or {}, files)
        call = urllib.request.Request(self.address + path, data=data or None, headers=headers or {}, method=method)
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

    def train(self, name: str = NAME, **options: Any) -> dict[str, Any]:
        """Start a training and wait until it ends."""
        assert self.json("POST", f"/train/{name}", options)["status"] in ("SUBMITTED", "RUNNING")
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            task = self.json("GET", "/train/")
            if task["status"] not in ("SUBMITTED", "RUNNING"):
                return task
            time.sleep(1)
        raise AssertionError("the training does not end")

    def weights(self, name: str = NAME) -> dict[str, torch.Tensor]:
        """The present weights in full precision: packaged ones are in half, trained ones in full."""
        status, _, content = self.request("GET", f"/model/{name}")
        assert status == 200
        state = torch.load(BytesIO(content), weights_only=True)
        return {key: value.float() for key, value in state.get("model", state).items()}

    def left_over(self) -> list[Path]:
        """Uploads and masks that are still there."""
        return [file for file in self.app.glob("temporary.*/tmp*") if file.suffix != ".json"]


def differ(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether any weight differs."""
    assert one.keys() == other.keys()
    return any(not torch.equal(one[key], other[key]) for key in one)


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
