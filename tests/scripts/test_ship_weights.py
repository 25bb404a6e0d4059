"""Shipped weights are the trained ones in half precision, and their checksum holds."""

from __future__ import annotations

import pytest
import torch

from custom.errors import UserError
from custom.networks import ValidUNet, load_weights
from scripts.ship_weights import main


def test_shipped_weights_load_and_are_checked(tmp_path):
    source, target = ValidUNet(features=2, depth=1), ValidUNet(features=2, depth=1)
    torch.save({"network": source.state_dict(), "trainer": {"epoch": 3}}, tmp_path / "checkpoint.pt")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "SHA256SUMS").write_text("0" * 64 + "  model.pt\n" + "1" * 64 + "  other.pt\n")
    output = tmp_path / "models" / "model.pt"
    assert main(["--weights", str(tmp_path / "checkpoint.pt"), "--output", str(output)]) == 0
    lines = (tmp_path / "models" / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["other.pt", "model.pt"]
    load_weights(target, output)
    for a, b in zip(source.parameters(), target.parameters(), strict=True):
        assert torch.equal(a.half().float(), b)
    output.write_bytes(output.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="damaged"):
        load_weights(target, output)


def test_weights_that_half_precision_does_not_hold_are_refused(tmp_path, capsys):
    torch.save({"weight": torch.tensor([1e6])}, tmp_path / "model.pt")
    assert main(["--weights", str(tmp_path / "model.pt"), "--output", str(tmp_path / "half.pt")]) == 2
    assert "half precision does not hold" in capsys.readouterr().err
    assert not (tmp_path / "half.pt").exists()
