"""Inference on large images: overlap tiles against sliding windows and the plain loop, its growth and its memory."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from custom.inferers import OverlapTileInferer
from custom.networks import ValidUNet

from . import samples
from .inference_peers import TILE, SamePaddingUNet, basic_unet, one_pass, plain_tiles, sliding
from .matrix import device_and_dtype, forward_operations, matrix_throughput
from .memory import WAYS, peak_memory
from .results import Check, Floor, Part, Table
from .sizes import Sizes
from .timing import Call, Times, alternate, median, speedup

OWN = "OverlapTileInferer"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FLOORS_IN_USE = {"float32": 2.0, "bfloat16": 2.5}  # against the plain loop
PLAIN = "plain loop of 388-pixel tiles, float32"
BASIC = "SlidingWindowInferer, BasicUNet"
SAME = "SlidingWindowInferer, same layers with padding"


def run(sizes: Sizes) -> Part:
    """Compare on the GPU if there is one, else on all cores."""
    device, dtype = device_and_dtype()
    in_use = str(dtype).removeprefix("torch.")
    torch.manual_seed(0)
    network = ValidUNet(features=sizes.features).eval().to(device)
    part = Part(
        "inference",
        f"Depth 4, {sizes.features} features, on {device.type} with {torch.get_num_threads()} threads; sliding windows "
        f"of {sizes.roi} pixels, overlap 0.25, Gaussian. Bfloat16 is "
        f"{'native' if dtype == torch.bfloat16 else 'not native'} here, so that {in_use} is in use.",
    )
    image = torch.from_numpy(samples.mosaic(sizes.large)[0])[None, None].to(device)
    calls = candidates(network, image, sizes.roi)
    for call in candidates(network, image[..., : sizes.roi, : sizes.roi], sizes.roi).values():
        call()
    times = alternate(calls, sizes.network_rounds, warm_up=False)
    part.tables = [
        comparison_table(times, sizes.large, in_use),
        growth(network, sizes, in_use),
        memory(sizes),
        full_network(device, dtype, sizes),
    ]
    part.checks = checks(network, image[..., : sizes.roi - 12, : sizes.roi])
    part.floors = floors(times, in_use)
    return part


def own(network: ValidUNet, image: Tensor, precision: str) -> Call:
    return partial(OverlapTileInferer(amp=precision == "bfloat16"), image, network)


def candidates(network: ValidUNet, image: Tensor, roi: int) -> dict[str, Call]:
    """Each way in each precision."""
    basic, same = (net.eval().to(image.device) for net in (basic_unet(width(network)), SamePaddingUNet(width(network))))
    calls: dict[str, Call] = {}
    for name, dtype in PRECISIONS.items():
        calls[f"{OWN}, {name}"] = own(network, image, name)
        calls[f"{SAME}, {name}"] = partial(sliding, same, image, roi, dtype)
        calls[f"{BASIC}, {name}"] = partial(sliding, basic, image, roi, dtype)
    calls[PLAIN] = partial(plain_tiles, network, image)
    return calls


def width(network: ValidUNet) -> int:
    """Features of the first level."""
    return network.classify.in_channels


def comparison_table(times: Times, size: int, in_use: str) -> Table:
    rows: list[list[Any]] = [
        [
            name,
            median(times, name),
            size**2 / 1e6 / median(times, name),
            speedup(times, name, f"{OWN}, {'bfloat16' if name.endswith('bfloat16') else 'float32'}"),
            speedup(times, name, f"{OWN}, {in_use}"),
        ]
        for name in times
    ]
    columns = ["", "s", "Mpixel/s", "times slower than tiles, same precision", f"times slower than tiles, {in_use}"]
    return Table(f"Inference, {size} x {size}", columns, rows, "bars")


def floors(times: Times, in_use: str) -> list[Floor]:
    """The required speeds of the precision in use: bfloat16 where it is native, else float32."""
    found = [
        Floor(
            f"times faster than {peer}, {precision}",
            speedup(times, f"{peer}, {precision}", f"{OWN}, {precision}"),
            1.5,
            limit="the convolutions' own speed" if peer == SAME else "",
        )
        for peer in (BASIC, SAME)
        for precision in PRECISIONS
        if precision in ("float32", in_use)
    ]
    loop = Floor(
        f"times faster than the {PLAIN}, with {in_use}",
        speedup(times, PLAIN, f"{OWN}, {in_use}"),
        FLOORS_IN_USE[in_use],
        limit=f"the convolutions' own speed in {in_use}",
    )
    return [*found, loop]


def growth(network: ValidUNet, sizes: Sizes, in_use: str) -> Table:
    """Time by image size, one run each."""
    device = next(network.parameters()).device
    rows: list[list[Any]] = []
    for size in sizes.growth:
        image = torch.from_numpy(samples.mosaic(size)[0])[None, None].to(device)
        times = alternate({OWN: own(network, image, in_use)}, 1, warm_up=False)
        rows.append([size, median(times, OWN), size**2 / 1e6 / median(times, OWN)])
    return Table(f"Inference by image size, {in_use}", ["pixels per side", "s", "Mpixel/s"], rows, "lines")


def memory(sizes: Sizes) -> Table:
    """Peak memory, each way in its own process on the CPU."""
    rows: list[list[Any]] = [[way, *peak_memory(way, sizes.memory, sizes.features, sizes.roi)] for way in WAYS]
    columns = ["", "MiB beyond network and image", "MiB of the process"]
    note = "The logits to return are in each. Tiles take a quarter of the free memory by default, if they need it."
    return Table(f"Peak memory, {sizes.memory} x {sizes.memory}, float32, CPU", columns, rows, "bars", note)


def full_network(device: torch.device, dtype: torch.dtype, sizes: Sizes) -> Table:
    """Tiles a second of the paper's network, and the share of the device's matrix throughput that it reaches."""
    network = ValidUNet(features=sizes.full_features).eval().to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = 8 if device.type == "cuda" else 1
    tiles = torch.rand(batch, 1, TILE, TILE, device=device)

    def call() -> None:
        with torch.no_grad(), torch.autocast(device.type, dtype, enabled=dtype == torch.bfloat16):
            network(tiles.contiguous(memory_format=torch.channels_last))

    seconds = median(alternate({"tiles": call}, sizes.tiles), "tiles")
    reached = batch * forward_operations(network, TILE) / seconds
    limit = matrix_throughput(device, dtype, sizes.matrix)
    columns = ["", "tiles/s", "Mpixel/s of output", "Tflop/s", "Tflop/s in matrix products", "share"]
    rows: list[list[Any]] = [
        [
            f"batch {batch}, {str(dtype).removeprefix('torch.')}",
            batch / seconds,
            batch * network.output_size(TILE) ** 2 / 1e6 / seconds,
            reached / 1e12,
            limit / 1e12,
            reached / limit,
        ]
    ]
    note = "" if device.type == "cuda" else "No GPU here: measured on the CPU."
    return Table(
        f"The paper's network ({sizes.full_features} features), tiles of {TILE} pixels, {device.type}",
        columns,
        rows,
        note=note,
    )


def checks(network: ValidUNet, image: Tensor) -> list[Check]:
    """Tiled against one pass over the whole mirrored image, and bfloat16 against float32."""
    whole = one_pass(network, image)
    tiled = OverlapTileInferer(tile_size=network.next_admissible(2 * network.margin + 100), amp=False)(image, network)
    half = OverlapTileInferer(amp=True)(image, network)
    scale = float(whole.abs().max())

    def flips(logits: Tensor) -> float:
        return float((logits.argmax(1) != whole.argmax(1)).float().mean())

    return [
        Check(
            "tiled against one pass, largest difference of logits, relative",
            float((tiled - whole).abs().max()) / scale,
            1e-5,
        ),
        Check("tiled against one pass, share of labels that differ", flips(tiled), 1e-4),
        Check(
            "bfloat16 against float32, largest difference of logits, relative",
            float((half - whole).abs().max()) / scale,
            0.03,
        ),
    ]
