"""Ages as they may stay: those above 89 are one class, as they identify.

Source: US HIPAA safe harbour, 45 CFR 164.514(b)(2)(i)(C).
"""

import re

from pydicom.dataset import Dataset

from imaging.dicom.values import text

MAX_AGE = 90
"""Stands for every age above 89."""

_AGE = re.compile(r"(\d{3})([DWMY])", re.IGNORECASE)
_DATE = re.compile(r"\d{8}")
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}


def capped_age(stated: str) -> str | None:
    """Return an age string (VR AS) with ages above 89 years as ``090Y``, or None if it is none."""
    match = _AGE.fullmatch(stated.strip())
    if match is None:
        return None
    number, unit = int(match[1]), match[2].upper()
    return f"{MAX_AGE:03d}Y" if number / _PER_YEAR[unit] >= MAX_AGE else f"{number:03d}{unit}"


def age_from_dates(dataset: Dataset) -> str | None:
    """Return the age at the study from the birth date, capped, or None when the dates do not tell it.

    The birth date itself cannot stay, so that without this the age would be lost.
    """
    born = text(dataset, "PatientBirthDate")
    taken = text(dataset, "StudyDate") or text(dataset, "AcquisitionDate")
    if not _DATE.fullmatch(born) or not _DATE.fullmatch(taken) or taken < born:
        return None
    years = int(taken[:4]) - int(born[:4]) - (taken[4:] < born[4:])
    return f"{min(years, MAX_AGE):03d}Y"
