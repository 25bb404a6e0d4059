"""Image files: format, type, layout, compression, name and size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from .damage import DAMAGE

Writer = Callable[[Path, NDArray, np.random.Generator], None]

TYPES = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")
ODD_TYPES = ("complex64", "uint64", "int64")
NOT_UTF8 = "\udcff"  # the byte 255
STEMS = (
    *("plain", "with space", "ümlaut 图像", "run#1", "100%", "a[1]", "-dash", "it's", 'say "x"', "a,b", "a$HOME"),
    NOT_UTF8,
    *("a@b", "a:b", "a.b.c", "$x", "@x", "%x", "(1)", "UPPER", "x" * 150, "new\nline", "a;b", "a\\b", "~", "*"),
)


def random_pixels(generator: np.random.Generator, dtype: str, *shape: int) -> NDArray:
    """Pixels over most of a type's range."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return generator.random(shape) < 0.4
    if kind in "iu":
        info = np.iinfo(dtype)
        return generator.integers(info.min, info.max, shape, dtype, endpoint=True)
    return (generator.normal(size=shape) * 100).astype(dtype)


@dataclass(frozen=True)
class Picture:
    """A file that is to be written.

    Attributes:
        stem: its name without suffix.
        layout: a key of `LAYOUTS`.
        dtype: where the layout leaves a choice.
        shape: pages, rows and columns; only TIFF has pages.
        options: of tifffile or Pillow.
        damage: a key of `DAMAGE`.
        seed: of pixels and damage.
    """

    stem: str
    layout: str
    dtype: str
    shape: tuple[int, int, int]
    options: tuple[tuple[str, Any], ...]
    damage: str
    seed: int

    def __str__(self) -> str:
        kind = f"{self.layout} {self.dtype}" if self.layout in ANY_TYPE else self.layout
        return f"{kind}, {self.damage}"

    @property
    def suffix(self) -> str:
        return LAYOUTS[self.layout][0]

    @property
    def ordinary(self) -> bool:
        """Whether the file has to be read: it is intact, and has one gray value or colour at each pixel.

        Many pages that are higher than wide may also be rows, with channels for columns.
        """
        pages, rows, columns = self.shape
        readable = self.stem != NOT_UTF8 and self.damage == "intact" and columns >= min(pages, rows)
        return readable and self.dtype not in ODD_TYPES and self.layout not in MAY_REFUSE

    @property
    def atol(self) -> float:
        """How far probabilities may be apart: decoders of lossy files round differently."""
        return 0.2 if "jpeg" in f"{self.layout}{self.options}".lower() else 1e-4

    def write(self, folder: Path) -> Path:
        """Write the file and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        generator = np.random.default_rng(self.seed)
        path = folder / f"{self.stem}{self.suffix}"
        LAYOUTS[self.layout][1](path, self, generator)
        DAMAGE[self.damage](path, generator)
        return path


def _tiff(samples: int = 0, **fixed: Any) -> Callable[[Path, Picture, np.random.Generator], None]:
    def write(path: Path, picture: Picture, generator: np.random.Generator) -> None:
        leading = picture.shape[:1] if picture.shape[0] > 1 else ()
        shape = (*leading, *picture.shape[1:], *((samples,) if samples else ()))
        if fixed.get("planarconfig") == "separate":
            shape = (*leading, samples, *picture.shape[1:])
        dtype = picture.dtype if picture.layout in ANY_TYPE else "uint8"
        options = {"photometric": "minisblack", **dict(picture.options), **fixed}
        if options.get("compression") not in ("zlib", "lzw", "zstd"):
            options.pop("predictor", None)
        if "metadata" in options:
            options["metadata"] = {"axes": options["metadata"][-len(shape) :]}
        if options["photometric"] == "palette":
            options["colormap"] = generator.integers(0, 65536, (3, 256), dtype=np.uint16)
        tifffile.imwrite(path, random_pixels(generator, dtype, *shape), **options)

    return write


def _mixed(path: Path, picture: Picture, generator: np.random.Generator) -> None:
    with tifffile.TiffWriter(path) as writer:
        for size in (picture.shape[1:], (picture.shape[1] + 3, picture.shape[2])):
            writer.write(random_pixels(generator, "uint8", *size))


def _extreme(path: Path, picture: Picture, generator: np.random.Generator) -> None:
    pixels = random_pixels(generator, "float32", *picture.shape[1:])
    pixels.flat[:: max(1, pixels.size // 5)] = (3.4e38, -3.4e38, 1e-44, 0, 3e38)[picture.seed % 5]
    tifffile.imwrite(path, pixels)


def _not_finite(path: Path, picture: Picture, generator: np.random.Generator) -> None:
    pixels = random_pixels(generator, "float32", *picture.shape[1:])
    pixels.flat[picture.seed % pixels.size] = (np.nan, np.inf, -np.inf)[picture.seed % 3]
    tifffile.imwrite(path, pixels)


def _constant(path: Path, picture: Picture, generator: np.random.Generator) -> None:
    tifffile.imwrite(path, np.full(picture.shape[1:], picture.seed % 256, np.uint8))


def _oriented(path: Path, picture: Picture, generator: np.random.Generator) -> None:
    tag = (274, "H", 1, 1 + picture.seed % 8, True)
    tifffile.imwrite(path, random_pixels(generator, "uint8", *picture.shape[1:]), extratags=[tag])


def _pillow(mode: str, **fixed: Any) -> Callable[[Path, Picture, np.random.Generator], None]:
    def write(path: Path, picture: Picture, generator: np.random.Generator) -> None:
        bands = len(Image.new(mode, (1, 1)).getbands())
        shape = (*picture.shape[1:], *((bands,) if bands > 1 else ()))
        if mode == "I;16":
            image = Image.fromarray(random_pixels(generator, "uint16", *shape))
        elif mode == "1":
            image = Image.fromarray(random_pixels(generator, "bool", *shape))
        elif mode == "P":
            image = Image.fromarray(generator.integers(0, 9, shape, dtype=np.uint8), "P")
            image.putpalette(generator.integers(0, 256, 27, dtype=np.uint8).tobytes())
        else:
            image = Image.frombytes(mode, shape[1::-1], random_pixels(generator, "uint8", *shape).tobytes())
        more = dict(fixed)
        if more.pop("turned", False):
            exif = image.getexif()
            exif[274] = 1 + picture.seed % 8
            more["exif"] = exif
        plain = path.with_stem("plain")  # libtiff takes no names that are not UTF-8
        image.save(plain, **more)
        plain.rename(path)

    return write


def _deep_png(samples: int) -> Callable[[Path, Picture, np.random.Generator], None]:
    def write(path: Path, picture: Picture, generator: np.random.Generator) -> None:
        path.write_bytes(imagecodecs.png_encode(random_pixels(generator, "uint16", *picture.shape[1:], samples)))

    return write


LAYOUTS: dict[str, tuple[str, Callable[[Path, Picture, np.random.Generator], None]]] = {
    "TIFF gray": (".tif", _tiff()),
    "TIFF WhiteIsZero": (".tif", _tiff(photometric="miniswhite")),
    "TIFF RGB": (".tiff", _tiff(3, photometric="rgb")),
    "TIFF RGBA": (".tif", _tiff(4, photometric="rgb", extrasamples=["unassalpha"])),
    "TIFF gray and alpha": (".tif", _tiff(2, extrasamples=["unassalpha"], planarconfig="contig")),
    "TIFF RGB in planes": (".tif", _tiff(3, photometric="rgb", planarconfig="separate")),
    "TIFF palette": (".tif", _tiff(photometric="palette")),
    "TIFF of ImageJ": (".tif", _tiff(imagej=True, metadata="ZYX", compression=None)),
    "TIFF of OME": (".TIF", _tiff(ome=True, metadata="TYX")),
    "TIFF big-endian": (".tif", _tiff(byteorder=">")),
    "BigTIFF": (".tif", _tiff(bigtiff=True)),
    "TIFF JPEG": (".tif", _tiff(compression="jpeg")),
    "TIFF five channels": (".tif", _tiff(5, photometric="rgb", planarconfig="contig")),
    "TIFF two channels": (".tif", _tiff(2, planarconfig="contig", extrasamples=["unspecified"])),
    "TIFF pages of two sizes": (".tif", _mixed),
    "TIFF with extreme floats": (".tif", _extreme),
    "TIFF with NaN or Inf": (".tif", _not_finite),
    "TIFF constant": (".tif", _constant),
    "TIFF turned": (".tif", _oriented),
    "TIFF of Pillow, palette": (".tif", _pillow("P")),
    "TIFF of Pillow, fax": (".tif", _pillow("1", compression="group4")),
    "PNG gray": (".png", _pillow("L")),
    "PNG gray, 16 bits": (".png", _pillow("I;16")),
    "PNG gray and alpha": (".png", _pillow("LA")),
    "PNG RGB": (".png", _pillow("RGB")),
    "PNG RGB, 16 bits": (".png", _deep_png(3)),
    "PNG RGBA": (".PNG", _pillow("RGBA")),
    "PNG RGBA, 16 bits": (".png", _deep_png(4)),
    "PNG palette": (".png", _pillow("P")),
    "PNG palette, transparent": (".png", _pillow("P", transparency=1)),
    "PNG of 1 bit": (".png", _pillow("1")),
    "PNG turned": (".png", _pillow("L", turned=True)),
    "JPEG gray": (".jpg", _pillow("L")),
    "JPEG RGB": (".jpeg", _pillow("RGB")),
    "JPEG CMYK": (".jpg", _pillow("CMYK")),
    "JPEG progressive": (".JPG", _pillow("RGB", progressive=True)),
    "JPEG turned": (".jpg", _pillow("L", turned=True)),
    "BMP gray": (".bmp", _pillow("L")),
    "BMP RGB": (".bmp", _pillow("RGB")),
    "BMP palette": (".bmp", _pillow("P")),
    "BMP of 1 bit": (".bmp", _pillow("1")),
}
ANY_TYPE = ("TIFF gray", "TIFF big-endian", "BigTIFF")
MAY_REFUSE = (
    *("TIFF five channels", "TIFF two channels", "TIFF pages of two sizes", "TIFF with NaN or Inf"),
    "TIFF with extreme floats",
)
STORED = ({}, {}, {"compression": "zlib"}, {"compression": "lzw"}, {"compression": "packbits"}, {"compression": "zstd"})
PARTS = ({}, {}, {"tile": (16, 32)}, {"rowsperstrip": 3}, {"predictor": True, "compression": "zlib"})


@st.composite
def pictures(draw: st.DrawFn, intact: bool = False, suffixes: tuple[str, ...] = ()) -> Picture:
    """Any picture; half of them are damaged unless `intact`."""
    layouts = [name for name, (suffix, _) in LAYOUTS.items() if not suffixes or suffix.lower() in suffixes]
    layout = draw(st.sampled_from(layouts))
    dtype = draw(st.sampled_from((*TYPES, *ODD_TYPES))) if layout in ANY_TYPE else "uint8"
    size = draw(st.sampled_from([(17, 30), (21, 16), (1, 1), (1, 9), (33, 2)]))
    pages = draw(st.sampled_from([1, 1, 2, 3])) if layout.startswith(("TIFF", "Big")) else 1
    options: dict[str, Any] = {}
    if layout.startswith(("TIFF", "Big")) and dtype not in ("bool", *ODD_TYPES):
        options = {**draw(st.sampled_from(STORED)), **draw(st.sampled_from(PARTS))}
    damage = "intact" if intact or draw(st.booleans()) else draw(st.sampled_from(sorted(DAMAGE)))
    stem = draw(st.sampled_from(STEMS))
    return Picture(stem, layout, dtype, (pages, *size), tuple(options.items()), damage, draw(st.integers(0, 10**6)))
