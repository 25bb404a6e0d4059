"""What a bundle says of itself: `metadata.json` and the model card."""

from __future__ import annotations

import math
from pathlib import Path
from string import Template
from typing import Any

from torch import nn

from custom.inferers.geometry import geometry_of

Config = dict[str, Any]

CARD = Template(Path(__file__).with_name("card.md").read_text(encoding="utf-8"))


def packaged_metadata(metadata: Config, name: str, experiment: str, network: nn.Module) -> Config:
    """The repository's metadata for one network: its name, channels and admissible sizes.

    A height or width of input and output is an expression in n, as MONAI's schema has it.
    """
    geometry = geometry_of(network)
    smallest = geometry.next_admissible(1)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    channels, classes = convolutions[0].in_channels, convolutions[-1].out_channels
    data_format = metadata["network_data_format"]
    image, pred = data_format["inputs"]["image"], data_format["outputs"]["pred"]
    names = pred["channel_def"] if len(pred["channel_def"]) == classes else _numbered(classes)
    return {
        **metadata,
        "name": name,
        "description": f"{metadata['description']} Experiment: {experiment}.",
        "network_data_format": {
            "inputs": {
                "image": {
                    **image,
                    "num_channels": channels,
                    "spatial_shape": [f"{geometry.divisor}*n+{smallest}"] * 2,
                    "channel_def": image["channel_def"] if channels == 1 else _numbered(channels),
                }
            },
            "outputs": {
                "pred": {
                    **pred,
                    "num_channels": classes,
                    "spatial_shape": [f"{geometry.divisor}*n+{smallest - 2 * geometry.margin}"] * 2,
                    "channel_def": names,
                }
            },
        },
    }


def model_card(metadata: Config, experiment: str, network: nn.Module) -> str:
    """`docs/README.md` of the bundle."""
    data_format = metadata["network_data_format"]
    image, pred = data_format["inputs"]["image"], data_format["outputs"]["pred"]
    packages = (f"{package} {version}" for package, version in metadata["required_packages_version"].items())
    return CARD.substitute(
        name=metadata["name"],
        description=metadata["description"],
        task=metadata["task"],
        version=metadata["version"],
        experiment=experiment,
        use=metadata["intended_use"],
        network=type(network).__name__,
        parameters=f"{sum(math.prod(p.shape) for p in network.parameters()):,}",
        input_shape=" x ".join(image["spatial_shape"]),
        output_shape=" x ".join(pred["spatial_shape"]),
        classes=", ".join(f"channel {channel} is {name}" for channel, name in pred["channel_def"].items()),
        monai=metadata["monai_version"],
        torch=metadata["pytorch_version"],
        numpy=metadata["numpy_version"],
        packages=", ".join(packages),
        data=f"Trained for the data set: {metadata['data_source']}",
        references="\n".join(f"- {reference}" for reference in metadata["references"]),
    )


def _numbered(count: int) -> dict[str, str]:
    return {str(index): "background" if index == 0 else f"class {index}" for index in range(count)}
