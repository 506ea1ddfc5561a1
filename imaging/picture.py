"""Reads a PNG, JPEG or TIFF picture as one slice.

A picture tells no plane, no position, no spacing (dots per inch are about paper) and no weighting. It is taken as
a slice of the protocol's first plane as usually shown; if sagittal, front of the body left and head on top.
"""

import mmap
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from imaging import limits
from imaging.geometry import SourceAxes, apply_axes
from imaging.intensity import check_values
from imaging.picture_header import MAX_PAGES, PictureHeader, check_png_rows, read_header
from imaging.roles import Candidate
from imaging.sequences import sequence_from_name
from imaging.sniff import FileKind, sniff
from imaging.types import Plane, Series, Spacing, Volume
from runtime.errors import StudyError

JPEG_BLOCK = 8
JPEG_FILL = 128.0
"""libjpeg fills rows that a file lacks with this even grey, without a word; no MR slice ends in it.
Source: libjpeg, jdhuff.c (``insufficient_data`` leaves blocks of zeros); T.81 A.3.1 (level shift)."""

# Channel spread (largest minus smallest of R, G, B, of 255) of a grey picture that went through JPEG or a colour
# profile stays small and even. Bounds are ours.
MAX_MEAN_SPREAD = 6.0
STRONG_SPREAD = 24
MAX_STRONG_SHARE = 0.002

MIN_BITS = 8
"""Of a channel; fewer hold too few greys for a network trained on 256."""

_FORMATS = ("PNG", "JPEG", "TIFF")
_GREY_MODES = ("L", "I;16", "I;16L", "I;16B", "I;16N", "I", "F")
# What Pillow and its decoders raise on damaged files.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError)
# EXIF orientation -> axes of the upright picture (columns, rows) in those of the file, and whether flipped.
# Source: EXIF 2.32, tag 0x0112, as Pillow's ImageOps.exif_transpose applies it.
_EXIF_AXES: dict[int, tuple[tuple[int, bool], tuple[int, bool]]] = {
    1: ((0, False), (1, False)),
    2: ((0, True), (1, False)),
    3: ((0, True), (1, True)),
    4: ((0, False), (1, True)),
    5: ((1, False), (0, False)),
    6: ((1, True), (0, False)),
    7: ((1, True), (0, True)),
    8: ((1, False), (0, True)),
}


def read_picture(stream: BinaryIO, name: str, *, plane: Plane, spacing: Spacing | None) -> Candidate:
    """Read one grey picture.

    Grey stored as RGB, RGBA, palette, CMYK or YCbCr is read; 16-bit and float grey keep their values.

    Args:
        stream: The file's bytes.
        name: File name, for messages and the sequence hint.
        plane: Plane to assume: that of the protocol's first role.
        spacing: Pixel spacing of the upright picture, when the user knows it.

    Raises:
        StudyError: If the picture is damaged, too large, coloured, of too few or (in colour) too many
            bits, or has several pages.
    """
    header = _checked_header(stream, name)
    try:
        # Pillow's warnings may quote what is written in the file.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            grey, axes = _decoded(stream, name, header)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise StudyError(f"{name}: expected a PNG, JPEG or TIFF picture that can be decoded") from error
    except StudyError:
        raise
    except _BROKEN as error:
        raise StudyError(f"{name}: the picture is damaged or cut short ({error}); export it again") from error
    check_values(name, grey)
    return _candidate(grey, axes, Path(name).stem, plane, spacing)


def _checked_header(stream: BinaryIO, name: str) -> PictureHeader:
    """Read the header by hand and refuse what no decoder should see."""
    kind = sniff(stream)
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        header = read_header(data, kind, name)
        _check_pages_and_size(header, name)
        _check_depth(header, name)
        if kind is FileKind.PNG:
            check_png_rows(data, header, name)
    return header


def _decoded(stream: BinaryIO, name: str, header: PictureHeader) -> tuple[NDArray[np.float32], SourceAxes]:
    stream.seek(0)
    with Image.open(stream, formats=_FORMATS) as image:
        image.verify()  # the checksums of PNG, which decoding alone passes over; the image is spent then
    stream.seek(0)
    with Image.open(stream, formats=_FORMATS) as image:
        if image.size != (header.width, header.height):
            raise StudyError(f"{name}: the picture is damaged: it tells two sizes; export it again")
        image.load()
        if header.palette is not None and int(np.asarray(image).max()) >= header.palette:
            raise StudyError(
                f"{name}: the picture is damaged: it uses colours beyond its palette; export it again"
            )
        grey = _grey(image, name)
        if image.format == "JPEG" and bool((grey[-JPEG_BLOCK:] == JPEG_FILL).all()):
            message = f"{name}: the picture is damaged or cut short: its last rows are empty; export it again"
            raise StudyError(message)
        return grey, _upright_axes(image)


