"""Instances that come more than once: copies are dropped, contradictions are named.

Two files with one SOP Instance UID should be copies. If their pixels and places agree, one is dropped. If they
lie at the same place of the same series and differ, the first in the order of the files is kept and the other
is named. If they lie elsewhere, the identifier was used twice: both are kept, as each is an image of its own.
"""

from collections.abc import Hashable

import numpy as np

from imaging.dicom.pixels import stored_pixels
from imaging.dicom.slices import SliceHeader


def without_doubles(slices: list[SliceHeader]) -> tuple[list[SliceHeader], list[str]]:
    """Return the slices of one study without doubles, and notices.

    Raises:
        StudyError: If pixels that must be compared cannot be decoded.
    """
    by_identifier: set[tuple[str, int]] = set()
    by_place: dict[Hashable, list[SliceHeader]] = {}
    result: list[SliceHeader] = []
    copies, reused, contradicted = 0, 0, dict[str, str]()
    for item in slices:
        identifier = (item.instance.instance_uid, item.frame)
        twins = by_place.setdefault((identifier, _place(item)), [])
        rivals = [other for other in twins if other.instance.series_uid == item.instance.series_uid]
        if any(_same_pixels(item, other) for other in twins):
            copies += 1
        elif rivals:
            contradicted[item.instance.member.name] = rivals[0].instance.member.name
        else:
            reused += identifier in by_identifier
            by_identifier.add(identifier)
            twins.append(item)
            result.append(item)
    notices = [f"{copies} slices that came twice were dropped."] if copies else []
    notices += [
        f"{name} has the identifier and place of {first} but other pixels: {first} was kept."
        for name, first in contradicted.items()
    ]
    if reused:
        notices.append(f"{reused} slices have the identifier of another slice elsewhere; all were kept.")
    return result, notices


def _place(item: SliceHeader) -> Hashable:
    """Return size, position and orientation to about a thousandth; copies agree in them to the last digit."""
    axes = (*item.row_lps.round(3), *item.column_lps.round(3))
    return item.instance.rows, item.instance.columns, *item.position_lps.round(3), *axes


def _same_pixels(first: SliceHeader, second: SliceHeader) -> bool:
    return (first.slope, first.intercept) == (second.slope, second.intercept) and np.array_equal(
        stored_pixels(first), stored_pixels(second)
    )
