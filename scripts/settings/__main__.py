"""List the settings of the workflows: type, range, unit, default and meaning.

python -m scripts.settings
python -m scripts.settings --filter orientations
python -m scripts.settings --markdown > docs/settings.md
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from custom.errors import UserError

from .. import command
from .table import markdown, rows, text


def make_parser() -> command.Parser:
    """The command line."""
    parser = command.make_parser("scripts.settings", __doc__)
    parser.add_argument("--filter", metavar="WORD", default="", help="only those with WORD in the id or the meaning")
    parser.add_argument("--markdown", action="store_true", help="as docs/settings.md")
    return parser


@command.entry_point("nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Print what the command line asks for."""
    options = make_parser().parse_args(argv)
    shown = [row for row in rows() if row.matches(options.filter)]
    if not shown:
        raise UserError(f"--filter {options.filter}: no setting has that in its id or meaning; list all without it")
    print(markdown(shown) if options.markdown else text(shown), end="" if options.markdown else "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
