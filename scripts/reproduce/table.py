"""The table of results: JSON that keeps all records, and Markdown made from it and from what was found."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from custom.errors import UserError
from custom.files import replace_file
from custom.json_file import read_json

from .experiments import read_experiments
from .figures import draw_curves
from .run import write_json

Record = dict[str, Any]
RECORDS = "results.json"
FINDINGS = Path(__file__).with_name("findings.md")
KEYS = {"experiment", "title", "data", "budget", "fold", "split", "hardware", "failed", "published"}
EM = ("pixel_error", "iou", "v_rand", "v_info", "rand_error", "warping_error", "warping_error_at_pixel_error_threshold")
CELLS = ("seg", "seg_left_out", "iou", "pixel_error")
DATA = {
    "isbi2012": ("ISBI 2012 EM", EM),
    "u373": ("PhC-C2DH-U373", CELLS),
    "hela": ("DIC-C2DH-HeLa", CELLS),
}
HEADS = {
    "pixel_error": "pixel error",
    "iou": "IoU",
    "v_rand": "V_rand",
    "v_info": "V_info",
    "rand_error": "Rand error",
    "warping_error": "warping error",
    "warping_error_at_pixel_error_threshold": "warping error at the pixel error's threshold",
    "seg": "SEG",
    "seg_left_out": "SEG, left out",
}
PREAMBLE = """# Results

Written by `python -m scripts.reproduce`; [results.json](results.json) has every number, the curves, the command lines.

- Scores are of held-out images: training / held-out (first to last) are in the column "images"; the last-epoch column
  and the curves are of single passes, all other scores average the orientations that the experiment asks for.
- The weights are those of the epoch that was best on the held-out images by the measure in the column "weights by"
  (V_rand and SEG as the mean of three validations), which flatters every row a little; "last epoch" is the pixel error
  of the last epoch, which nothing was chosen by.
- Cells are separated by a watershed in the `best_*` rows, and as connected components in the others. The threshold and
  the other arguments of each are chosen by `scripts.tune` on the held-out images after the training. SEG is that of the
  setting chosen on all of them; "SEG, left out" segments each of them with the setting chosen on the others, and is
  what to expect of such a choice on another image. IoU is at the threshold of the model, which then is that of SEG.
- Published numbers stand in parentheses. The paper's EM numbers are of the challenge's test volume, those of TU Delft
  of their own augmented split, those for U373 and HeLa of the challenge's secret sequences: compare with care.
- Budgets are overlays in `bundle/configs/budgets`: `quick` is 16 features and 1,800 input tiles, `compact` 32 features
  and 3,000, both without early stopping and with at least 600 steps; `full` is the experiment as it is written, `long`
  the same with 16 features. Steps times the batch size are tiles. Time is the wall-clock time of training on a shared
  machine, including pauses.
- Where an experiment was trained several times, with several seeds or on several folds, scores are the mean ± the
  standard deviation. A fold of the EM data holds out another block of six sections.
- Warping error is the minimum over thresholds, which an all-black proposal can win; beside it is its value at the
  threshold of the pixel error.
