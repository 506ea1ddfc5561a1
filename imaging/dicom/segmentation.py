"""Reads a DICOM SEG, ours or another's, as labels on a grid: what each segment is, by its code or its name.

LPS mm of the file becomes RAS+ mm. Segments keep their numbers; what they are called here says a ``Convention``
made of the file itself, so that its rows go the same way as those of any label file (``imaging.label_import``).
Source: DICOM PS3.3 A.51, C.8.20 (Segmentation); CID 7603 and 7604 for vertebrae and discs.
"""

from __future__ import annotations

import math
import re
import sqlite3
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from anatomy import Side
from anatomy.conventions import Convention, LabelKind, LabelRule, Match
from anatomy.structures import label_codes
from imaging import limits
from imaging.dicom.sop_classes import SEGMENTATIONS
from imaging.dicom.structure import check_structure
from imaging.label_grid import PlacedLabels, place_labels
from imaging.types import AffineMatrix, Series
from runtime.errors import StudyError

CONVENTION = "dicom-seg"

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SIDES = {Side.LEFT: codes.SCT.Left, Side.RIGHT: codes.SCT.Right}
_FILLER = frozenset({"intervertebral", "of", "the", "structure", "bone", "space"})
_SAME_WORD = {"vertebrae": "vertebra", "disk": "disc"}
_NAME_LENGTH = 64  # PS3.3: Segment Label is LO
_BROKEN = (
    ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, sqlite3.Error,
)  # fmt: skip
"""What pydicom and highdicom, which tables its frames by sqlite, raise for a file that contradicts itself."""


@dataclass(frozen=True, eq=False)
class SegmentGrid:
    """A SEG as labels.

    Attributes:
        array: (I, J, K) = (columns, rows, slices), segment numbers, 0 is background.
        affine: (4, 4) voxel (i, j, k) -> RAS+ mm.
        convention: What each segment number is.
    """

    array: NDArray[np.generic]
    affine: AffineMatrix
    convention: Convention


