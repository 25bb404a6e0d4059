"""Cell numbers from a `_seg.npy` of Cellpose, which is a pickle, without running what a pickle may hold."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from custom.errors import UserError

SUFFIX = "_seg.npy"
_ADVICE = "save the masks as PNG or TIFF in Cellpose (File > Save masks), and give those"
_INTERNALS = ("numpy.core.multiarray", "numpy._core.multiarray")
_PATHS = ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")


def read_cells(path: Path) -> NDArray:
    """The array `masks` of the file: (H, W), or (Z, H, W) of a stack; 0 is background, another number one cell.

    Raises:
        UserError: not such a file, or one with anything but arrays, numbers, texts and containers of these.
    """
    try:
        with path.open("rb") as file:
            content = _content(file, path)
            array = content["masks"] if isinstance(content, dict) else content
            cells = array if isinstance(array, np.ndarray) else array.array()
    except UserError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: is damaged, or not a file of Cellpose ({reason}); {_ADVICE}") from error
    if cells.dtype.kind not in "biu" or cells.ndim not in (2, 3) or cells.size == 0:
        raise UserError(f"{path}: its masks have shape {cells.shape} and type {cells.dtype}; {_ADVICE}")
    return cells.astype(np.uint8) if cells.dtype == bool else cells


def _content(file: BinaryIO, path: Path) -> Any:
    """What was saved: an array, or stand-ins for what a pickle describes."""
    version = npy.read_magic(file)
    shape, _, dtype = npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)
    if not dtype.hasobject:
        file.seek(0)
        return np.load(file, allow_pickle=False)
    if shape != ():
        raise UserError(f"{path}: holds {shape} objects, not what Cellpose saves; {_ADVICE}")
    (content,) = _Reader(file, path).load().state[4]
    return content


class _Reader(pickle.Unpickler):
    """Builds stand-ins in place of what the pickle asks for, and refuses what Cellpose does not save."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        super().__init__(file)
        self.path, self.stand_ins = path, _stand_ins()

    def find_class(self, module: str, name: str) -> Any:
        found = self.stand_ins.get((module, name))
        if found is None:
            raise UserError(
                f"{self.path}: asks for {module}.{name}, which no file of Cellpose does, and which may be malicious; "
                f"nothing of it was run: {_ADVICE}"
            )
        return found

    def persistent_load(self, pid: Any) -> NoReturn:
        raise UserError(f"{self.path}: refers to other files; {_ADVICE}")


def _stand_ins() -> dict[tuple[str, str], Any]:
    """Classes of no effect, by the names in a pickle. New ones for each file, since a pickle can set attributes."""

    class Inert:
        def __init__(self, *ignored: Any) -> None:
            self.arguments = ignored

        def __setstate__(self, state: Any) -> None:
            self.state = state

    class Array(Inert):
        def array(self) -> NDArray:
            _, shape, dtype, fortran, data = self.state
            order = dtype.state[1]
            (name, *_) = dtype.arguments
            if order not in "<>=|" or name[:1] not in "biu" or not isinstance(data, bytes):
                raise ValueError("its masks are not whole numbers")
            plain = np.dtype(order + name)
            if len(data) != math.prod(shape) * plain.itemsize:
                raise ValueError("its masks are shorter or longer than their shape")
            return np.frombuffer(data, plain).reshape(shape, order="F" if fortran else "C")

    def reconstruct(*ignored: Any) -> Array:
        return Array()

    named: dict[tuple[str, str], Any] = {("numpy", "ndarray"): Array, ("numpy", "dtype"): Inert}
    for module in _INTERNALS:
        named |= {(module, "_reconstruct"): reconstruct, (module, "scalar"): Inert}
    named |= {(module, name): Inert for module in ("pathlib", "pathlib._local") for name in _PATHS}
    return named
