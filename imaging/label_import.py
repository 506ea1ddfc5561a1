"""Another tool's label map in our numbers: which convention it follows, what becomes of each number.

Nothing is lost in silence: every number of the file ends in one row of the table, mapped, left out with a reason,
or unknown. A convention that the file's own anatomy contradicts (L5 above L4, a disc far from its vertebrae) is
refused; ``auto`` chooses a convention only when exactly one fits.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomy.conventions import Convention, LabelKind, LabelRule, Match, conventions, matching_conventions
from anatomy.structures import label_codes
from imaging.label_file import LabelVolume
from imaging.label_order import anatomy_conflicts, spread_of_points
from imaging.types import AffineMatrix
from runtime.errors import ConfigError, StudyError

AUTO = "auto"


class Outcome(StrEnum):
    """What became of one number."""

    MAPPED = "mapped"
    PARTIAL = "mapped, cut off by the image border"
    POINT = "mark"
    LEFT_OUT = "left out"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class LabelRow:
    """One number of the file.

    Attributes:
        their_label: Number in the file.
        their_name: Their name; empty when the convention has no such number.
        our_label: Ours; None when it is left out or unknown.
        our_name: Our name; empty with no label.
        outcome: What became of it.
        voxels: How many the file has.
        volume_mm3: Their volume.
        note: Why, or what to know.
    """

    their_label: int
    their_name: str
    our_label: int | None
    our_name: str
    outcome: Outcome
    voxels: int
    volume_mm3: float
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Return a row of labels.json."""
        return {
            "their_label": self.their_label,
            "their_name": self.their_name,
            "our_label": self.our_label,
            "our_name": self.our_name,
            "outcome": self.outcome.value,
            "voxels": self.voxels,
            "volume_mm3": round(self.volume_mm3, 3),
            "note": self.note,
        }


@dataclass(frozen=True, eq=False)
class ImportedLabels:
    """A label map in our numbers, on its own grid.

    Attributes:
        convention: What the file follows.
        array: (I, J, K) uint8, numbers of ``codes.csv``; marks are no outlines and not in it.
        affine: (4, 4) voxel (i, j, k) -> RAS+ mm.
        rows: What became of each number, by number.
        points_ras: Our disc label -> (x, y, z) RAS+ mm of a mark at its posterior tip.
        partial: Our labels of structures that the image border cuts off.
        is_doubtful: Numbers may count from the top of the picture instead of naming vertebrae.
        sha256: Of the file.
    """

    convention: Convention
    array: NDArray[np.uint8]
    affine: AffineMatrix
    rows: tuple[LabelRow, ...]
    points_ras: dict[int, tuple[float, float, float]]
    partial: frozenset[int]
    is_doubtful: bool
    sha256: str

    def notices(self) -> tuple[str, ...]:
        """Return what a reader should know, one sentence each."""
        found = [f"Labels were imported ({self.convention.title})."]
        unknown = [str(row.their_label) for row in self.rows if row.outcome is Outcome.UNKNOWN]
        if unknown:
            found.append(
                f"Label numbers that {self.convention.name} does not define were left out: {_few(unknown)}."
            )
        left = [f"{row.their_name} ({row.their_label})" for row in self.rows if row.outcome is Outcome.LEFT_OUT]
        if left:
            found.append(f"Labels without a counterpart were left out: {_few(left)}.")
        if self.is_doubtful:
            found.append(
                "The imported numbers may count vertebrae from the top of the picture instead of naming them; "
                "level names are in doubt."
            )
        return tuple(found)


def import_labels(volume: LabelVolume, asked: str = AUTO) -> ImportedLabels:
    """Bring a label map into our numbers.

    Args:
        volume: As read.
        asked: ``auto``, a tool (``spineps``) or one kind of file of a tool (``spineps:vert``).

    Raises:
        ConfigError: If there is no such convention, or it has several kinds and the file does not tell which.
        StudyError: If ``auto`` finds none or several that fit, nothing can be mapped, or the file's own anatomy
            contradicts the convention.
    """
    convention = choose_convention(volume, asked)
    counts = volume.counts
    conflicts = _conflicts(volume, convention)
    if conflicts:
        raise StudyError(
            f"{volume.name}: expected labels as {convention.name} numbers them, found {conflicts[0]}; name "
            "another convention, or set the orientation right in the tool that wrote the file"
        )
    if _counts_from_top(convention, counts):
        raise StudyError(
            f"{volume.name}: expected vertebrae named by SPINEPS, found them counted from the top of the picture; "
            "run SPINEPS with a labelling model (-model_labeling)"
        )
    rows = tuple(_row(label, count, volume, convention, counts) for label, count in counts.items())
    if not any(row.our_label is not None for row in rows):
        raise StudyError(
            f"{volume.name}: expected labels that have a counterpart here, found none in {convention.name}: "
            f"{_few([f'{row.their_label} {row.their_name}' for row in rows])}"
        )
    return ImportedLabels(
        convention=convention,
        array=_lookup(rows, volume),
        affine=volume.affine,
        rows=rows,
        points_ras=_points(rows, volume),
        partial=frozenset(row.our_label for row in rows if row.outcome is Outcome.PARTIAL and row.our_label),
        is_doubtful=_may_count_from_top(convention, counts),
        sha256=volume.sha256,
    )


