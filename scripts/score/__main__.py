"""Score segmentations of any program with the measures of ISBI 2012 or of the Cell Tracking Challenge.

    python -m scripts.score isbi --pred PATH --label PATH [--ignore VALUE] [--json FILE] [--csv FILE]
    python -m scripts.score ctc  --pred PATH --label PATH [--ignore VALUE] [--json FILE] [--csv FILE]

PATH is an image, a multi-page TIFF, or a folder of them. Files of two folders are paired by name, where a label may end
with _mask, _label, _seg, _gt and the like; --pair_by order pairs them sorted, whatever their names. For `isbi`,
predictions are foreground probabilities (float, 0 to 1) or masks, and labels are foreground where they are not 0; for
`ctc`, both hold one number per object.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from .. import command
from .measures import score
from .output import require_file_name, table, write_csv, write_json
from .pages import find_pairs, read_objects, read_probability, read_stacks, warn_of_masks


def make_parser() -> command.Parser:
    """The command line."""
    parser = command.make_parser("scripts.score", __doc__)
    parser.add_argument("challenge", choices=("isbi", "ctc"), help="whose measures")
    parser.add_argument("--pred", type=Path, required=True, help="predictions: folder, image or multi-page TIFF")
    parser.add_argument("--label", type=Path, required=True, help="labels: folder, image or multi-page TIFF")
    parser.add_argument("--pair_by", choices=("name", "order"), default="name", help="what belongs together")
    parser.add_argument("--ignore", type=int, metavar="VALUE", help="value of label pixels to leave out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores here")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the scores of each image here")
    return parser


@command.entry_point("nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Score what the command line names."""
    options = make_parser().parse_args(argv)
    for target in filter(None, (options.json, options.csv)):
        require_file_name(target)
    read = read_probability if options.challenge == "isbi" else read_objects
    pairs = find_pairs(options.pred, options.label, options.pair_by)
    predictions, labels = read_stacks(pairs, read, options.ignore)
    if options.challenge == "ctc":
        warn_of_masks(predictions, options.pred)
        warn_of_masks(labels, options.label, options.ignore)
    scores = score(options.challenge, predictions, labels, options.ignore)
    print(table(scores))
    if options.json:
        write_json(options.json, scores)
    if options.csv:
        write_csv(options.csv, [page.name for page, _ in pairs], scores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
