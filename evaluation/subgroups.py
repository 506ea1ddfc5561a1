"""Groups of cases from a CSV: scanner, field strength, sex, age band, or any other column beside ``id``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.tables import read_csv
from runtime.errors import StudyError

UNKNOWN = "unknown"
FEW_PATIENTS = 5
"""A group of fewer patients is marked: its interval says little. Source: ours."""
_BANDS = ((40, "under 40"), (60, "40 to 59"), (80, "60 to 79"))
_OLDEST = "80 and over"


@dataclass(frozen=True)
class Subgroups:
    """Which group each case is in.

    Attributes:
        names: Columns, such as ``scanner``; a column ``age`` became ``age_band``.
        values: Case id -> column -> group; a case or cell that is not there is in the group ``unknown``.
    """

    names: tuple[str, ...]
    values: Mapping[str, Mapping[str, str]]

    def groups(self, name: str, ids: Sequence[str]) -> dict[str, list[int]]:
        """Return group -> places in ``ids``, groups in order of their names."""
        found: dict[str, list[int]] = {}
        for index, case in enumerate(ids):
            found.setdefault(self.values.get(case, {}).get(name, UNKNOWN), []).append(index)
        return dict(sorted(found.items()))

    def unlisted(self, ids: Sequence[str]) -> list[str]:
        """Return the cases that the CSV does not list."""
        return [case for case in ids if case not in self.values]


def read_subgroups(file: Path) -> Subgroups:
    """Read the CSV: ``id`` and one column or more beside it.

    Raises:
        StudyError: If it cannot be read, has no other column, repeats an id or holds an age that is no number.
    """
    rows = read_csv(file, ("id",))
    columns = [name for name in rows[0] if name != "id"]
    if not columns:
        raise StudyError(f"{file.name}: expected a column beside id, such as scanner or sex, found none")
    values: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["id"] in values:
            raise StudyError(f"{file.name}: expected each id once, found {row['id']!r} twice")
        values[row["id"]] = dict(_cell(file, name, row[name]) for name in columns)
    return Subgroups(tuple("age_band" if name == "age" else name for name in columns), values)


def read_patients(file: Path) -> dict[str, str]:
    """Read ``id,patient``: whose each case is.

    Raises:
        StudyError: If it cannot be read, lacks a column, repeats an id or leaves a patient empty.
    """
    patients: dict[str, str] = {}
    for row in read_csv(file, ("id", "patient")):
        if row["id"] in patients:
            raise StudyError(f"{file.name}: expected each id once, found {row['id']!r} twice")
        if not row["patient"]:
            raise StudyError(f"{file.name}: id {row['id']!r}: expected a patient, found none")
        patients[row["id"]] = row["patient"]
    return patients


def _cell(file: Path, name: str, text: str) -> tuple[str, str]:
    if name != "age":
        return name, text or UNKNOWN
    return "age_band", _band(file, text) if text else UNKNOWN


def _band(file: Path, text: str) -> str:
    try:
        age = float(text)
    except ValueError:
        raise StudyError(f"{file.name}: column age: expected years as a number, got {text!r}") from None
    if not 0 <= age <= 130:
        raise StudyError(f"{file.name}: column age: expected 0 to 130 years, got {text!r}")
    return next((band for limit, band in _BANDS if age < limit), _OLDEST)