def choose_convention(volume: LabelVolume, asked: str = AUTO) -> Convention:
    """Return the convention that a file follows, its own where it brings one; see ``import_labels``."""
    if asked == AUTO and volume.convention is not None:
        return volume.convention
    if asked == AUTO:
        offered = tuple(conventions().values())
    else:
        offered = matching_conventions(asked)
        if not offered:
            raise ConfigError(
                f"label convention: expected auto or one of {', '.join(conventions())}, got {asked!r}"
            )
        if len(offered) == 1:
            return offered[0]
    present = volume.counts
    fitting = [item for item in offered if _fits(item, volume, present)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(item.name for item in (fitting or offered))
    found = f"several that fit ({names})" if fitting else f"none that fits the labels {_few(map(str, present))}"
    message = (
        f"{volume.name}: expected one label convention, found {found}; "
        "name it (--convention C, or --label-convention C of read)"
    )
    raise StudyError(message) if asked == AUTO else ConfigError(message)


def to_their_labels(array: NDArray[np.uint8], convention: Convention) -> tuple[NDArray[np.int32], tuple[int, ...]]:
    """Write our numbers as another tool would.

    Args:
        array: Our label numbers.
        convention: Theirs.

    Returns:
        Their numbers, and those of ours that they have none for (0 in the result).
    """
    theirs = convention.their_labels()
    table = np.zeros(256, dtype=np.int32)
    for ours, number in theirs.items():
        table[ours] = number
    present = {int(label) for label in np.unique(array)} - {0}
    return table[array], tuple(sorted(present - set(theirs)))


def _fits(convention: Convention, volume: LabelVolume, present: dict[int, int]) -> bool:
    """Return whether a file can follow a convention: numbers, kind and anatomy."""
    if not set(present) <= set(convention.rules) or convention.needs.isdisjoint(present):
        return False
    if (spread_of_points(volume.array) is not None) != (convention.kind is LabelKind.POINTS):
        return False
    return not _conflicts(volume, convention) and not _counts_from_top(convention, present)


def _conflicts(volume: LabelVolume, convention: Convention) -> tuple[str, ...]:
    """Return what speaks against a convention: whole structures and marks out of order (cut ones may stray)."""
    rules = [convention.rules[label] for label in volume.counts if label in convention.rules]
    centres = {
        rule.our_label: volume.centres[rule.their_label]
        for rule in rules
        if rule.our_label is not None
        and rule.match in (Match.SAME, Match.POINT)
        and not rule.is_void(volume.counts)
    }
    conflicts = anatomy_conflicts(centres)
    if not convention.grows_down:
        return conflicts
    heights = [(rule.their_name, float(volume.centres[rule.their_label][2])) for rule in rules]
    turned = [f"{b[0]} above {a[0]}" for a, b in pairwise(heights) if b[1] > a[1]]
    return (*conflicts, *turned)


def _counts_from_top(convention: Convention, present: dict[int, int]) -> bool:
    """Return whether a SPINEPS file certainly counts vertebrae instead of naming them.

    C1 has no disc below it, so a file with one (101) starts its count elsewhere; and the vertebra above the sacrum
    (26) is L5, or L4 or L6 in a transitional spine. Source: SPINEPS phase_post.py, label_instance_top_to_bottom.
    """
    if convention.is_named:
        return False
    lowest = max((label for label in present if label <= 25), default=None)
    return 101 in present or (26 in present and lowest is not None and lowest < 23)


def _may_count_from_top(convention: Convention, present: dict[int, int]) -> bool:
    """Return whether a SPINEPS file may count: a count starts at 1 (or 2, with its labelling offset).

    A file that ends at the sacrum with L4, L5 or L6 was named, as ``_counts_from_top`` refuses the others.
    """
    return not convention.is_named and 26 not in present and min(present) <= 2


def _row(label: int, count: int, volume: LabelVolume, convention: Convention, present: dict[int, int]) -> LabelRow:
    rule = convention.rules.get(label)
    mm3 = count * volume.voxel_mm3
    if rule is None:
        return LabelRow(
            label, "", None, "", Outcome.UNKNOWN, count, mm3, f"{convention.name} defines no such number"
        )
    if rule.our_label is None or rule.is_void(present):
        return LabelRow(label, rule.their_name, None, "", Outcome.LEFT_OUT, count, mm3, rule.note)
    name = label_codes()[rule.our_label].name
    return LabelRow(label, rule.their_name, rule.our_label, name, _outcome(rule), count, mm3, rule.note)


def _outcome(rule: LabelRule) -> Outcome:
    if rule.match is Match.POINT:
        return Outcome.POINT
    return Outcome.PARTIAL if rule.match is Match.PARTIAL else Outcome.MAPPED


def _lookup(rows: tuple[LabelRow, ...], volume: LabelVolume) -> NDArray[np.uint8]:
    table = np.zeros(int(volume.array.max()) + 1, dtype=np.uint8)
    for row in rows:
        if row.our_label is not None and row.outcome is not Outcome.POINT:
            table[row.their_label] = row.our_label
    return table[volume.array]


def _points(rows: tuple[LabelRow, ...], volume: LabelVolume) -> dict[int, tuple[float, float, float]]:
    marks = {row.our_label: volume.centres[row.their_label] for row in rows if row.outcome is Outcome.POINT}
    return {label: (float(x), float(y), float(z)) for label, (x, y, z) in marks.items() if label is not None}


def _few(words: Any) -> str:
    """Return some words and how many more there are."""
    listed = list(words)
    most = 8
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
