"""Reads a PNG, JPEG or TIFF picture as one slice.

A picture tells no plane, no position, no spacing (dots per inch are about paper) and no weighting. It is taken as
a slice of the protocol's first plane as usually shown; if sagittal, front of the body left and head on top.
"""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from imaging import limits
from imaging.geometry import SourceAxes, apply_axes
from imaging.roles import Candidate
from imaging.sequences import sequence_from_name
from imaging.types import Plane, Series, Spacing, Volume
from runtime.errors import StudyError

# Channel spread (largest minus smallest of R, G, B, of 255) of a grey picture that went through JPEG or a colour
# profile stays small and even. Bounds are ours.
MAX_MEAN_SPREAD = 6.0
STRONG_SPREAD = 24
MAX_STRONG_SHARE = 0.002

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
        StudyError: If the picture is damaged, too large, coloured, two-level, or has several pages.
    """
    try:
        with Image.open(stream, formats=_FORMATS) as image:
            image.verify()  # the checksums of PNG, which decoding alone passes over; the image is spent then
        stream.seek(0)
        with Image.open(stream, formats=_FORMATS) as image:
            _check_pages_and_size(image, name)
            image.load()
            grey = _grey(image, name)
            axes = _upright_axes(image)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise StudyError(f"{name}: expected a PNG, JPEG or TIFF picture that can be decoded: {error}") from error
    except StudyError:
        raise
    except _BROKEN as error:
        raise StudyError(f"{name}: the picture is damaged or cut short ({error}); export it again") from error
    if not np.isfinite(grey).all():
        raise StudyError(f"{name}: expected finite pixel values, found NaN or infinity")
    return _candidate(grey, axes, Path(name).stem, plane, spacing)


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


def _check_pages_and_size(image: Image.Image, name: str) -> None:
    pages = getattr(image, "n_frames", 1)
    if pages > 1:
        raise StudyError(
            f"{name}: expected one picture, found {pages} pages or frames; save the slice to read as a picture of "
            "its own, or the volume as NIfTI or DICOM"
        )
    width, height = image.size
    most = limits.current().picture_pixels
    if width * height > most:
        raise limits.exceeded(
            "picture_pixels",
            f"{name}: expected at most {most} pixels, found {width} x {height}; export the slice at its own "
            "resolution",
        )


def _upright_axes(image: Image.Image) -> SourceAxes:
    columns, rows = _EXIF_AXES.get(image.getexif().get(ExifTags.Base.Orientation, 1), _EXIF_AXES[1])
    return columns, rows, (2, False)


def _grey(image: Image.Image, name: str) -> NDArray[np.float32]:
    """Return the intensities (H, W) on the file's own grid."""
    if image.mode == "1":
        raise StudyError(f"{name}: expected a grey picture, found one of only black and white pixels")
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
