"""Build a data set folder with its `dataset.json`.

python -m scripts.prepare_data synthetic --output data/synthetic
python -m scripts.prepare_data isbi2012 --output data/isbi2012
python -m scripts.prepare_data dic-hela --source DIC-C2DH-HeLa.zip --output data/hela
python -m scripts.prepare_data folder --source my_images --output data/mine
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from custom.data.datalist import SPLITS, read_dataset
from custom.data.labels import LabelKind
from custom.data.synthetic import make_synthetic
from custom.errors import UserError

from .. import command as shared
from . import ctc, folder, isbi2012
from .channels import Channels
from .sources import find_sources
from .splits import Split


@shared.entry_point("nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Make the data set that the command line names."""
    arguments = _parser().parse_args(argv)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        lines = arguments.run(arguments)
    dataset = read_dataset(arguments.output, check=False)
    counts = ", ".join(f"{len(getattr(dataset, split))} {split}" for split in SPLITS)
    print(f"{arguments.output}: {dataset.about['name']}, {counts}")
    print(f"terms: {dataset.about['licence']}\nreference: {dataset.about['reference']}")
    print("".join(f"{line}\n" for line in lines), end="")
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"warning: {message}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = shared.make_parser("scripts.prepare_data", __doc__)
    commands = parser.add_subparsers(required=True, metavar="{synthetic,isbi2012,dic-hela,phc-u373,ctc,folder}")

    command = _command(commands, "synthetic", "a built-in set, drawn from a seed", _synthetic)
    command.add_argument(
        "--kind",
        choices=("tissue", "cells"),
        default="tissue",
        help="electron micrographs, or fluorescence of three classes in two channels",
    )
    command.add_argument("--seed", type=int, default=0, help="another seed draws another set")

    command = _command(commands, "isbi2012", "ISBI 2012 EM challenge", _isbi2012)
    _add_source(command)
    command.add_argument(
        "--pair_by", choices=("name", "order"), default="name", help="which label belongs to an image of a folder"
    )
    _add_folds(command, "contiguous blocks of sections (default: 5 folds, the last held out)")

    for name, data in ctc.DATASETS.items():
        command = _command(commands, name, data.about["name"], _ctc)
        command.set_defaults(data=data)
        _add_source(command)
        _add_annotations(command)
    command = _command(commands, "ctc", "any other 2D data set of the Cell Tracking Challenge", _ctc)
    command.set_defaults(data=None)
    command.add_argument("--source", type=Path, required=True, help="archive or folder, by its name in the challenge")
    _add_pixel_size(command, "its page of data sets says it")
    _add_annotations(command)

    _add_folder(_command(commands, "folder", "your own images and masks", _folder))
    return parser


def _command(
    commands: argparse._SubParsersAction, name: str, text: str, run: Callable[[argparse.Namespace], list[str]]
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, formatter_class=shared.HelpFormatter, allow_abbrev=False
    )
    command.add_argument("--output", type=Path, required=True, help="the data set folder to make")
    command.set_defaults(run=run)
    return command


def _add_source(command: argparse.ArgumentParser) -> None:
    command.add_argument("--source", type=Path, help="archive or folder at hand (default: download the archive)")


def _add_annotations(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--annotations",
        choices=ctc.ANNOTATIONS,
        default="both",
        help="for training: gold (few frames, by hand), silver (all, by computer), or gold and silver for the rest",
    )
    text = "whole sequences; of a single sequence, stretches of time (default: the last); 1 holds nothing out"
    _add_folds(command, text)


def _add_pixel_size(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--pixel_size", type=float, metavar="UM", help=f"side of a pixel in micrometres ({text})")


def _add_folds(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--folds", type=int, metavar="K", help=f"split for cross-validation: {text}")
    command.add_argument("--fold", type=int, metavar="k", help="the fold to hold out for validation, from 0")


def _add_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--source",
        type=Path,
        help="folder with images/ and masks/, or with images and masks NAME_mask; subfolders too",
    )
    command.add_argument("--images", type=Path, help="folder with the images, instead of --source")
    command.add_argument("--masks", type=Path, help="folder with the masks, or one file of COCO, instead of --source")
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--instances", action="store_true", help="each mask value above 0 is one object")
    kind.add_argument(
        "--classes", action="store_true", help="each mask value is a class (default if there are two values)"
    )
    command.add_argument("--ignore", type=int, metavar="VALUE", help="mask value of pixels to leave out of account")
    command.add_argument(
        "--invert", action="store_true", help="of two classes, the smaller mask value is the foreground"
    )
    command.add_argument(
        "--channel", type=int, nargs="+", metavar="N", help="of images with several channels, take these, from 0"
    )
    command.add_argument("--channels", nargs="+", metavar="NAME", help="names of several channels to keep")
    command.add_argument("--axes", help="what the pages of a TIFF are that does not say it, such as CYX or ZCYX")
    _add_pixel_size(command, "default: what the files state")
    command.add_argument("--validation_fraction", type=float, default=0.2, help="share to validate on")
    command.add_argument("--test_fraction", type=float, default=0.0, help="share to test on")
    command.add_argument(
        "--split",
        choices=("auto", "blocks", "random"),
        default="auto",
        help="blocks of neighbours, at random, or blocks if files are numbered without gaps or there is one stack",
    )
    command.add_argument("--seed", type=int, default=0, help="of the random split")
    _add_folds(command, "groups of files, as --split says")


def _synthetic(arguments: argparse.Namespace) -> list[str]:
    make_synthetic(arguments.output, arguments.seed, kind=arguments.kind)
    return []


def _isbi2012(arguments: argparse.Namespace) -> list[str]:
    folds = arguments.folds or isbi2012.FOLDS
    isbi2012.prepare(arguments.source, arguments.output, folds, arguments.fold, arguments.pair_by)
    return []


def _ctc(arguments: argparse.Namespace) -> list[str]:
    data = arguments.data or ctc.other_data(arguments.source, _positive(arguments.pixel_size))
    ctc.prepare(data, arguments.source, arguments.output, arguments.annotations, arguments.folds, arguments.fold)
    return []


def _folder(arguments: argparse.Namespace) -> list[str]:
    kind: LabelKind | None = "instances" if arguments.instances else "classes" if arguments.classes else None
    return folder.prepare(
        find_sources(arguments.source, arguments.images, arguments.masks),
        arguments.output,
        kind,
        arguments.ignore,
        arguments.invert,
        Channels(arguments.channels, arguments.channel, arguments.axes),
        Split(
            arguments.validation_fraction,
            arguments.test_fraction,
            arguments.seed,
            arguments.folds,
            arguments.fold,
            arguments.split,
        ),
        _positive(arguments.pixel_size),
    )


def _positive(pixel_size: float | None) -> float | None:
    if pixel_size is not None and not 0 < pixel_size < math.inf:
        raise UserError(f"--pixel_size {pixel_size:g}: give the side of a pixel in micrometres, above 0")
    return pixel_size


if __name__ == "__main__":
    sys.exit(main())
