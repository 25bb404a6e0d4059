"""How long a volume takes on many workers: simulated from the costs of a recorded run.

    python -m scripts.volume_scaling --record
    python -m scripts.volume_scaling

The first segments a small volume of micrographs on one core, records what each step costs, and writes
volume_costs.json; it needs `pip install -r requirements-volume.txt`. Both write the figures into scaling.md, and
volume_scaling.png beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from custom.errors import UserError
from custom.files import replace_file

from .. import command
from .record import Costs, record
from .report import draw, insert, table, to_markdown

RECORDED = (2, 2048, 4096), 2048


def main_files(output: Path) -> tuple[Path, Path, Path]:
    """Costs, page and figure."""
    return output / "volume_costs.json", output / "scaling.md", output / "volume_scaling.png"


@command.entry_point("nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Record if asked to, simulate, and write."""
    parser = command.make_parser("scripts.volume_scaling", __doc__)
    parser.add_argument("--record", action="store_true", help="record the costs anew, instead of reading them")
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the files")
    options = parser.parse_args(argv)
    recorded, page, figure = main_files(options.output)
    if not page.is_file():
        raise UserError(f"{page}: is missing; give the folder of the documentation with --output")
    if options.record:
        costs = record(*RECORDED)
        with replace_file(recorded) as temporary:
            temporary.write_text(json.dumps(costs.to_json(), indent=1) + "\n", encoding="utf-8")
    elif not recorded.is_file():
        raise UserError(f"{recorded}: is missing; record the costs with --record")
    costs = Costs.from_json(json.loads(recorded.read_text(encoding="utf-8")))
    mpl.use("Agg")
    rows = table(costs)
    insert(page, to_markdown(costs, rows))
    draw(rows, figure)
    print(f"{page}: written, with {figure.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
