"""The network matches its description, and its geometry attributes are correct."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from custom.errors import UserError
from custom.networks import ValidUNet, valid_unet
from custom.networks.valid_unet import UP_CONVOLUTIONS, center_copy, center_crop


def small(**arguments) -> ValidUNet:
    return ValidUNet(**{"features": 8, "depth": 2, "dropout": 0.0, **arguments}).eval()


def test_parameters_and_layers_of_the_paper():
    network = ValidUNet()
    assert sum(p.numel() for p in network.parameters()) == 31_030_658
    assert sum(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in network.modules()) == 23
    assert [block[0].out_channels for block in network.down] == [64, 128, 256, 512, 1024]


@pytest.mark.parametrize("depth", [1, 3, 4])
def test_each_level_is_pooled_2_by_2_once(depth):
    network, pooled = small(features=2, depth=depth), []
    for module in network.modules():
        if isinstance(module, nn.MaxPool2d):
            module.register_forward_hook(lambda _, given, output: pooled.append(tuple(output.shape[1:])))
    height = network.next_admissible(1)
    width = network.next_admissible(height + 1)
    network(torch.rand(1, 1, height, width))
    expected = []
    for level in range(depth):
        height, width = (height - 4) // 2, (width - 4) // 2  # two unpadded convolutions, then half
        expected.append((2 * 2**level, height, width))
    assert pooled == expected


def test_tile_sizes_of_the_paper():
    network = ValidUNet(features=1)
    assert network.margin == 92
    assert [network.output_size(n) for n in (572, 700, 188)] == [388, 516, 4]
    assert network(torch.zeros(1, 1, 188, 572)).shape == (1, 2, 4, 388)


@pytest.mark.parametrize("up", ["transposed", "upsample"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_geometry_agrees_with_the_layers(depth, up):
    network = small(depth=depth, up=up)
    height = network.next_admissible(1)
    width = network.next_admissible(height + 1)
    assert width == height + network.divisor
    logits = network(torch.rand(1, 1, height, width))
    assert logits.shape[-2:] == (network.output_size(height), network.output_size(width))
    for size in range(1, height + 2 * network.divisor):
        admissible = network.next_admissible(size)
        assert size <= admissible
        assert admissible == height or admissible - size < network.divisor


@pytest.mark.parametrize("up", ["transposed", "upsample"])
@pytest.mark.parametrize(("top", "left"), [(0, 0), (4, 8), (8, 4)])
def test_windows_on_the_pooling_grid_agree_inside_the_halo(up, top, left):
    """The equality that makes tiling seamless: origins on multiples of `divisor`, `halo` pixels thrown away."""
    network = small(up=up).double()
    image = torch.rand(1, 1, 68, 76, dtype=torch.float64)
    whole = network(image)
    tile = network(image[..., top : top + 52, left : left + 56])
    inner = slice(network.halo, -network.halo or None)
    expected = whole[..., top : top + tile.shape[-2], left : left + tile.shape[-1]]
    torch.testing.assert_close(tile[..., inner, inner], expected[..., inner, inner], rtol=0, atol=1e-12)


def test_windows_off_the_pooling_grid_differ():
    network = small()
    image = torch.rand(1, 1, 68, 76)
    tile = network(image[..., 1:53, :])
    assert (tile - network(image)[..., 1 : 1 + tile.shape[-2], :]).abs().max() > 1e-3


def test_the_reach_of_the_first_output_row():
    """It starts `margin` above its own place and ends within one pooling cell of `margin` below it."""
    network = small(features=8)
    image = torch.rand(1, 1, 52, 60, requires_grad=True)
    network(image)[..., 0, :].sum().backward()
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert (rows.min().item(), rows.max().item()) == (0, 2 * network.margin + network.divisor - 1)


@pytest.mark.parametrize("size", [(53, 52), (52, 50), (16, 52)])
def test_inadmissible_input_names_the_next_size(size):
    network = small()
    with pytest.raises(UserError, match=r"take \d+ or any size that differs by a multiple of 4"):
        network(torch.zeros(1, 1, *size))


def test_initialisation_of_the_paper():
    """Standard deviation sqrt(2 / N): 3x3 on 64 channels has N = 576; a transposed 2x2 of stride 2 has N = channels."""
    torch.manual_seed(0)
    network = ValidUNet()
    assert network.down[0][2].weight.std().item() == pytest.approx(math.sqrt(2 / 576), rel=0.02)
    assert network.up[0].up.weight.std().item() == pytest.approx(math.sqrt(2 / 1024), rel=0.02)
    assert all((m.bias == 0).all() for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))


@pytest.mark.parametrize("up", ["transposed", "upsample"])
def test_he_initialisation_keeps_the_variance_of_activations(up):
    torch.manual_seed(0)
    network = ValidUNet(features=32, dropout=0.0, up=up).eval()
    logits = network(torch.randn(1, 1, 252, 268))
    assert 0.1 < logits.std().item() < 10


@pytest.mark.parametrize("init", ["xavier_uniform", "xavier_normal", "kaiming"])
def test_other_initialisations_draw_differently(init):
    torch.manual_seed(0)
    reference = small()
    torch.manual_seed(0)
    other = small(init=init)
    assert not torch.equal(reference.up[0].up.weight, other.up[0].up.weight)


def test_dropout_sits_at_the_end_of_the_contracting_path():
    """In training the first level's skip is untouched: only the two lowest levels are dropped."""
    network = small(depth=3, dropout=0.9).train()
    seen = []
    network.dropout.register_forward_hook(lambda module, args, output: seen.append(args[0].shape[1]))
    network(torch.rand(1, 1, 92, 100))
    assert seen == [32, 64]


