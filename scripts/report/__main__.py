"""Report of a run: an HTML page to look at, and one figure of its worst, median and best image.

    python -m scripts.report --run runs/mine --dataset_dir data/mine --segmentations segmented

The page needs no server and no network; it shows every image of the split that was segmented, the worst first (without
labels: the one that the network is least sure of), the curves of the training, calibration, and facts of the data set.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from custom.data import Datalist, find_images, read_dataset
from custom.data.datalist import SPLITS
from custom.errors import UserError
from custom.files import replace_file
from custom.report.content import ImageTable
from custom.report.curves import learning_curve
from custom.report.facts import dataset_facts
from custom.report.page import Report, write_page
from custom.report.record import command_line, read_record

from ..command import DATASET, Parser, entry_point, make_parser
from .figure import draw_report
from .run_files import image_scores, overall_scores, read_picture, warn_of_older


def options() -> Parser:
    """The command line."""
    parser = make_parser(__package__, __doc__)
    parser.add_argument("--run", type=Path, required=True, help="output folder of training and evaluation")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(*DATASET, type=Path, help="folder with dataset.json")
    source.add_argument("--images", help="images without a data set: a file, a folder or a glob pattern")
    parser.add_argument("--segmentations", type=Path, required=True, help="output folder of inference")
    parser.add_argument("--split", default="validation", choices=SPLITS, help="which images")
    parser.add_argument("--output", type=Path, help="HTML file; the figure goes beside it (default: RUN/report.html)")
    return parser


def select(items: list[dict], scores: dict[str, dict[str, float]], given: Namespace) -> list[dict]:
    """The scored images of a split, or its images without labels if none is labelled.

    Raises:
        UserError: there are labels, but the evaluation scored none of these images.
    """
    labelled = [item for item in items if "label" in item]
    scored = [item for item in labelled if Path(item["image"]).name in scores]
    if labelled and not scored:
        raise UserError(
            f"{given.run / 'evaluation'}: no scores of images of the {given.split} list; "
            f"run evaluating with --split {given.split} first"
        )
    if not items:
        raise UserError(f"{given.dataset}: the {given.split} list is empty; give another --split")
    return scored or items


def make_report(given: Namespace, output: Path, command: str) -> bool:
    """Write the page to `output`, and the figure beside it if there are scores; returns whether there are."""
    data: Datalist | None = None
    if given.dataset is not None:
        data = read_dataset(given.dataset, check=False)
        scores = image_scores(given.run, given.split)
        items = select(getattr(data, given.split), scores, given)
        objects = data.label_format.kind == "instances"
    else:
        scores, items = {}, find_images(given.images).items
        objects = (given.segmentations / "instances").is_dir()
    results = [given.run / "evaluation" / given.split / "metrics.csv"]
    results += [given.segmentations / "probabilities" / f"{Path(item['image']).stem}.tif" for item in items]
    warn_of_older(given.run, results)
    table = ImageTable(objects, len(data.class_names) if data else 2)
    for item in items:
        table.add(read_picture(item, given.segmentations, objects, scores.get(Path(item["image"]).name, {})))
    record = read_record(given.run)
    title = f"{given.run.name} on {data.about['name'] if data else given.images}"
    split = given.split if data else ""
    facts = dataset_facts(data) if data else None
    commands = [*record.get("commands", []), command]
    # The evaluation's own numbers hold for the images that it scored, all of them.
    overall = overall_scores(given.run, given.split) if len(items) == len(scores) else {}
    curves, settings = learning_curve(given.run), record.get("settings", {})
    threshold = overall.get("iou_threshold", 0.5)
    report = Report(title, split, table, curves, facts, settings, commands, scores=overall, threshold=threshold)
    if not scores:
        write_page(report, output)
        return False
    shown = {Path(item["image"]).name: scores[Path(item["image"]).name] for item in items}
    with replace_file(output.with_suffix(".png")) as figure:  # page and figure, or neither
        draw_report(f"{title}, {split}", items, shown, overall, given.run, given.segmentations, figure)
        write_page(report, output)
    return True


@entry_point("no report was written; run the command again")
def main(argv: Sequence[str] | None = None) -> int:
    """Write the report that the command line asks for."""
    given = options().parse_args(argv)
    output = given.output or given.run / "report.html"
    if output.suffix != ".html":
        raise UserError(f"--output {output}: give the name of an .html file; the figure gets the same name with .png")
    mpl.use("Agg")
    command = command_line(["python", "-m", str(__package__), *(sys.argv[1:] if argv is None else argv)])
    has_figure = make_report(given, output, command)
    print(f"page:   {output.resolve()}")
    if has_figure:
        print(f"figure: {output.with_suffix('.png').resolve()}")
    print(f"masks, probabilities, instances: {given.segmentations.resolve()}")
    print(f"scores: {(given.run / 'evaluation').resolve()}; curves: tensorboard --logdir {given.run}")
    return 0


if __name__ == "__main__":
    sys.exit(main(None))
