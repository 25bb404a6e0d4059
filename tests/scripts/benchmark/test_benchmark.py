"""The benchmark on tiny sizes: its candidates agree, and its report lists them. Speeds are not asserted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from custom.data import make_synthetic
from custom.networks import ValidUNet
from scripts.benchmark import __main__ as benchmark
from scripts.benchmark import augmentation_peers, inference, samples, timing, training
from scripts.benchmark.inference_peers import SamePaddingUNet, one_pass, plain_tiles
from scripts.benchmark.memory import peak_memory
from scripts.benchmark.report import number, to_markdown
from scripts.benchmark.results import Check, Floor, Part, Table
from scripts.benchmark.sizes import Sizes
from scripts.benchmark.timing import alternate, comparison, speedup
from scripts.benchmark.weight_map_peers import boxed, naive, opencv_distance, scipy_distance

TINY = Sizes(
    rounds=1,
    long_rounds=1,
    network_rounds=1,
    image=160,
    window=220,
    mosaic=128,
    growth=(64, 96),
    grid=64,
    cells=(2, 4),
    features=2,
    large=96,
    memory=64,
    roi=64,
    volume=(2, 96, 130),
    volume_block=64,
    full_features=2,
    tiles=1,
    matrix=64,
    steps=(2, 2, 2),
    overrides=(("network_def#features", 2), ("network_def#depth", 2), ("input_size", 92)),
)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels of a few cells instead of drawn micrographs."""
    generator = np.random.default_rng(0)
    image = generator.random((512, 512), np.float32)
    label = (ndimage.gaussian_filter(generator.standard_normal((512, 512)), 6) > 0).astype(np.uint8)
    monkeypatch.setattr(samples, "pieces", lambda: [(image, label)])


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "DEFAULT", TINY)
    monkeypatch.setattr(timing, "TURN", 0.0)
    monkeypatch.setattr(inference, "peak_memory", lambda *_: (1.0, 2.0))
    counts = {"training": 1, "validation": 1, "test": 1}
    monkeypatch.setattr(training, "ensure_synthetic", lambda folder: make_synthetic(folder, 0, (64, 80), counts))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", list(benchmark.PARTS))
def test_part_agrees_and_is_written(name: str, tmp_path: Path) -> None:
    assert benchmark.main(["--only", name, "--output", str(tmp_path)]) == 0
    (part,) = json.loads((tmp_path / "benchmark.json").read_text())["parts"]
    assert part["name"] == name
    assert part["checks"] or name == "augmentation"  # whose checks need elasticdeform
    assert all(check["met"] for check in part["checks"])
    report = (tmp_path / "benchmark.md").read_text()
    assert all(table["title"] in report for table in part["tables"])
    assert all(floor["what"] in report for floor in part["floors"])
    assert (tmp_path / "benchmark.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("tiny")
def test_training_is_compared_with_the_faster_products_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    training.ensure_synthetic(tmp_path / "synthetic")
    limits = iter([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    speeds = iter([3.0, 5.0, 11.0, 7.0, 7.0, 7.0])  # of the loaded epochs, then of the others
    monkeypatch.setattr(training.Clock, "steps_per_second", lambda _: next(speeds))
    result = training.measure(["experiments/quick.json"], tmp_path, 1, TINY, lambda: next(limits))
    step = result.rate / 5  # the median of 3, 5 and 11 steps a second
    assert result.limit == 8  # of 2, 8 and 32, beside the first, third and fifth epoch
    assert result.share == pytest.approx(step * 5 / 8)  # of 3 / 2, 5 / 8 and 11 / 32
    assert next(limits, None) is None


@pytest.mark.parametrize("content", ["", "[]", '{"machine": {}, "parts": [1]}'])
def test_a_damaged_report_or_a_folder_that_cannot_be_written_is_known_before(
    content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(benchmark.PARTS, "weight_map", lambda sizes: pytest.fail("was measured"))
    (tmp_path / "benchmark.json").write_text(content)
    for output, message in ((tmp_path, "benchmark.json"), (tmp_path / "benchmark.json", "cannot be written")):
        assert benchmark.main(["--only", "weight_map", "--quick", "--output", str(output)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


def test_missing_peers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmentation_peers, "version", lambda package: None if package == "elasticdeform" else "1")
    monkeypatch.setitem(augmentation_peers.PEERS, "albumentations", ("albumentations", lambda job: lambda: None))
    for name in [name for name in augmentation_peers.PEERS if name.startswith("albumentations ")]:
        monkeypatch.delitem(augmentation_peers.PEERS, name)
    items = {key: np.zeros((1, 30, 40), np.float32) for key in augmentation_peers.KEYS}
    present, absent = augmentation_peers.peers(augmentation_peers.Job(items, 20, 10))
    assert absent == ["elasticdeform: pad, deform, crop", "elasticdeform with its crop argument"]
    rows = comparison({"own": [2.0], "peer": [3.0]}, "own", 1.0, absent[:1])
    part = Part("part", "", [Table("table", ["", "s", "times"], rows)])
    assert f"| {absent[0]} | not installed |" in to_markdown({}, [part], shortened=False)
    assert "albumentations" in present


def test_a_wrong_result_fails_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    part = Part("part", "", checks=[Check("difference", 2.0, 1.0)], floors=[Floor("times", 1.0, 2.0, limit="memory")])
    monkeypatch.setitem(benchmark.PARTS, "weight_map", lambda sizes: part)
    assert benchmark.main(["--only", "weight_map", "--quick", "--output", str(tmp_path)]) == 1
    report = (tmp_path / "benchmark.md").read_text()
    assert "NO: limited by memory" in report
    assert "Not for quoting" in report


def test_ways_to_a_weight_map_agree() -> None:
    label = samples.mosaic(90)[1][:, :70]
    expected = naive(label)
    near = expected - expected.min() > 1e-4
    assert ndimage.label(label)[1] > 2
    for distance in (scipy_distance, opencv_distance):
        np.testing.assert_allclose(boxed(label, distance)[near], expected[near], atol=2e-5)


def test_networks_of_the_peers() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 1, 400, 70)
    network = ValidUNet(features=2).eval()
    same = SamePaddingUNet(2).eval()
    assert same(image[..., :64, :64]).shape == (1, 2, 64, 64)
    assert {k: v.shape for k, v in same.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}
    plain, whole = plain_tiles(network, image), one_pass(network, image)
    assert plain.shape == whole.shape == (1, 2, 400, 70)
    torch.testing.assert_close(plain[..., :388, :], whole[..., :388, :], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(plain[..., 388:, :], whole[..., 388:, :], atol=1e-5)  # 388 is not a multiple of 16


def test_ratios_are_medians_of_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "TURN", 0.0)
    times = {"slow": [2.0, 12.0, 9.0], "fast": [1.0, 2.0, 3.0]}
    assert speedup(times, "slow", "fast") == 3.0
    order: list[str] = []
    alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b"] * 3


def test_peak_memory_of_a_process_of_its_own() -> None:
    beyond, total = peak_memory("tiles", 40, 1, 64)
    assert 0 < beyond < total


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), ("a", "a"), (0.0, "0"), (0.1234, "0.123"), (1234.5, "1,234"), (2e-7, "2.0e-07")]
)
def test_numbers(value: float | str | None, text: str) -> None:
    assert number(value) == text


def test_the_readme_quotes_the_report() -> None:
    root = Path(__file__).parents[3]
    floors = (root / "docs" / "benchmark.md").read_text().split("## Floors\n\n")[1].split("\n\n")[0]
    assert floors.count("\n") > 5
    assert floors in (root / "README.md").read_text()