def test_script_and_trace_give_the_same_logits():
    network = small()
    image = torch.rand(2, 1, 52, 60)
    expected = network(image)
    scripted = torch.jit.script(network)
    torch.testing.assert_close(scripted(image), expected, rtol=0, atol=0)
    with pytest.raises(torch.jit.Error, match="height and width have to be"):
        scripted(image[..., :-2])
    torch.testing.assert_close(torch.jit.trace(network, image)(image), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": 0}, "features is 0"),
        ({"depth": 0}, "depth is 0"),
        ({"depth": 9}, "depth is 9"),
        ({"depth": 2.5}, "depth is 2.5"),
        ({"out_channels": 1}, "out_channels is 1"),
        ({"up": "bilinear"}, "choose one of transposed, upsample"),
        ({"init": "zeros"}, "choose one of he"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        ValidUNet(**{"features": 2, **arguments})


@pytest.mark.parametrize("up", UP_CONVOLUTIONS)
def test_training_mode_computes_the_same_logits_and_gradients(monkeypatch, up):
    """It copies the skip connections, which keeps gradients channels-last; compare with plain slices."""
    torch.manual_seed(0)
    network = small(up=up).train()
    image = torch.rand(2, 1, 60, 68)

    def run():
        network.zero_grad()
        logits = network(image)
        logits.square().sum().backward()
        return logits.detach(), [parameter.grad.clone() for parameter in network.parameters()]

    logits, gradients = run()
    monkeypatch.setattr(valid_unet, "center_copy", center_crop)
    sliced_logits, sliced_gradients = run()
    assert torch.equal(logits, sliced_logits)
    torch.testing.assert_close(gradients, sliced_gradients)
    assert torch.equal(logits, network.eval()(image))


@pytest.mark.parametrize("size", [[6, 4], [3, 5]])
def test_gradient_of_a_copied_centre_is_channels_last(size):
    x = torch.rand(1, 3, 8, 9).contiguous(memory_format=torch.channels_last).requires_grad_()
    copy = center_copy(x, size)
    assert torch.equal(copy, center_crop(x, size))
    (gradient,) = torch.autograd.grad(copy, x, torch.ones_like(copy))
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    expected = torch.zeros_like(x)
    center_crop(expected, size).fill_(1)
    assert torch.equal(gradient, expected)
