"""Dates and times moved by one interval: Retain Longitudinal Temporal Information With Modified Dates Option.

A date and its time of day (``StudyDate`` and ``StudyTime``) move together, so that an interval across midnight
stays. A date without a time takes that of the study. What is no date or time gives None and is then removed.

Source: DICOM PS3.5 6.2 for the forms of DA, TM and DT; PS3.15 E.3.6 for the option.
"""

import re
from datetime import date, datetime, timedelta

_DATE = re.compile(r"(\d{4})[.]?(\d{2})[.]?(\d{2})")  # with the points of ACR-NEMA
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(\.\d{1,6})?)?)?")  # with the colons of ACR-NEMA
_DATETIME = re.compile(r"(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\.\d{1,6})?([+-]\d{4})?")
_MIDDLE = [7, 15, 12, 30, 30]
"""Month, day, hour, minute and second of a moment that is told less precisely: the middle of the span."""


def shift_date(value: str, time: str | None, shift: timedelta) -> str | None:
    """Return a DA value moved together with its time of day (TM; midnight if none), or None if it is no date."""
    day, parsed = _date(value), _time(time or "")
    if day is None:
        return None
    seconds, _, _ = parsed or (0, 6, "")
    moved = _moved(datetime(day.year, day.month, day.day) + timedelta(seconds=seconds), shift)
    return None if moved is None else moved.strftime("%Y%m%d")


def shift_time(value: str, shift: timedelta) -> str | None:
    """Return a TM value moved round the clock, as precise as it was, or None if it is no time."""
    parsed = _time(value)
    if parsed is None:
        return None
    seconds, digits, fraction = parsed
    moved = datetime(2000, 1, 1) + timedelta(seconds=seconds) + shift
    return moved.strftime("%H%M%S")[:digits] + fraction


def shift_datetime(value: str, shift: timedelta) -> str | None:
    """Return a DT value moved, as precise as it was and without its time zone, or None if it is none."""
    match = _DATETIME.fullmatch(value.strip())
    if match is None:
        return None
    given = [part for part in match.groups()[:6] if part is not None]
    numbers = [int(part) for part in given] + _MIDDLE[len(given) - 1 :]
    numbers[5] = min(numbers[5], 59)  # a leap second
    try:
        moved = _moved(datetime(*numbers), shift)  # type: ignore[arg-type]
    except ValueError:
        return None
    if moved is None:
        return None
    return moved.strftime("%Y%m%d%H%M%S")[: 4 + 2 * (len(given) - 1)] + (match[7] or "")


def _moved(moment: datetime, shift: timedelta) -> datetime | None:
    try:
        return moment + shift
    except OverflowError:
        return None


def _date(value: str) -> date | None:
    match = _DATE.fullmatch(value.strip())
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def _time(value: str) -> tuple[int, int, str] | None:
    """Return seconds since midnight, number of digits given (2, 4 or 6) and the fraction as written."""
    match = _TIME.fullmatch(value.strip())
    if match is None:
        return None
    hours, minutes = int(match[1]), int(match[2] or 0)
    seconds = min(int(match[3] or 0), 59)  # a leap second
    if hours > 23 or minutes > 59 or int(match[3] or 0) > 60:
        return None
    digits = 2 * sum(part is not None for part in match.groups()[:3])
    return hours * 3600 + minutes * 60 + seconds, digits, match[4] or ""
