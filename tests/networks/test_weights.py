"""Files of PyTorch weights are only read if they are complete and contain only tensors."""

from __future__ import annotations

import pytest
import torch

from custom.errors import UserError
from custom.networks import ValidUNet, load_state, read_state


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"network": state, "trainer": {"epoch": 1}}])
def test_weights_come_back(tmp_path, wrap):
    source, target = (ValidUNet(features=2, depth=1) for _ in range(2))
    path = tmp_path / "model.pt"
    torch.save(wrap(source.state_dict()), path)
    load_state(target, read_state(path), path)
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))


def test_missing_weights_say_what_to_do(tmp_path):
    with pytest.raises(UserError, match="no such weights; train first"):
        read_state(tmp_path / "model.pt")


@pytest.mark.parametrize("content", [b"", b"torn", b"not a model", b"PK\x03\x04 torn"])
def test_broken_weights_are_refused(tmp_path, content):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(UserError, match="model.pt: not a file of PyTorch weights"):
        read_state(tmp_path / "model.pt")


def test_pickled_code_is_not_run(tmp_path):
    torch.save({"weight": print}, tmp_path / "model.pt")
    with pytest.raises(UserError, match="not a file of PyTorch weights"):
        read_state(tmp_path / "model.pt")


def test_what_is_no_state_dict_is_refused(tmp_path):
    torch.save([torch.zeros(2)], tmp_path / "model.pt")
    with pytest.raises(UserError, match="holds no state dict"):
        read_state(tmp_path / "model.pt")
