"""How much each part measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Sizes in pixels and numbers of repetitions; `QUICK` is for tests.

    Args:
        rounds: rounds of the candidates that take milliseconds.
        long_rounds: rounds of those that take seconds.
        network_rounds: rounds of inference on large images.
        image: side of the image that is augmented, and of the label that is weighted.
        window: side of the network's input.
        mosaic: side of the large label.
        growth: sides for the growth with image size.
        grid: side of the label for the growth with the number of cells.
        cells: cells per side of that label.
        features: width of the network whose inference is compared.
        large: side of the image whose inference is compared.
        memory: side of the image whose inference is watched for memory.
        roi: side of the sliding window.
        volume: slices, rows and columns of the volume that is segmented in blocks.
        volume_block: rows and columns of a block.
        full_features: width of the paper's network.
        tiles: batches of 572-pixel tiles of the paper's network that are timed.
        matrix: side of the matrices that show what the CPU can do (a GPU gets larger ones).
        steps: training steps timed of each experiment (full, compact, quick).
        overrides: ids of the training configs to override.
    """

    rounds: int = 15
    long_rounds: int = 3
    network_rounds: int = 3
    image: int = 512
    window: int = 572
    mosaic: int = 2048
    growth: tuple[int, ...] = (512, 1024, 2048, 4096)
    grid: int = 1024
    cells: tuple[int, ...] = (2, 8, 16, 32, 64)
    features: int = 16
    large: int = 2048
    memory: int = 2048
    roi: int = 512
    volume: tuple[int, int, int] = (2, 2048, 3072)
    volume_block: int = 1024
    full_features: int = 64
    tiles: int = 3
    matrix: int = 2048
    steps: tuple[int, int, int] = (6, 12, 60)
    overrides: tuple[tuple[str, object], ...] = ()


QUICK = Sizes(
    rounds=3,
    long_rounds=1,
    network_rounds=1,
    mosaic=1024,
    growth=(512, 1024),
    cells=(2, 16),
    features=8,
    large=1024,
    memory=1024,
    volume=(2, 1024, 1536),
    volume_block=512,
    tiles=1,
    steps=(2, 3, 12),
)
