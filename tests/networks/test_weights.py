"""Weights are loaded only if they are whole, unaltered and of this network."""

from __future__ import annotations

import hashlib

import pytest
import torch

from custom.errors import UserError
from custom.networks import ValidUNet, load_weights


def network(features: int = 2) -> ValidUNet:
    return ValidUNet(features=features, depth=1)


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"network": state, "trainer": {"epoch": 1}}])
def test_weights_come_back(tmp_path, wrap):
    source, target = network(), network()
    torch.save(wrap(source.state_dict()), tmp_path / "model.pt")
    load_weights(target, tmp_path / "model.pt")
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))


def test_half_precision_is_widened(tmp_path):
    source, target = network(), network()
    torch.save({name: value.half() for name, value in source.state_dict().items()}, tmp_path / "model.pt")
    load_weights(target, tmp_path / "model.pt")
    for a, b in zip(source.parameters(), target.parameters(), strict=True):
        assert b.dtype == torch.float32
        assert torch.equal(a.half().float(), b)


def test_another_network_is_refused_by_its_first_different_layer(tmp_path):
    torch.save(network(3).state_dict(), tmp_path / "model.pt")
    with pytest.raises(UserError, match=r"model.pt does not fit the network: classify.weight is \(2, 2, 1, 1\)"):
        load_weights(network(), tmp_path / "model.pt")


def test_missing_weights_say_what_to_do(tmp_path):
    with pytest.raises(UserError, match="no such weights; train first"):
        load_weights(network(), tmp_path / "model.pt")


@pytest.mark.parametrize("content", [b"", b"torn", b"not a model", b"PK\x03\x04 torn"])
def test_broken_weights_are_refused(tmp_path, content):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(UserError, match="model.pt is not a file of PyTorch weights"):
        load_weights(network(), tmp_path / "model.pt")


def test_pickled_code_is_not_run(tmp_path):
    torch.save({"weight": print}, tmp_path / "model.pt")
    with pytest.raises(UserError, match="not a file of PyTorch weights"):
        load_weights(network(), tmp_path / "model.pt")


def test_the_checksum_beside_is_held(tmp_path):
    path = tmp_path / "model.pt"
    torch.save(network().state_dict(), path)
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  model.pt\n")
    load_weights(network(), path)
    torch.save(network().state_dict(), path)
    with pytest.raises(UserError, match=r"model.pt is damaged: its SHA-256 is not the one in .*SHA256SUMS"):
        load_weights(network(), path)
