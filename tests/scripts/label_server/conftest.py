"""The server over HTTP, started once for all tests that are marked slow.

They are not part of continuous integration, which starts on a fresh machine each time: they install MONAI Label and its
own PyTorch first, 3.6 GB from package servers, to run for minutes. Run them by `make slow`, or alone by
`python -m pytest -m slow tests/scripts/label_server`, before a release and after a change to `scripts/label_server` or
`scripts/package_bundle`; `.venv-label` stays for the next time.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from numpy.typing import NDArray

from custom.data import make_synthetic
from scripts.package_bundle.__main__ import package

from ..package_bundle.making import make_inputs
from .running import NAME, OTHER, SIZE, STEMS, WIDTHS, Server, make_studies, masks_of, running


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """The server as a user starts it, in `.venv-label`, which is made if it is not there."""
    folder = tmp_path_factory.mktemp("label")
    bundles = {}
    for name, features in WIDTHS.items():
        overlay, model = make_inputs(folder, features)
        bundles[name] = package(model, name, folder / "dist", str(overlay))
    drawn = make_synthetic(folder / "drawn", seed=2, size=SIZE, counts={"training": len(STEMS)})
    make_studies(folder / "studies", drawn)
    line = ["--bundle", f"{bundles[NAME]}.zip", "--bundle", str(bundles[OTHER]), "--app", str(folder / "app")]
    line += ["--max_upload", "3", "--allow_origin", "https://viewer.example"]
    with running(folder / "studies", *line) as address:
        yield Server(address, folder / "studies", bundles, drawn / "training" / "label", folder / "app")


@pytest.fixture(scope="session")
def own_masks(server, tmp_path_factory) -> dict[str, NDArray]:
    return masks_of(server, NAME, tmp_path_factory.mktemp("own"))