def _candidate(
    grey: NDArray[np.float32], axes: SourceAxes, stem: str, plane: Plane, spacing: Spacing | None
) -> Candidate:
    stored = grey.T[:, :, np.newaxis]
    columns, rows, _ = stored.shape
    finding = sequence_from_name(stem)
    volume = Volume(
        array=np.ascontiguousarray(apply_axes(stored, axes)),
        spacing=spacing,
        affine=None,
        source_shape=(columns, rows, 1),
        source_axes=axes,
    )
    series = Series(
        id="S1",
        role=None,
        plane=plane,
        sequence=finding.sequence,
        volume=volume,
        reasons=(
            f"plane {plane.value}: assumed, a picture does not tell its plane",
            *finding.reasons,
            "no spacing given: nothing is measured in mm" if spacing is None else "spacing: as given by the user",
        ),
    )
    return Candidate(series, finding)


def _check_pages_and_size(header: PictureHeader, name: str) -> None:
    if header.pages > 1:
        count = header.pages if header.pages < MAX_PAGES else f"{MAX_PAGES} or more"
        raise StudyError(
            f"{name}: expected one picture, found {count} pages or frames; save the slice to read as a picture of "
            "its own, or the volume as NIfTI or DICOM"
        )
    most, size = limits.current().picture_pixels, f"{header.width} x {header.height}"
    if header.width * header.height > most:
        message = f"{name}: expected at most {most} pixels, found {size}; export the slice at its own resolution"
        raise limits.exceeded("picture_pixels", message)
    limits.check_side(name, header.width, header.height)


def _check_depth(header: PictureHeader, name: str) -> None:
    if header.bits == 1 and header.channels == 1:
        raise StudyError(f"{name}: expected a grey picture, found one of only black and white pixels")
    if header.bits < MIN_BITS:
        raise StudyError(
            f"{name}: expected a grey picture of 8 or 16 bits, found {header.bits}; export the slice again",
            code="shallow_grey",
        )
    if header.bits > MIN_BITS and header.channels > 1:
        # Pillow would keep 8 of them without a word.
        raise StudyError(
            f"{name}: expected 8 bits a colour, or 16 bits of grey alone, found {header.bits} bits in each of "
            f"{header.channels} channels; save it as 16-bit grey",
            code="deep_colour",
        )


def _upright_axes(image: Image.Image) -> SourceAxes:
    columns, rows = _EXIF_AXES.get(image.getexif().get(ExifTags.Base.Orientation, 1), _EXIF_AXES[1])
    return columns, rows, (2, False)


def _grey(image: Image.Image, name: str) -> NDArray[np.float32]:
    """Return the intensities (H, W) on the file's own grid."""
    if image.mode in _GREY_MODES:
        return _white_on_black(image, np.asarray(image).astype(np.float32))
    if image.mode in ("LA", "La", "PA", "P", "RGBa", "RGBA"):
        coloured = np.asarray(image.convert("RGBA"), dtype=np.float32)
        # Transparent pixels show nothing, whatever colour lies under them.
        channels = coloured[..., :3] * (coloured[..., 3:] / 255.0)
    else:
        channels = np.asarray(image.convert("RGB"), dtype=np.float32)
    _check_colour(channels, name)
    grey: NDArray[np.float32] = channels.mean(axis=2, dtype=np.float32)
    return grey


def _white_on_black(image: Image.Image, grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Invert 16-bit TIFF stored as white-is-zero; Pillow itself does so for 8 bits only."""
    tags = getattr(image, "tag_v2", {})
    is_white_zero = tags.get(262) == 0  # TIFF 6.0, PhotometricInterpretation
    if is_white_zero and image.mode.startswith("I;16"):
        return np.float32(65535) - grey
    return grey


def _check_colour(channels: NDArray[np.float32], name: str) -> None:
    spread = channels.max(axis=2) - channels.min(axis=2)
    strong = float((spread > STRONG_SPREAD).mean())
    if float(spread.mean()) > MAX_MEAN_SPREAD or strong > MAX_STRONG_SHARE:
        raise StudyError(
            f"{name}: expected a grey MR slice, found a coloured picture ({strong:.1%} of its pixels are strongly "
            "coloured); export the slice without colour map or overlay"
        )