def read_segmentation(stream: BinaryIO, name: str) -> SegmentGrid:
    """Read a SEG whose segments do not overlap, BINARY or LABELMAP, onto the grid of its own frames.

    Slices that the file left out as empty are there as background, between the first and the last one that is not.

    Args:
        stream: The file's bytes.
        name: File name, for messages.

    Raises:
        StudyError: If it is another DICOM object, damaged, holds probabilities, its segments overlap, or its
            frames make no regular grid.
        LimitError: If it is larger than allowed.
    """
    check_structure(stream, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote what stands in the file
        seg = _opened(stream, name)
        try:
            array, affine = _volume(seg, name)
            convention = _convention(seg)
        except StudyError:
            raise
        except _BROKEN as error:
            raise StudyError(
                f"{name}: expected a DICOM segmentation of parallel, evenly spaced frames whose segments do not "
                f"overlap, found one that cannot be read so ({type(error).__name__})"
            ) from error
    return SegmentGrid(array, affine, convention)


def read_onto(stream: BinaryIO, name: str, series: Series) -> PlacedLabels:
    """Read a SEG onto the grid of a series, in our label numbers; what is none of ours becomes background.

    Unlike ``imaging.label_import`` this does not judge whether the labels read like a spine.

    Raises:
        StudyError: As ``read_segmentation``, or if the labels do not lie on the series.
    """
    grid = read_segmentation(stream, name)
    table = np.zeros(max(grid.convention.rules) + 1, dtype=np.uint8)
    for number, rule in grid.convention.rules.items():
        table[number] = rule.our_label or 0
    return place_labels(table[grid.array], grid.affine, series)


def _opened(stream: BinaryIO, name: str) -> Segmentation:
    try:
        dataset = dcmread(stream)
        kind = str(dataset.get("SOPClassUID", ""))
        if kind not in SEGMENTATIONS:
            raise StudyError(f"{name}: expected a DICOM segmentation (SEG), found another DICOM object")
        if dataset.get("SegmentationType") == SegmentationTypeValues.FRACTIONAL.value:
            raise StudyError(
                f"{name}: expected a segmentation of whole structures, found probabilities (FRACTIONAL); save it "
                "as BINARY"
            )
        limits.check_voxels(name, _stored_voxels(dataset))
        return Segmentation.from_dataset(dataset, copy=False)
    except StudyError:
        raise
    except (InvalidDicomError, *_BROKEN) as error:
        raise StudyError(
            f"{name}: the DICOM segmentation is damaged or incomplete ({type(error).__name__})"
        ) from error


def _stored_voxels(dataset: Dataset) -> int:
    sizes = (dataset.Rows, dataset.Columns, dataset.NumberOfFrames)
    return math.prod(int(size) for size in sizes)


def _volume(seg: Segmentation, name: str) -> tuple[NDArray[np.generic], AffineMatrix]:
    geometry = seg.get_volume_geometry(allow_missing_positions=True)
    if geometry is None:
        raise StudyError(f"{name}: expected frames that are parallel and evenly spaced, found others")
    limits.check_voxels(name, math.prod(geometry.spatial_shape))
    volume = seg.get_volume(combine_segments=True, allow_missing_positions=True)
    # highdicom's axes are (slice, row, column), each growing with its index.
    affine = _LPS_TO_RAS @ np.asarray(volume.affine)[:, [2, 1, 0, 3]]
    return np.asarray(volume.array).transpose(2, 1, 0), affine


def _convention(seg: Segmentation) -> Convention:
    """Return what the segments say they are."""
    described = [seg.get_segment_description(number) for number in seg.segment_numbers if number != 0]
    meant = {int(item.segment_number): _our_label(item) for item in described}
    shared = Counter(label for label, _ in meant.values() if label is not None)
    rules = {}
    for item in described:
        number = int(item.segment_number)
        label, note = meant[number]
        match = Match.NONE if label is None else Match.PART if shared[label] > 1 else Match.SAME
        rules[number] = LabelRule(number, _shown(item.segment_label), label, match, frozenset(), note)
    return Convention(
        name=CONVENTION,
        title="DICOM SEG, structures by their codes and names",
        version="PS3.3 A.51",
        licence="as the file's",
        kind=LabelKind.OUTLINES,
        needs=frozenset(rules),
        is_named=True,
        grows_down=False,
        description="Segments that name a structure by a SNOMED CT code, or by their label.",
        sources=("https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_A.51.html",),
        rules=rules,
    )


def _our_label(segment: SegmentDescription) -> tuple[int | None, str]:
    """Return our number of a segment, and why there is none."""
    coded = _by_code(segment)
    is_vertebra = _code_of(segment.SegmentedPropertyTypeCodeSequence[0]) == codes.SCT.Vertebra
    named = _by_words(_words(segment.segment_label) | ({"vertebra"} if is_vertebra else set()))
    if coded is not None and named is not None and coded != named:
        names = label_codes()
        return None, f"its code says {names[coded].name}, its label {names[named].name}"
    found = coded if coded is not None else named
    return found, "" if found is not None else "neither its code nor its label is one of ours"


def _by_code(segment: SegmentDescription) -> int | None:
    """Return the one label that the coded type names with its side.

    A type that says no more than vertebra is looked up by its anatomic region; the region of anything else is
    where it lies, not what it is.
    """
    item = segment.SegmentedPropertyTypeCodeSequence[0]
    if _code_of(item) != codes.SCT.Vertebra:
        return _coded_label(item, item.get("SegmentedPropertyTypeModifierCodeSequence"))
    regions = (_coded_label(region, None) for region in segment.get("AnatomicRegionSequence", ()))
    return next((label for label in regions if label is not None), None)


def _coded_label(item: Dataset, modifiers: list[Dataset] | None) -> int | None:
    code = _code_of(item)
    told = [_code_of(modifier) for modifier in modifiers or ()]
    side = next((side for side, sided in _SIDES.items() if sided in told), None)
    rows = ((label, row) for label, row in label_codes().items() if row.side is side)
    return next((label for label, row in rows if row.snomed_ct and code == Code(row.snomed_ct, "SCT", "")), None)


def _code_of(item: Dataset) -> Code:
    return Code(str(item.get("CodeValue", "")), str(item.get("CodingSchemeDesignator", "")), "")


def _by_words(words: frozenset[str]) -> int | None:
    """Return the label of a name such as ``vertebrae_L4``, ``L4/L5 disc`` or ``Spinal cord``."""
    return next((label for label, row in label_codes().items() if _words(row.name) == words), None)


def _words(text: str) -> frozenset[str]:
    words = {_SAME_WORD.get(word, word) for word in re.findall(r"[a-z]+\d*", text.casefold())}
    return frozenset(words - _FILLER)


def _shown(text: str) -> str:
    """Return a segment's label as it may be shown."""
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()[:_NAME_LENGTH]
