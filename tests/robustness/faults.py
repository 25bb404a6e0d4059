"""Faults while a command writes: a full disk, folders of others, signals at any moment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import tifffile
import torch
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file

from .calls import CALLS, Call
from .children import Limits, start
from .judge import require_no_parts, require_nothing_in, require_refusal
from .part import Part
from .warm import TOYS, Ending, words_of

QUICK = (
    *("inferring", "segment_volume", "prepare_data folder", "prepare_data dic-hela", "score", "export torchscript"),
    *("ship_model", "evaluating"),
)
ALL = tuple(CALLS)
SIGNALS = {"Ctrl-C": (signal.SIGINT, 130), "SIGTERM": (signal.SIGTERM, 143), "SIGKILL": (signal.SIGKILL, -9)}
RESTARTED = ("learning_curve", "reproduce")  # start Python for each training and evaluation
FOLDERS = ("read-only", "of another user", "a file", "below a file", "no temporary folder")


@dataclass(frozen=True)
class Fault:
    """A command and what happens to it; `amount` is between 0 and 1."""

    command: str
    kind: str
    amount: float = 0.0

    def __str__(self) -> str:
        return f"{self.command}, {self.kind}"


def run(call: Call, output: Path, folder: Path, limits: Limits, **more: object) -> Ending:
    """Run a call in a child of its own until it ends."""
    module, words = words_of(call.command, *call.line(output, **more))
    with start(module, words, folder, limits) as child:
        ending = child.wait()
    assert ending is not None, f"hangs: {words}"
    return ending


def check_full(fault: Fault, folder: Path) -> None:
    """No file may be larger than some bytes, or the file system of the output or of temporary files is small: refused
    in a line, or large enough."""
    call = CALLS[fault.command]
    largest, small = int(2_000 * 500**fault.amount), folder / "small"
    place = small if fault.kind == "small file system" else folder
    limits = Limits(largest=largest) if fault.kind == "a file too large" else Limits()
    if fault.kind != "a file too large":
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={largest}", "tmpfs", small], check=True)
    if fault.kind == "small temporary folder":
        limits = Limits(temporary=small)
    output = place / f"out{call.suffix}"
    try:
        ending = run(call, output, folder, limits)
        if ending.code == 0:
            call.require_result(output)
        else:
            require_refusal(ending, output, "temporary", "tmp")
        require_whole(output)
        require_no_parts(place) if call.output else None
    finally:
        if small.exists():
            subprocess.run(["umount", small], check=True)


def check_folder(fault: Fault, folder: Path) -> None:
    """An output that cannot be written is refused by its name, and stays as it is."""
    call, parent = CALLS[fault.command], folder / "parent"
    output, limits = parent / f"out{call.suffix}", Limits(powerless=True)
    parent.mkdir()
    if fault.kind == "read-only":
        parent.chmod(0o555)
    elif fault.kind == "of another user":
        os.chown(parent, 65534, 65534)
    elif fault.kind == "a file":
        output.write_text("precious")
    elif fault.kind == "below a file":
        (parent / "file").write_text("precious")
        output = parent / "file" / output.name
    else:
        limits = Limits(temporary=folder / "nowhere")
    ending = run(call, output, folder, limits)
    if ending.code == 0:
        assert fault.kind in ("no temporary folder", "a file"), str(ending)
        call.require_result(output)
        return
    require_refusal(ending, output, parent, "temporary", "--output")
    require_nothing_in(parent, ("file", output.name, ".lock"))
    for file in parent.rglob("*"):
        assert file.is_dir() or file.read_text() == "precious", f"{file}: changed"


def check_signal(fault: Fault, folder: Path) -> None:
    """A signal ends the command in a line that says how to go on, nothing is half-written, the next run is whole."""
    call, output = CALLS[fault.command], folder / f"out{CALLS[fault.command].suffix}"
    number, code = SIGNALS[fault.kind]
    module, words = words_of(call.command, *call.line(output))
    with start(module, words, folder, Limits()) as child:
        while not child.has_begun() and child.wait(0.01) is None:
            pass
        time.sleep(fault.amount * duration(fault.command))
        child.send(number)
        ending = child.wait()
    assert ending is not None, "hangs"
    if ending.code != 0:
        assert ending.code == code, str(ending)
        if code > 0:
            lines = ending.err.splitlines()
            assert len(lines) == 1, str(ending)
            assert lines[0].startswith(("interrupted", "terminated")), str(ending)
            require_no_parts(folder) if call.output else None
    require_whole(output)
    if ending.code != 0:
        go_on(call, output, folder)
    call.require_result(output)
    require_no_parts(folder)


def check_twice(fault: Fault, folder: Path) -> None:
    """Of two processes with one output, the first or both succeed, the other is refused, and nothing is mixed."""
    call, output = CALLS[fault.command], folder / f"out{CALLS[fault.command].suffix}"
    module, words = words_of(call.command, *call.line(output))
    own = [folder / name for name in ("first", "second")]
    for place in own:
        place.mkdir()
    with start(module, words, own[0], Limits()) as first:
        time.sleep(fault.amount * duration(fault.command) / 4)
        with start(module, words, own[1], Limits()) as second:
            endings = [first.wait(), second.wait()]
    for ending in endings:
        assert ending is not None, "hangs"
        if ending.code != 0:
            require_refusal(ending, output)
    assert 0 in [ending.code for ending in endings if ending], str(endings)
    require_whole(output)
    require_no_parts(folder)
    call.require_result(output)


def go_on(call: Call, output: Path, folder: Path) -> None:
    """Run the command again, as its line said."""
    more: dict[str, object] = {}
    if call.command in ("training", "finetuning"):
        more["resume"] = "true"
    elif call.command == "segment_volume" and output.with_name("out.part").exists():
        more["resume"] = True
    elif output.exists() and call.command not in ("inferring", "evaluating", *TOYS):
        shutil.rmtree(output) if output.is_dir() else output.unlink()  # complete, though the command was ended
    ending = run(call, output, folder, Limits(), **more)
    assert ending.code == 0, f"cannot go on\n{ending}"


def require_whole(output: Path) -> None:
    """Every file under a final name can be read."""
    files = [output] if output.is_file() else [file for file in output.rglob("*") if file.is_file()]
    for file in files:
        if file.suffix == ".json":
            json.loads(file.read_text())
        elif file.suffix == ".png":
            Image.open(file).load()
        elif file.suffix == ".tif":
            tifffile.imread(file)
        elif file.suffix == ".safetensors":
            load_file(file)
        elif file.name == "checkpoint.pt":
            torch.load(file, weights_only=True)


def duration(command: str) -> float:
    """Seconds that a command takes in a child, roughly."""
    return 25 if command in RESTARTED else 12 if command in ("training", "finetuning", "robustness") else 2.5


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


FULL = ("a file too large", *(("small file system", "small temporary folder") if can_mount() else ()))
KINDS = FOLDERS if os.getuid() == 0 else tuple(kind for kind in FOLDERS if kind != "of another user")
SHARE = st.floats(0, 1)


def _faults(commands: tuple[str, ...], kinds: tuple[str, ...]) -> st.SearchStrategy[Fault]:
    return st.builds(Fault, st.sampled_from(commands), st.sampled_from(kinds), SHARE)


PARTS = [
    Part("quick commands", "a full disk", _faults(QUICK, FULL), check_full, quick=4),
    Part("quick commands", "an output that cannot be written", _faults(QUICK, KINDS), check_folder, quick=4),
    Part("quick commands", "signals", _faults(QUICK, tuple(SIGNALS)), check_signal, quick=4),
    Part("all commands", "a full disk", _faults(ALL, FULL), check_full, quick=4, slow=True),
    Part("all commands", "an output that cannot be written", _faults(ALL, KINDS), check_folder, quick=4, slow=True),
    Part("all commands", "two at once", _faults(ALL, ("two at once",)), check_twice, quick=2, slow=True),
    Part("all commands", "signals", _faults(ALL, tuple(SIGNALS)), check_signal, quick=4, slow=True),
]
