"""The trained network that a command line names: a config's `network_def`, changed by options, with its weights."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from torch import nn

from custom.errors import UserError
from custom.networks import load_weights

DEFAULT_CONFIG = Path(__file__).parents[1] / "bundle" / "configs" / "inference.json"
PREFIX = "network_def#"


@dataclass(frozen=True)
class NetworkOptions:
    """Where a network comes from; small, and equal for equal networks."""

    config_files: tuple[str, ...]
    overrides: tuple[tuple[str, Any], ...]
    weights: str

    def build(self) -> nn.Module:
        """The network on the CPU, in evaluation mode, with its weights.

        Raises:
            UserError: a config that is missing or broken, arguments that the network does not take, weights that are
                missing, broken or of another network.
        """
        parser = ConfigParser()
        try:
            parser.read_config(list(self.config_files))
        except (OSError, ValueError) as error:
            raise UserError(f"--config_file {', '.join(self.config_files)}: cannot be read ({error})") from error
        definition = parser.get("network_def")
        if not isinstance(definition, dict):
            raise UserError(f"--config_file {', '.join(self.config_files)}: has no network_def; give a bundle's config")
        for name, value in self.overrides:
            check_name(name, definition)
            parser[f"{PREFIX}{name}"] = value
        network = _instantiate(parser)
        load_weights(network, self.weights)
        return network.eval()


def check_name(name: str, definition: dict[str, Any]) -> None:
    """Raise `UserError` unless `name` is an argument in a `network_def`."""
    names = [key for key in definition if not key.startswith("_")]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1) or names
        raise UserError(
            f"--{name}: neither an option nor an argument of the network; did you mean --{', --'.join(close)}?"
        )


def _instantiate(parser: ConfigParser) -> nn.Module:
    try:
        return parser.get_parsed_content("network_def")
    except Exception as error:  # MONAI wraps what the network's constructor raised
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, UserError):
            cause = cause.__cause__ or cause.__context__
        raise UserError(f"network_def: {cause or error}") from error


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add `--weights` and `--config_file`; arguments of the network go by :func:`parse_with_network`."""
    parser.add_argument("--weights", required=True, metavar="FILE", help="model.pt of a training")
    parser.add_argument(
        "--config_file",
        nargs="+",
        metavar="FILE",
        default=[str(DEFAULT_CONFIG)],
        help="configs whose network_def the weights were trained with (default: inference.json)",
    )
    parser.epilog = "Arguments of the network: --features 32, --depth 3, ... (or --network_def#features 32)."


def parse_with_network(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> tuple[argparse.Namespace, NetworkOptions]:
    """Read the command line; options that `parser` does not know are arguments of the network.

    Raises:
        UserError: an option without a value.
    """
    options, rest = parser.parse_known_args(arguments)
    files = tuple(str(Path(file).absolute()) for file in options.config_file)
    return options, NetworkOptions(files, network_arguments(rest), str(Path(options.weights).absolute()))


def network_arguments(rest: list[str]) -> tuple[tuple[str, Any], ...]:
    """Names and values of the network's arguments in the words `--features 32` or `--network_def#features=32`.

    Raises:
        UserError: an option without a value.
    """
    overrides: list[tuple[str, Any]] = []
    words = iter(rest)
    for word in words:
        name, equals, text = word.removeprefix("--").removeprefix(PREFIX).partition("=")
        value = text if equals else next(words, None)
        if not word.startswith("--") or value is None or value.startswith("--"):
            raise UserError(f"{word}: not understood; options are written --name value (see --help)")
        overrides.append((name, _literal(value)))
    return tuple(overrides)


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
