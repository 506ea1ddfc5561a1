"""Which images are not what a scanner measured: projections, maps, differences, screenshots, reformats.

The words and reasons are data (``image_types.yaml``).
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydicom import uid

from imaging.modality import SCREENSHOT

_SCREEN_CLASSES = frozenset(
    {
        uid.SecondaryCaptureImageStorage,
        uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    }
)


def why_left_out(sop_class_uid: str, image_type: tuple[str, ...]) -> str | None:
    """Return why an image is not read, or None.

    Args:
        sop_class_uid: SOP Class UID.
        image_type: Values of ImageType, or FrameType of a frame; upper case.
    """
    if sop_class_uid in _SCREEN_CLASSES:
        return SCREENSHOT
    # The first two values are ORIGINAL or DERIVED and PRIMARY or SECONDARY; single letters mean things past them.
    return next((reason for reason, words in _left_out() if words & set(image_type[2:])), None)


def why_reformatted(image_type: tuple[str, ...]) -> str | None:
    """Return the reason if an image was resampled from another series, else None."""
    reason, words = _reformatted()
    return reason if words & set(image_type[2:]) else None


def is_derived(reason: str) -> bool:
    """Return whether a reason of ``why_left_out`` says what an image is, not what its header lacks."""
    return reason in {SCREENSHOT, "phase image", "coloured image", *(name for name, _ in _left_out())}


@cache
def _table() -> dict[str, Any]:
    text = (Path(__file__).parent / "image_types.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table


@cache
def _left_out() -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((entry["reason"], frozenset(entry["words"])) for entry in _table()["left_out"])


@cache
def _reformatted() -> tuple[str, frozenset[str]]:
    entry = _table()["reformatted"]
    return entry["reason"], frozenset(entry["words"])
