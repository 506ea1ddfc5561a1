"""Which SOP classes the DICOM objects of an export are of, where receivers differ in what they take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SRClass(StrEnum):
    """Which class of DICOM the structured report is; its content is the same in both."""

    COMPREHENSIVE = "comprehensive"
    COMPREHENSIVE_3D = "comprehensive-3d"


class SEGClass(StrEnum):
    """How a segmentation holds its structures: a frame for each, or each pixel once with its label number."""

    BINARY = "binary"
    LABELMAP = "labelmap"


@dataclass(frozen=True)
class Classes:
    """The classes of an export; unless told otherwise those that most receivers take.

    Attributes:
        sr: Of the structured report.
        seg: Of the segmentations, and so of what the structured report refers to.
    """

    sr: SRClass = SRClass.COMPREHENSIVE
    seg: SEGClass = SEGClass.BINARY


USUAL = Classes()
