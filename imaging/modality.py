"""Refuses what is no MR, and MR of which no picture is as the scanner measured it.

Works on words that ``imaging.dicom`` took from the headers; names of modalities are data (``modalities.yaml``).
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NoReturn

import yaml

from runtime.errors import NotEligibleError, StudyError

SCREENSHOT = "screenshot"


def check_modality(modalities: Mapping[str, int], name: str) -> None:
    """Refuse files of which no image is MR.

    Args:
        modalities: Code of Modality -> number of images; ``none`` where it is not told.
        name: File name for the message.

    Raises:
        StudyError: If there is no image.
        NotEligibleError: If there are images and none is MR (code ``wrong_modality``).
    """
    if not modalities:
        raise StudyError(f"{name}: expected MR images, found DICOM objects without any image")
    if "MR" in modalities:
        return
    found = ", ".join(_spoken(code) for code in sorted(modalities))
    raise NotEligibleError(
        f"{name}: expected MR images, found modality {found}; only MR of the spine is read. Give the MR study.",
        code="wrong_modality",
    )


def refuse_without_series(left_out: Mapping[str, int], name: str, notices: list[str]) -> NoReturn:
    """Raise, as no series is left: the study is not eligible if its images are sound but none is a measurement.

    Args:
        left_out: Reason -> number of MR images left out because of what they are; empty when they were left out
            for what their headers lack.
        name: File name for the message.
        notices: What was left out and why.

    Raises:
        NotEligibleError: Code ``secondary_capture`` if all are screenshots, ``no_usable_series`` if all are
            screenshots, maps, projections and the like.
        StudyError: If headers lack what is needed.
    """
    told = " ".join(notices)
    if left_out and set(left_out) == {SCREENSHOT}:
        raise NotEligibleError(
            f"{name}: expected a series of MR slices, found {sum(left_out.values())} screenshots of one; give the "
            "original series.",
            code="secondary_capture",
        )
    if left_out:
        raise NotEligibleError(
            f"{name}: expected a series of MR slices as they were measured, found none. {told} Give the original "
            "series.",
            code="no_usable_series",
        )
    raise StudyError(f"{name}: expected a series of MR slices, found none. {told}")


def _spoken(code: str) -> str:
    """Return a code with its meaning; one that is no code (headers hold anything) is not repeated."""
    if code in _names():
        return f"{code} ({_names()[code]})"
    return code if re.fullmatch(r"none|[A-Z]{2,8}", code) else "an unknown code"


@cache
def _names() -> dict[str, str]:
    text = (Path(__file__).parent / "modalities.yaml").read_text(encoding="utf-8")
    table: dict[str, str] = yaml.safe_load(text)
    return table
