"""Slices are cleaned one by one, and a run that was killed meanwhile goes on to the same result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from scripts.segment_volume import __main__ as segment_volume
from scripts.segment_volume import instances, target
from scripts.segment_volume.clean_up import clean_slice
from tests.models import make_model, make_three_class_model

SHAPE = (3, 70, 100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Models of two classes, and of three classes and two channels, with a volume as TIFF for each."""
    folder = tmp_path_factory.mktemp("files")
    volume = np.random.default_rng(0).integers(0, 2**16, (2, *SHAPE), np.uint16)
    make_model(folder / "two", features=4, depth=1)
    tifffile.imwrite(folder / "two.tif", volume[0], photometric="minisblack")
    make_three_class_model(folder / "three")
    tifffile.imwrite(folder / "three.tif", volume, photometric="minisblack")
    return folder


def command(model: Path, output: Path, *more: str) -> list[str]:
    fixed = ["--model", str(model), "--block", "48", "--bfloat16", "false"]
    return [f"{model}.tif", str(output), *fixed, *more]


def chunks(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("model", "more"), [("two", ["--instances"]), ("three", ["--ome_zarr", "0.5", "--axes", "CZYX"])]
)
def test_stopped_between_two_slices(folder, tmp_path, monkeypatch, model, more):
    """Slice 0 is clean already; partial files of a killed worker lie in slice 2 of each level."""
    expected, output, planted = tmp_path / "whole.zarr", tmp_path / "out.zarr", []
    assert segment_volume.main(command(folder / model, expected, *more)) == 0

    def stop(job, z):
        if z == 1:
            part = Path(job.target)
            working = [file for file in (part / instances.WORKING).rglob("*") if not file.name.startswith(".")]
            assert {file.relative_to(part).parts[2] for file in working if file.is_file()} <= {"1", "2"}
            for name in target.layers(job.instances):
                for level in target.level_paths(part, name):
                    array = target.open_level(part, name, level)
                    last = [-(-side // chunk) - 1 for side, chunk in zip(array.shape, array.chunks, strict=True)]
                    chunk = part / name / level / array.metadata.encode_chunk_key(tuple(last))
                    planted.append(chunk.with_suffix(".7.partial"))
                    planted[-1].touch()
            raise OSError(28, "No space left on device")
        return clean_slice(job, z)

    with monkeypatch.context() as context:
        context.setattr(segment_volume, "clean_slice", stop)
        assert segment_volume.main(command(folder / model, output, *more)) == 2
    assert len(planted) >= 4  # two layers, two levels
    assert segment_volume.main(command(folder / model, output, *more, "--resume")) == 0
    assert chunks(output) == chunks(expected)
    if "--instances" in more:
        assert zarr.open_array(output / target.INSTANCES / "0", mode="r")[:].max() > 0
