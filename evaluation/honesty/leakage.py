"""Do training and test share a patient? By identifier, and by images that are nearly the same.

Messages name the ids and patients of the user's own table, nothing else of a patient.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.honesty.images import PICTURES, VOLUMES, difference_hash, near_pairs, read_slice
from runtime.errors import StudyError

_COLUMNS = ("id", "patient", "split")
_SHOWN = 5
"""Examples that a message names."""


@dataclass(frozen=True)
class SplitRow:
    """A case: its id, whose it is, and in which part of the data it lies (``train``, ``test`` ...)."""

    id: str
    patient: str
    split: str


@dataclass(frozen=True)
class DuplicatePair:
    """Two cases with nearly the same image; ``distance`` is the share of the hash that differs."""

    first: SplitRow
    second: SplitRow
    distance: float

    def __str__(self) -> str:
        return f"{self.first.id!r} ({self.first.split}) and {self.second.id!r} ({self.second.split})"


@dataclass(frozen=True)
class Leakage:
    """What two parts of the data share.

    Attributes:
        patients: Patients in more than one part.
        duplicates: Near-duplicate images of two parts, or of two patients.
        images: Images compared.
        failures: Why figures on the test part must not be believed.
        notices: What was not checked, and what should be looked at.
    """

    patients: tuple[str, ...]
    duplicates: tuple[DuplicatePair, ...]
    images: int
    failures: tuple[str, ...]
    notices: tuple[str, ...]


def read_splits(file: Path) -> tuple[SplitRow, ...]:
    """Read a table of splits: CSV with columns ``id,patient,split``, one row a case.

    Raises:
        StudyError: If the file is missing, a column or a value is missing, or there is no row.
    """
    if not file.is_file():
        raise StudyError(f"{file.name}: expected a CSV file with columns {','.join(_COLUMNS)}, found none")
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        if not set(_COLUMNS) <= set(reader.fieldnames or ()):
            raise StudyError(f"{file.name}: expected columns {','.join(_COLUMNS)}, got {reader.fieldnames!r}")
        rows = []
        for number, row in enumerate(reader, start=2):
            values = [(row[name] or "").strip() for name in _COLUMNS]
            if not all(values):
                raise StudyError(
                    f"{file.name}: line {number}: expected an id, a patient and a split, got {values}"
                )
            rows.append(SplitRow(*values))
    if not rows:
        raise StudyError(f"{file.name}: expected at least one row, found none")
    return tuple(rows)


def find_images(folder: Path, ids: Iterable[str]) -> dict[str, Path]:
    """Return the images of a folder by id: pictures and NIfTI volumes named by it, or a column of file names.

    Raises:
        StudyError: If there is no such folder, or one id has two images.
    """
    if not folder.is_dir():
        raise StudyError(f"{folder.name}: expected a folder of images, found none")
    wanted = set(ids)
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if not file.name.lower().endswith((*PICTURES, *VOLUMES)):
            continue
        names = {file.name, file.name.removesuffix(".gz").rsplit(".", 1)[0]} & wanted
        for name in names:
            if name in found:
                raise StudyError(f"{folder.name}: expected one image for id {name!r}, got two")
            found[name] = file
    return found


def check_splits(rows: Sequence[SplitRow], *, images: Mapping[str, Path] | None = None) -> Leakage:
    """Look for patients, and for images, that two parts of the data share.

    Args:
        rows: The table of splits.
        images: Id -> image; None compares identifiers only.

    Raises:
        StudyError: If an image cannot be read.
    """
    shared = _shared_patients(rows)
    failures = [] if not shared else [_shared_words(shared)]
    notices: list[str] = []
    pairs, compared = _duplicates(rows, images or {})
    apart = [pair for pair in pairs if pair.first.split != pair.second.split]
    twins = [pair for pair in pairs if pair.first.split == pair.second.split]
    if apart:
        failures.append(_pair_words("near-duplicate images in two parts", apart))
    if twins:
        notices.append(_pair_words("near-duplicate images of two patients in one part", twins))
    if images is None:
        notices.append("near-duplicate images were not looked for: no images were given")
    elif compared < len({row.id for row in rows}):
        notices.append(f"no image for {len({row.id for row in rows}) - compared} ids")
    return Leakage(tuple(shared), tuple(pairs), compared, tuple(failures), tuple(notices))


def _shared_patients(rows: Sequence[SplitRow]) -> dict[str, dict[str, str]]:
    """Return patient -> split -> one id, of patients (and of ids) in more than one split."""
    parts: dict[str, dict[str, str]] = {}
    for row in rows:
        parts.setdefault(row.patient, {}).setdefault(row.split, row.id)
    owners: dict[str, SplitRow] = {}
    for row in rows:
        first = owners.setdefault(row.id, row)
        if first.split != row.split and first.patient != row.patient:
            parts[row.patient][first.split] = row.id
    return {patient: places for patient, places in sorted(parts.items()) if len(places) > 1}


def _shared_words(shared: Mapping[str, Mapping[str, str]]) -> str:
    shown = "; ".join(
        f"patient {patient!r}: {', '.join(f'{key!r} in {split}' for split, key in sorted(places.items()))}"
        for patient, places in list(shared.items())[:_SHOWN]
    )
    return f"leakage: {len(shared)} patients stand in more than one part ({shown}{_more(len(shared))})"


def _pair_words(what: str, pairs: Sequence[DuplicatePair]) -> str:
    shown = "; ".join(f"{pair} differ in {100 * pair.distance:.0f} % of the hash" for pair in pairs[:_SHOWN])
    return f"leakage: {len(pairs)} pairs of {what} ({shown}{_more(len(pairs))})"


def _more(count: int) -> str:
    return f"; and {count - _SHOWN} more" if count > _SHOWN else ""


def _duplicates(rows: Sequence[SplitRow], images: Mapping[str, Path]) -> tuple[list[DuplicatePair], int]:
    """Return near-duplicates of two splits or two patients, and how many images were compared."""
    known = [row for row in {row.id: row for row in rows}.values() if row.id in images]
    hashes = []
    for row in known:
        try:
            hashes.append(difference_hash(read_slice(images[row.id])))
        except StudyError as error:
            raise StudyError(f"id {row.id!r}: {error}") from error
    pairs = [DuplicatePair(known[first], known[second], apart) for first, second, apart in near_pairs(hashes)]
    return [pair for pair in pairs if _is_odd(pair.first, pair.second)], len(known)


def _is_odd(first: SplitRow, second: SplitRow) -> bool:
    return first.split != second.split or first.patient != second.patient