"""


def read_records(path: Path) -> list[Record]:
    """The records of `results.json`, none if there is none.

    Raises:
        UserError: the file is not such JSON.
    """
    if not path.is_file():
        return []
    content = read_json(path)
    records = content.get("records") if isinstance(content, dict) else None
    if not isinstance(records, list) or not all(
        isinstance(record, dict) and record.keys() >= KEYS for record in records
    ):
        raise UserError(f"{path} is not a table of results; delete it to write a new one")
    return records


def merge(old: Sequence[Record], new: Sequence[Record]) -> list[Record]:
    """All records, with old ones of the same run replaced, in the order of experiments and budgets."""
    by_run = {(r["experiment"], r["budget"], r["fold"], seed_of(r)): r for r in (*old, *new)}
    names, lengths = [experiment.name for experiment in read_experiments()], ["quick", "compact", "full"]

    def order(record: Record) -> tuple[int, int, int, int]:
        name, budget = record["experiment"], record["budget"]
        place = names.index(name) if name in names else len(names)
        length = lengths.index(budget) if budget in lengths else len(lengths)
        return place, length, -(record["fold"] or 0), seed_of(record)

    return sorted(by_run.values(), key=order)


def seed_of(record: Record) -> int:
    """The seed of a further training; 0 for that of the config."""
    return record.get("seed") or 0


def write_results(output: Path, new: Sequence[Record]) -> None:
    """Merge records into `results.json` in a folder, and write `results.md` and the curves beside it."""
    records = merge(read_records(output / RECORDS), new)
    write_json(output / RECORDS, {"records": records})
    parts = [PREAMBLE]
    for data, (title, measures) in DATA.items():
        of_data = [record for record in records if record["data"] == data]
        if of_data:
            draw_curves([group[0] for group in groups(of_data)], output / "results" / f"curves_{data}.png")
            parts.append(section(title, data, of_data, measures))
    parts.append(FINDINGS.read_text(encoding="utf-8"))
    with replace_file(output / "results.md") as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")


def section(title: str, data: str, records: Sequence[Record], measures: Sequence[str]) -> str:
    """Table, curves and examples of one data set."""
    heads = ["experiment", "budget", "images", "steps", "time", "hardware", "parameters", "weights by"]
    heads += [HEADS[measure] for measure in measures] + ["last epoch"]
    rows = [row(part, measures) for group in groups(records) for part in (of_split(group), of_folds(group)) if part]
    lines = [f"## {title}", "", _line(heads), _line(["---"] * len(heads)), *map(_line, rows), ""]
    lines += [f"![Training loss and validation pixel error](results/curves_{data}.png)", ""]
    lines += ["Image, label, probability, errors (orange: missed, blue: invented) at the threshold:", ""]
    for record in records:
        if "example" in record:
            caption = f"{record['experiment']}, {record['budget']}"
            threshold = f"threshold {record.get('threshold', 0.5):g}"  # 0.5 before thresholds were recorded
            lines += [f"{caption}: {record['title']}; {threshold}", "", f"![{caption}]({record['example']})", ""]
    return "\n".join(lines)


def groups(records: Sequence[Record]) -> Iterator[list[Record]]:
    """The records of each experiment at each budget, in the order of :func:`merge`: the default split comes first."""
    for _, group in groupby(records, lambda record: (record["experiment"], record["budget"])):
        yield list(group)


def of_split(group: Sequence[Record]) -> list[Record]:
    """The records of the default split, which are trainings with several seeds."""
    return [record for record in group if record["fold"] == group[0]["fold"]]


def of_folds(group: Sequence[Record]) -> list[Record]:
    """The first record of each fold, if there are several."""
    firsts = {record["fold"]: record for record in reversed(group)}
    return list(firsts.values()) if len(firsts) > 1 else []


def row(group: Sequence[Record], measures: Sequence[str]) -> list[str]:
    """Cells of one experiment at one budget: its scores, mean and standard deviation if there are several, or why it
    failed."""
    first = group[0]
    scored = [record for record in group if "scores" in record]
    folds = len({record["fold"] for record in scored})
    images = f"{folds} folds" if folds > 1 else first["split"]
    images += f", {len(scored)} trainings" if len(scored) > folds else ""
    cells = [f"{first['experiment']}: {first['title']}", first["budget"], images]
    cells += [_mean(group, "steps", "{:,.0f}"), _mean(group, "seconds", _duration), first["hardware"]]
    cells += [_mean(scored, "parameters", "{:,.0f}"), HEADS[first.get("best_by", "pixel_error")] if scored else ""]
    for measure in measures:
        values = [record["scores"][measure] for record in scored if measure in record["scores"]]
        text = _number(measure, statistics.mean(values)) if values else ""
        text += f" ± {_number(measure, statistics.stdev(values))}" if len(values) > 1 else ""
        published = first["published"].get(measure)
        cells.append(f"{text} ({_number(measure, published)})" if published is not None else text)
    cells.append(_mean(scored, "last_pixel_error", "{:.4f}"))
    failed = [record["failed"] for record in group if record["failed"]]
    if failed:
        cells[0] += f" (failed: {failed[0].replace('|', '/')})"
    return cells


def _mean(group: Sequence[Record], key: str, text: str | Callable[[float], str]) -> str:
    values = [record[key] for record in group if record.get(key) is not None]
    if not values:
        return ""
    mean = sum(values) / len(values)
    return text.format(mean) if isinstance(text, str) else text(mean)


def _number(measure: str, value: float) -> str:
    return f"{value:.6f}" if measure.startswith("warping") else f"{value:.4f}"


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
