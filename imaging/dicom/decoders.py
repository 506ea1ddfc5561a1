"""Which library decodes which compression: only permissive licences, in a fixed order.

The choice and the licences are recorded in docs/decisions/0005-dicom-decoders.md. pydicom finds the frames in
the file and checks what comes back; a plug-in that somebody installs beside ours (pylibjpeg-libjpeg is GPL) is
never used.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import iter_pixels

from imaging.dicom.codestreams import check_sizes
from imaging.dicom.values import BROKEN
from runtime.errors import StudyError

_PACKAGES = {
    "gdcm": "python-gdcm",
    "pyjpegls": "pyjpegls",
    "pylibjpeg": "pylibjpeg, pylibjpeg-openjpeg and pylibjpeg-rle",
    "pillow": "pillow",
    "pydicom": "pydicom",
}

_PLUGINS: dict[str, tuple[str, ...]] = {
    uid.RLELossless: ("pylibjpeg", "pydicom"),
    uid.JPEGBaseline8Bit: ("gdcm", "pillow"),
    uid.JPEGExtended12Bit: ("gdcm",),
    uid.JPEGLossless: ("gdcm",),
    uid.JPEGLosslessSV1: ("gdcm",),
    # GDCM is no second choice here: it holds the same libraries, and ends the process on a damaged stream.
    uid.JPEGLSLossless: ("pyjpegls",),
    uid.JPEGLSNearLossless: ("pyjpegls",),
    uid.JPEG2000Lossless: ("pylibjpeg",),
    uid.JPEG2000: ("pylibjpeg",),
    uid.HTJ2KLossless: ("pylibjpeg",),
    uid.HTJ2KLosslessRPCL: ("pylibjpeg",),
    uid.HTJ2K: ("pylibjpeg",),
}


def decode_frames(dataset: Dataset, frames: list[int], name: str) -> Iterator[NDArray[np.generic]]:
    """Yield the frames asked for, each (rows, columns) of stored values.

    Args:
        dataset: Whole data set with its file meta.
        frames: Indices from 0.
        name: What the file is called in messages.

    Raises:
        StudyError: If the compression is unknown, its decoder is not installed, or the data are damaged.
    """
    syntax = uid.UID(dataset.file_meta.TransferSyntaxUID)
    if syntax.is_encapsulated:
        check_sizes(dataset, frames, name)
    if syntax == uid.JPEGExtended12Bit and dataset.BitsStored > 8:
        yield from _twelve_bit_jpeg(dataset, frames, name)
        return
    plugins = _installed(syntax, name)
    done = 0
    for plugin in plugins:
        try:
            for image in _without_panic(iter_pixels(dataset, indices=frames[done:], decoding_plugin=plugin)):
                yield image
                done += 1
            return
        except BROKEN:  # the next library may read what this one does not; the last one's error is told
            if plugin == plugins[-1]:
                raise


def _without_panic(images: Iterator[NDArray[np.generic]]) -> Iterator[NDArray[np.generic]]:
    """Yield images; a panic of a decoder in Rust, which is no ``Exception``, becomes an error like others."""
    try:
        yield from images
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # pyo3 gives no name of it to import
            raise
        raise RuntimeError("the decoder gave up") from error


def _twelve_bit_jpeg(dataset: Dataset, frames: list[int], name: str) -> Iterator[NDArray[np.generic]]:
    """Yield frames of lossy JPEG of 12 bits, which GDCM decodes but pydicom's plug-in for it refuses."""
    _installed(uid.JPEGExtended12Bit, name)
    import gdcm

    for frame in frames:
        code = get_frame(dataset.PixelData, frame, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
        image = gdcm.Image()
        image.SetNumberOfDimensions(2)
        image.SetDimensions((dataset.Columns, dataset.Rows, 1))
        image.SetDataElement(_element_of(code))
        monochrome = gdcm.PhotometricInterpretation.MONOCHROME2
        image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(monochrome))
        image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
        image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
        pixels = np.frombuffer(image.GetBuffer().encode("utf-8", "surrogateescape"), dtype=np.uint16)
        yield pixels.reshape(dataset.Rows, dataset.Columns)


def _element_of(code: bytes) -> object:
    """Return a pixel element of GDCM that holds one code stream."""
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(code)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    return element


def _installed(syntax: uid.UID, name: str) -> tuple[str, ...]:
    """Return the plug-ins to try, in order; an empty name lets pydicom read what is not compressed."""
    if not syntax.is_encapsulated:
        return ("",)
    if syntax not in _PLUGINS:
        known = syntax.name if syntax.name != str(syntax) else "an unknown transfer syntax"
        raise StudyError(
            f"{name}: the pixels are compressed in an unknown way ({known}); expected uncompressed pixels, RLE, "
            "JPEG, JPEG-LS, JPEG 2000 or HTJ2K: send it again, uncompressed if need be"
        )
    available = get_decoder(syntax).available_plugins
    found = tuple(plugin for plugin in _PLUGINS[syntax] if plugin in available)
    if not found:
        packages = " or ".join(_PACKAGES[plugin] for plugin in _PLUGINS[syntax])
        raise StudyError(
            f"{name}: the pixels are compressed ({syntax.name}) and no decoder for that is installed; install "
            f"{packages}, or send it again uncompressed"
        )
    return found
