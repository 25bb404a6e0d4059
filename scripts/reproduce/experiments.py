"""What is run: the experiments with their published scores, and the budgets that cut them to the time at hand."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIGS = Path("bundle/configs")
PREPARE = {"isbi2012": "isbi2012", "u373": "phc-u373", "hela": "dic-hela"}  # folder: data set of `prepare_data`

PAPER_EM = {"pixel_error": 0.0611, "v_rand": 0.97276, "v_info": 0.98662, "rand_error": 0.0382, "warping_error": 353e-6}
U373, HELA = {"seg": 0.9203}, {"seg": 0.7756}


@dataclass(frozen=True)
class Experiment:
    """One row of the table.

    Args:
        name: of the row.
        config: overlay in `bundle/configs/experiments`.
        title: what it is, for the reader of the table.
        data: folder of the prepared data set.
        published: score by measure, where the source tells one.
        overrides: ids of the config that this row changes, beyond the overlay.
        width_id: id of the list of the network's widths, for networks without a `features` argument.
        last_width: that list ends with the first width once more, as `BasicUNet` wants it.
    """

    name: str
    config: str
    title: str
    data: str = "isbi2012"
    published: dict[str, float] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    width_id: str | None = None
    last_width: bool = False

    def widths(self, features: int) -> dict[str, Any]:
        """Overrides for a network of `features` features at the first level, doubling with each."""
        if self.width_id is None:
            return {"network_def#features": features}
        return {self.width_id: [*(features * 2**level for level in range(5)), *[features] * self.last_width]}

    def setting(self, key: str) -> Any:
        """Value of a number in the merged config, without reading any data."""
        content: dict[str, Any] = {}
        for file in (CONFIGS / "train.json", CONFIGS / "experiments" / f"{self.config}.json"):
            content |= json.loads(file.read_text(encoding="utf-8"))
        return (content | self.overrides)[key]


@dataclass(frozen=True)
class Budget:
    """How far an experiment is trained.

    Args:
        name: as on the command line.
        features: of the first level; None: as the experiment says.
        tiles: input tiles seen in training, so steps times batch size; None: as the experiment says.
        least_steps: steps at least, however large the batch.
        epochs: number of epochs they are spread over.
        val_interval: epochs from one validation to the next.
        extra: further overrides.
    """

    name: str
    features: int | None = None
    tiles: int = 0
    least_steps: int = 1
    epochs: int = 1
    val_interval: int = 1
    extra: dict[str, Any] = field(default_factory=dict)

    def overrides(self, experiment: Experiment) -> dict[str, Any]:
        """Overrides that fit an experiment into the budget; without early stopping, which would judge too few steps."""
        if self.features is None:
            return {**experiment.overrides, **self.extra}
        steps = max(self.least_steps, self.tiles // experiment.setting("batch_size"))
        return {
            **experiment.overrides,
            **experiment.widths(self.features),
            "max_epochs": self.epochs,
            "steps_per_epoch": math.ceil(steps / self.epochs),
            "val_interval": self.val_interval,
            "early_stop#patience": self.epochs,
            **self.extra,
        }


BUDGETS = {
    "quick": Budget("quick", features=16, tiles=1800, least_steps=600, epochs=18, val_interval=2),
    "compact": Budget("compact", features=32, tiles=3000, least_steps=600, epochs=30, val_interval=3),
    "full": Budget("full"),
}

_FILTERS = "network_def#network#filters"
_CHANNELS = "network_def#network#channels"
_BASIC = "network_def#network#features"
_WEIGHT_MAP = "train#deterministic_transforms#2#w0"

EXPERIMENTS = (
    Experiment("best_em", "best_em", "AdamW, one cycle, 8 orientations"),
    Experiment("best_u373", "best_u373", "AdamW, one cycle, 8 orientations", "u373", U373),
    Experiment("best_hela", "best_hela", "AdamW, one cycle, 8 orientations", "hela", HELA),
    Experiment("paper_em", "paper_em", "the paper, 7 orientations", published=PAPER_EM),
    Experiment("paper_u373", "paper_u373", "the paper, 7 orientations", "u373", U373),
    Experiment("paper_hela", "paper_hela", "the paper, 7 orientations", "hela", HELA),
    Experiment(
        "tudelft_keras",
        "tudelft_keras",
        "TU Delft, Keras: upsampling, Xavier uniform, batch of 5",
        published={"pixel_error": 0.0978, "iou": 0.880},
    ),
    Experiment(
        "tudelft_upsample_xavier",
        "tudelft_upsample_xavier",
        "TU Delft, PyTorch: upsampling, Xavier normal",
        published={"pixel_error": 0.0885, "iou": 0.838},
    ),
    Experiment(
        "tudelft_transpose_xavier",
        "tudelft_transpose_xavier",
        "TU Delft, PyTorch: transposed, Xavier normal",
        published={"pixel_error": 0.0867, "iou": 0.842},
    ),
    Experiment(
        "tudelft_transpose_kaiming",
        "tudelft_transpose_kaiming",
        "TU Delft, PyTorch: transposed, Kaiming normal",
        published={"pixel_error": 0.0836, "iou": 0.846},
    ),
    Experiment(
        "tudelft_upsample_kaiming",
        "tudelft_upsample_xavier",
        "TU Delft, PyTorch: upsampling, Kaiming normal (reported to explode)",
        overrides={"network_def#init": "kaiming"},
    ),
    Experiment("notebook", "notebook", "the notebook: Simard deformation, tiles at stride 124"),
    Experiment("baseline_unet", "baseline_unet", "MONAI UNet", width_id=_CHANNELS),
    Experiment("baseline_basicunet", "baseline_basicunet", "MONAI BasicUNet", width_id=_BASIC, last_width=True),
    Experiment("baseline_dynunet", "baseline_dynunet", "MONAI DynUNet", width_id=_FILTERS),
    Experiment("best_upsample", "best_em", "best_em with upsampling", overrides={"network_def#up": "upsample"}),
    Experiment(
        "best_xavier_uniform",
        "best_em",
        "best_em with Xavier uniform",
        overrides={"network_def#init": "xavier_uniform"},
    ),
    Experiment(
        "best_xavier_normal", "best_em", "best_em with Xavier normal", overrides={"network_def#init": "xavier_normal"}
    ),
    Experiment("best_kaiming", "best_em", "best_em with Kaiming normal", overrides={"network_def#init": "kaiming"}),
    Experiment("best_no_dropout", "best_em", "best_em without dropout", overrides={"network_def#dropout": 0.0}),
    Experiment("best_no_weight_map", "best_em", "best_em without weight map", overrides={_WEIGHT_MAP: 0}),
)
