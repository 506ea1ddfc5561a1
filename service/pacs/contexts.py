"""Presentation contexts: which kinds of object we fetch and send, in which transfer syntaxes.

An association has room for 128 contexts (PS3.8, 9.3.2.2). The node picks one syntax of each, so a class that may
be stored compressed has one context for each compression.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from pydicom import uid
from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.presentation import PresentationContext

from imaging.dicom.sop_classes import LABEL_MAP_SEGMENTATION

LIMIT = 128
PLAIN = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian)
"""Uncompressed syntaxes; a node must know the second (PS3.5, 10)."""
_OTHER = (
    uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless, uid.JPEGLosslessSV1,
    uid.JPEGLossless, uid.JPEGLSLossless, uid.JPEGLSNearLossless, uid.JPEG2000Lossless, uid.JPEG2000,
    uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit,
)  # fmt: skip
_IMAGES = (
    uid.MRImageStorage, uid.EnhancedMRImageStorage, uid.LegacyConvertedEnhancedMRImageStorage,
    uid.SecondaryCaptureImageStorage,
)  # fmt: skip
_RESULTS = (
    uid.EnhancedMRColorImageStorage, uid.MRSpectroscopyStorage, uid.RawDataStorage, uid.CTImageStorage,
    uid.EnhancedCTImageStorage, uid.ComputedRadiographyImageStorage, uid.DigitalXRayImageStorageForPresentation,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage, uid.SegmentationStorage, LABEL_MAP_SEGMENTATION,
    uid.SurfaceSegmentationStorage, uid.ParametricMapStorage, uid.SpatialRegistrationStorage,
    uid.SpatialFiducialsStorage, uid.BasicTextSRStorage, uid.EnhancedSRStorage, uid.ComprehensiveSRStorage,
    uid.Comprehensive3DSRStorage, uid.KeyObjectSelectionDocumentStorage, uid.EncapsulatedPDFStorage,
    uid.EncapsulatedCDAStorage, uid.GrayscaleSoftcopyPresentationStateStorage,
    uid.ColorSoftcopyPresentationStateStorage, uid.RealWorldValueMappingStorage,
)  # fmt: skip


def fetching() -> list[PresentationContext]:
    """Return the contexts in which a node may send us what we fetch over our own connection (C-GET)."""
    plain = [build_context(kind, list(PLAIN)) for kind in (*_IMAGES, *_RESULTS)]
    return plain + [build_context(kind, syntax) for kind, syntax in product(_IMAGES, _OTHER)]


def receiving() -> list[PresentationContext]:
    """Return what we take from a node that connects to us (C-MOVE)."""
    return [build_context(kind, [*PLAIN, *_OTHER]) for kind in (*_IMAGES, *_RESULTS)]


def storage_classes() -> tuple[UID, ...]:
    """Return the kinds of object that we take."""
    return (*_IMAGES, *_RESULTS)


def sending(kinds: Iterable[tuple[UID, UID]]) -> list[PresentationContext]:
    """Return contexts for objects as they are, and uncompressed for a node that does not take their compression.

    Args:
        kinds: (SOP class, transfer syntax) of the objects.
    """
    found = dict.fromkeys(kinds)
    plain = [build_context(kind, list(PLAIN)) for kind in dict.fromkeys(kind for kind, _ in found)]
    return plain + [build_context(kind, syntax) for kind, syntax in found if syntax not in PLAIN]
