"""Key pictures as DICOM: one Secondary Capture image each, RGB, not compressed, in a series of their own.

Single frames of the plain Secondary Capture class, the one that archives and viewers have known longest; not all
take the multi-frame true colour class, or show more than its first frame. Boxes, names, findings and the mark of a
draft are in the pixels: a viewer that knows no overlays shows them, and nobody sees the picture without them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.valuerep import format_number_as_ds

from reporting.dicom.common import to_bytes
from reporting.dicom.composite import KEY_IMAGE, code_item, new_object, reference_to
from reporting.export.key_pictures import KeyPicture, key_pictures
from reporting.export.package import ExportedFile, Package, Source
from reporting.slice_picture import GREY, font, wrapped

_MEDIA_TYPE = "application/dicom"
_FONT_PX, _ROW_PX, _EDGE_PX = 22, 30, 8
_FACELESS = frozenset({"lumbar", "sacroiliac"})
"""Protocols whose slices show nothing to know a person by; those of the neck may show the lower face."""


def key_image_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return the key pictures, ``key-images/1.dcm`` the gravest; none when nothing was graded.

    Raises:
        StudyError: If the study was not given, or is no DICOM.
    """
    source = package.require_source()
    source.require_dicom()
    return tuple(
        ExportedFile(f"key-images/{number}.dcm", _MEDIA_TYPE, to_bytes(_capture(package, source, picture, number)))
        for number, picture in enumerate(key_pictures(package), start=1)
    )


def with_caption(picture: KeyPicture) -> NDArray[np.uint8]:
    """Return the pixels of a picture with its findings written below, (rows, columns, 3) uint8."""
    height, width, _ = picture.pixels.shape
    rows = [row for line in picture.lines for row in wrapped(line, width - 2 * _EDGE_PX, size_px=_FONT_PX)]
    canvas = Image.new("RGB", (width, height + len(rows) * _ROW_PX + _EDGE_PX))
    canvas.paste(Image.fromarray(picture.pixels), (0, 0))
    draw = ImageDraw.Draw(canvas)
    for index, row in enumerate(rows):
        draw.text((_EDGE_PX, height + index * _ROW_PX), row, fill=GREY, font=font(_FONT_PX))
    return np.asarray(canvas)


def _capture(package: Package, source: Source, picture: KeyPicture, number: int) -> Dataset:
    instance = source.slices(picture.series_id)[picture.slice_index]
    made = new_object(package, KEY_IMAGE, instance, number)
    made.ConversionType = "WSD"
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.PatientOrientation = list(picture.orientation or ())
    made.BurnedInAnnotation = "YES"  # text is in the pixels; nobody is to take them for clean ones
    made.LossyImageCompression = instance.get("LossyImageCompression", "00")
    if "BodyPartExamined" in instance:
        made.BodyPartExamined = instance.BodyPartExamined
    features = _recognisable(package, instance)
    if features is not None:
        made.RecognizableVisualFeatures = features
    _refer(made, package, source, picture)
    _set_pixels(made, picture)
    return made


def _recognisable(package: Package, instance: Dataset) -> str | None:
    """Return whether a person may be known by the picture: as the source says; None when nobody can tell."""
    told = instance.get("RecognizableVisualFeatures")
    if told:
        return str(told)
    return "NO" if package.outgoing.findings.protocol in _FACELESS else None


def _refer(made: Dataset, package: Package, source: Source, picture: KeyPicture) -> None:
    """Write what the picture was made of, how, and in words what it shows."""
    series = source.series(picture.series_id)
    frame = series.frame_numbers[picture.slice_index] if series.frame_numbers else None
    item = reference_to(source.slices(picture.series_id)[picture.slice_index], frame)
    item.SpatialLocationsPreserved = "NO"  # enlarged, and a band of text is below
    item.PurposeOfReferenceCodeSequence = [code_item(codes.DCM.SourceImageForImageProcessingOperation)]
    made.SourceImageSequence = [item]
    made.DerivationDescription = (
        "Slice windowed between its 1st and 99th percentile, enlarged; boxes, level names, directions, scale and "
        "findings drawn by SpineScribe"
    )
    outgoing = package.outgoing
    state = outgoing.status.value if outgoing.mark is None else f"AI {outgoing.mark}"
    made.ImageComments = f"{state}. {picture.alt}"[:10240]


def _set_pixels(made: Dataset, picture: KeyPicture) -> None:
    pixels = with_caption(picture)
    made.Rows, made.Columns, made.SamplesPerPixel = pixels.shape
    made.PhotometricInterpretation, made.PlanarConfiguration = "RGB", 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    if picture.pixel_mm is not None:
        made.PixelSpacing = [format_number_as_ds(picture.pixel_mm)] * 2
    content = pixels.tobytes()
    made.PixelData = content + b"\0" * (len(content) % 2)
    made["PixelData"].VR = "OB"
