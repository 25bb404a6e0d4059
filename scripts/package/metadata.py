"""What a bundle says of itself: `metadata.json` and the model card."""

from __future__ import annotations

import math
from string import Template
from typing import Any

from torch import nn

from custom.inferers.geometry import geometry_of

Config = dict[str, Any]

CARD = Template("""\
# $name

$description

$task. Version $version, experiment `$experiment`. $use

## Model

$network with $parameters parameters. A tile of $input_shape pixels (n = 0, 1, ...) gives logits of $output_shape; $classes.
Images of any size are segmented tile by tile, without seams.

## Use

Python 3.11 and the versions in `configs/metadata.json`: monai $monai, torch $torch, numpy $numpy,
$packages.

```
python -m monai.bundle run inferring --config_file $name/configs/inference.json --dataset_dir "images/*.tif" --output_dir segmented
python -m monai.bundle run training --config_file $name/configs/train.json --dataset_dir my_data
python -m monai.bundle run evaluating --config_file "['$name/configs/train.json','$name/configs/evaluate.json']" --dataset_dir my_data
```

They run from any working directory. `dataset_dir` of training is a folder with `dataset.json`:

```
{"name": "mine", "label_kind": "classes", "labels": {"0": "background", "255": "cell"},
 "training": [{"image": "a.png", "label": "a_mask.png"}], "validation": [{"image": "b.png", "label": "b_mask.png"}]}
```

Training writes its logs to `$name/runs/` and replaces `models/model.pt`: keep a copy of the folder.

In Python, with the bundle's folder on the path, as for every bundle that brings code:

```
import sys
from monai.bundle import load

sys.path.insert(0, "$name")
network = load("$name", bundle_dir=".", workflow_type="inference")
```

`models/model.ts` is the same network as TorchScript, which needs neither this code nor MONAI. In MONAI Label the folder
goes into the `model` folder of the `monaibundle` app. `sha256sum -c SHA256SUMS` checks that nothing was altered.

## Data and licence

$data. Code and model card: Apache-2.0 (`LICENSE`). Weights: the terms of the data they were trained on
(`docs/data_license.txt`).

## References

$references
""")


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
