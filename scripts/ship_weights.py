"""Put trained weights into the bundle: half precision, with their SHA-256 beside them.

python -m scripts.ship_weights --weights runs/compact/model.pt --output bundle/models/model.pt
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from custom.errors import UserError
from custom.files import replace_file
from custom.networks.weights import CHECKSUMS, read_state

from . import command


def ship(weights: Path, output: Path) -> None:
    """Write ``weights`` as float16 to ``output`` and its line into ``SHA256SUMS`` beside it.

    Raises:
        UserError: the weights are missing or broken, or overflow float16, or ``output`` cannot be written.
    """
    halved = {name: value.half() for name, value in read_state(weights).items()}
    overflown = [name for name, value in halved.items() if not value.isfinite().all()]
    if overflown:
        raise UserError(f"{weights}: {overflown[0]} has values that half precision does not hold; ship it as it is")
    with replace_file(output) as temporary:
        torch.save(halved, temporary)
    sums = output.with_name(CHECKSUMS)
    lines = sums.read_text().splitlines() if sums.is_file() else []
    kept = [line for line in lines if not line.endswith(f"  {output.name}")]
    with replace_file(sums) as temporary:
        digest = hashlib.sha256(output.read_bytes()).hexdigest()
        temporary.write_text("\n".join([*kept, f"{digest}  {output.name}"]) + "\n")


@command.entry_point("start again")
def main(argv: Sequence[str] | None = None) -> int:
    """Ship the weights that the command line names."""
    parser = command.make_parser("scripts.ship_weights", __doc__)
    parser.add_argument("--weights", type=Path, required=True, help="model.pt or checkpoint.pt of a training")
    parser.add_argument("--output", type=Path, required=True, help="file in bundle/models")
    given = parser.parse_args(argv)
    ship(given.weights, given.output)
    print(f"{given.output}: {given.output.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
