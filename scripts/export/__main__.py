"""Write a trained network in a format that other programs run.

    python -m scripts.export torchscript  --model em --output unet.ts
    python -m scripts.export torch-export --model em --output unet.pt2
    python -m scripts.export onnx         --model em --output unet.onnx
    python -m scripts.export bioimageio   --model em --output unet.zip  [--name NAME] [--image FILE]

The first three hold the network as it was trained: gray values of H x W pixels in, logits of H - 2 * margin out. With
--whole_image they hold all that inference does, as the BioImage.IO package always does: the image is mirrored, rescaled
and turned inside, and out comes a probability for every pixel. Batch, height and width are free in all of them; what
is not admissible is refused, but for ONNX, where the metadata state the sizes. Every file is run and compared with the
network before it gets its name, and says what goes in and what comes out: channels, gray values, scale, classes, and
how probabilities become objects.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from custom.errors import UserError
from custom.files import replace_file

from .. import command
from ..model_options import add_authors_option, add_model_options, model_from
from . import bioimageio, onnx, torch_export, torchscript
from .about import about
from .sizes import sizes_of
from .whole_image import WholeImage, whole_image_sizes

FORMATS = {"torchscript": torchscript, "torch-export": torch_export, "onnx": onnx, "bioimageio": bioimageio}


def require_packages(name: str) -> None:
    """Raise UserError if a format's optional packages are missing."""
    missing = [package for package in FORMATS[name].PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise UserError(
            f"{name} needs the package {', '.join(missing)}, which is not installed: "
            "pip install -r requirements-export.txt"
        )


def require_free_target(name: str, output: Path) -> None:
    """Raise UserError if the output exists, has another suffix than the format's, or a name that PyTorch refuses."""
    try:
        str(output).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"--output {output}: is not valid UTF-8; give another name") from error
    suffix = FORMATS[name].SUFFIX
    if output.suffix != suffix:
        raise UserError(f"--output {output}: {name} is written to a file that ends in {suffix}")
    if output.exists():
        raise UserError(f"--output {output}: exists already; give another name, or remove it first")


def make_parser() -> command.Parser:
    """The command line."""
    parser = command.make_parser("scripts.export", __doc__)
    parser.add_argument("format", choices=FORMATS, help="what to write")
    add_model_options(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="a new file")
    parser.add_argument(
        "--whole_image", action="store_true", help="probabilities of whole images, as inference computes them"
    )
    parser.add_argument("--name", help="bioimageio: name of the package (default: the model's)")
    add_authors_option(parser)
    parser.add_argument("--image", type=Path, metavar="FILE", help="bioimageio: an image that shows what it is for")
    return parser


@command.entry_point("nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Export what the command line names."""
    options = make_parser().parse_args(argv)
    require_free_target(options.format, options.output)
    require_packages(options.format)
    if options.format != "bioimageio" and (options.name or options.image or options.authors):
        raise UserError("--name, --authors and --image: only a bioimageio package has them")
    model = model_from(options)
    network = model.network()
    warnings.filterwarnings("ignore", category=FutureWarning)  # torch warns of its own calls
    whole = WholeImage(network, model.scale, model.orientations).eval()
    with replace_file(options.output) as path:
        if options.format == "bioimageio":
            bioimageio.write_package(model, path, options.name, options.image)
        elif options.whole_image:
            FORMATS[options.format].write(whole, whole_image_sizes(whole), path, about(model, whole_image=True))
        else:
            FORMATS[options.format].write(network, sizes_of(network), path, about(model, whole_image=False))
    print(f"{options.output}: written and checked")
    if model.scale != 1 and not options.whole_image and options.format != "bioimageio":
        print(f"note: the network expects images scaled by {model.scale:g}; with --whole_image the file does that")
    return 0


if __name__ == "__main__":
    sys.exit(main())
