"""Other programs read the result: ome-zarr, the models of OME-NGFF, napari's plugin, z5py."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from scripts.segment_volume import __main__ as segment_volume
from tests.models import make_model, make_three_class_model

ROOT = Path(__file__).parents[3]
PYTHON = Path(os.environ.get("NGFF_PYTHON", ROOT / ".venv-ngff" / "bin" / "python"))
SHAPE = (3, 70, 100)
READ = """
import json, sys
import numpy as np, ome_zarr_models, zarr
from napari_ome_zarr import napari_get_reader
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

path = sys.argv[1]
kinds = [type(ome_zarr_models.open_ome_zarr(zarr.open_group(path + name, mode="r"))).__name__
         for name in ("", "/labels", "/labels/mask", "/labels/instances")]
nodes = [list(node.data[0].shape) for node in Reader(parse_url(path))() if node.data]
layers = [(kind, list(np.shape(data[0])), [float(s) for s in meta["scale"]], [str(u) for u in meta.get("units", [])],
           float(np.asarray(data[0]).sum(dtype=float))) for data, meta, kind in napari_get_reader(path)(path)]
z5 = []
if sys.argv[2] == "0.4":
    import z5py
    file = z5py.File(path, mode="r", use_zarr_format=True)
    z5 = [float(file[name][:].sum(dtype=float)) for name in ("0", "labels/mask/0", "labels/instances/0")]
print(json.dumps([kinds, nodes, layers, z5]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.is_file(), reason="set up .venv-ngff as requirements-ngff.txt says")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("classes", [2, 3])
def test_other_programs_read_it(version, classes, tmp_path):
    """Pixels, types, anisotropic size and unit."""
    pixels = np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16)
    size = {f"PhysicalSize{axis}{unit}": unit and "nm" for axis in "XYZ" for unit in ("", "Unit")}
    size |= {"PhysicalSizeX": 4.0, "PhysicalSizeY": 5.0, "PhysicalSizeZ": 50.0}
    model = make_model(tmp_path / "model", features=4) if classes == 2 else make_three_class_model(tmp_path / "model")
    if classes == 3:
        pixels = np.stack([pixels, pixels[:, ::-1]], axis=1)
    axes = "ZYX" if classes == 2 else "ZCYX"
    tifffile.imwrite(
        tmp_path / "in.ome.tif", pixels, ome=True, photometric="minisblack", metadata={"axes": axes, **size}
    )
    output = tmp_path / "out.zarr"
    line = [str(tmp_path / "in.ome.tif"), str(output), "--model", str(model.folder), "--instances", "--link_z"]
    assert segment_volume.main([*line, "--block", "48", "--ome_zarr", version]) == 0
    done = subprocess.run([PYTHON, "-c", READ, output, version], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kinds, nodes, layers, z5 = json.loads(done.stdout.splitlines()[-1])
    assert kinds == ["Image", "Labels", "ImageLabel", "ImageLabel"]
    several = [3] if classes == 3 else []
    assert nodes == [[*several, *SHAPE], list(SHAPE), list(SHAPE)]
    sums = [
        float(zarr.open_array(output / name, mode="r")[:].sum(dtype=float))
        for name in ("0", "labels/mask/0", "labels/instances/0")
    ]
    assert [layer[0] for layer in layers] == ["image", "labels", "labels"]
    for layer, total in zip(layers, sums, strict=True):
        assert layer[2:4] == [[50.0, 5.0, 4.0], ["nanometer"] * 3]
        assert layer[4] == pytest.approx(total)
    assert z5 == pytest.approx(sums if version == "0.4" else [])
