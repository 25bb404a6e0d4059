"""Start MONAI Label with a model, or several, for a folder of images.

    python -m scripts.label_server --studies my_images --model em
    python -m scripts.label_server --studies my_images --bundle dist/unet_em_segmentation.zip

The first time it sets up MONAI Label in an environment of its own (`.venv-label`, 3 GB, some minutes). A bundle is what
`python -m scripts.package_bundle` makes: its name in `dist`, its zip or its folder. What annotators train stays in the
app's folder, and is used again the next time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from custom.data.channels import check_axes
from custom.data.inputs import chosen_channel
from custom.model import read_model

from .. import command
from .bundle import check_weights, install_app, install_bundle
from .environment import prepare
from .models import package_model
from .server import Address, check_address, check_studies, serve


@command.entry_point("start it again with the same command")
def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    arguments = parse(argv)
    address = Address(arguments.port, arguments.allow_origin or (), arguments.max_upload)
    check_address(address)
    images = check_studies(arguments.studies)
    axes = check_axes(arguments.axes)
    app = install_app(arguments.app)
    packaged = [package_model(model, app) for model in arguments.model or ()]
    chosen = [*packaged, *(arguments.bundle or ())] or [None]
    folders = [install_bundle(bundle, app) for bundle in chosen]
    for folder in folders:
        check_weights(folder)
        if arguments.channel is not None:
            chosen_channel(arguments.channel, read_model(folder / "models").channels)
    bundles = list(dict.fromkeys(folder.name for folder in folders))
    python = prepare(arguments.environment)
    print(f"{images} images in {arguments.studies}, bundle {', '.join(bundles)}; the server starts ...", flush=True)
    serve(python, app, arguments.studies, bundles, address, arguments.channel, axes)
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = command.make_parser("scripts.label_server", __doc__)
    parser.add_argument("--studies", type=Path, required=True, help="folder with the images; labels are put into it")
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME_OR_FOLDER",
        help="a shipped model, or the folder of a training; may be repeated",
    )
    parser.add_argument(
        "--bundle", action="append", help="name in dist/, zip or folder; may be repeated (default: the one in dist/)"
    )
    parser.add_argument(
        "--channel", type=int, nargs="+", metavar="N", help="of images whose channels are not colours, from 0"
    )
    parser.add_argument("--axes", help="of TIFF files that do not name them, such as CYX")
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1")
    parser.add_argument(
        "--allow_origin",
        action="append",
        metavar="ORIGIN",
        help="page elsewhere that may call, such as https://viewer.example; may be repeated (default: none)",
    )
    parser.add_argument("--max_upload", type=int, default=Address.max_upload, metavar="MB", help="of one request")
    parser.add_argument("--app", type=Path, default=Path("runs/label"), help="the app's folder")
    parser.add_argument("--environment", type=Path, default=Path(".venv-label"), help="MONAI Label's own")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
