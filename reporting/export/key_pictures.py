"""The key pictures of a report: slices on which its positive findings lie, with box, level, side and scale bar.

Where nothing is positive, slices of what was graded are shown, so that a reader sees what the statement rests on.
A finding lies on one slice (``Grade.evidence``); the slices with the gravest findings come first.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from anatomy import CONDITIONS, SIJ
from grading.types import Grade, GradeStatus
from imaging.types import Plane, Series
from imaging.types import Sequence as Weighting
from reporting.export.content import RESEARCH_USE, Outgoing, grade_words
from reporting.export.package import Package
from reporting.grammar import join_items, level_words, positive_items
from reporting.places import level_place
from reporting.slice_picture import (
    GREY,
    Colour,
    SliceView,
    colours,
    directions,
    draw_directions,
    draw_scale,
    enlarged_slice,
    font,
    view_of,
    wrapped,
    write,
)
from reporting.statements import severity_weight, state
from reporting.verifier import positive_grades

MOST = 6
FEWEST = 2
_LONG_SIDE_PX = 800
_MOST_ITEMS = 3  # of a level in a caption; the report and its tables have all
_FONT_PX = 24
_ROW_PX = 34
_EDGE_PX = 8
_BOX_PX = 3
_MIDDLE_MM = 2.0
_RED: Colour = (255, 110, 110)
_NAME_GAP_PX = 8


@dataclass(frozen=True, eq=False)
class KeyPicture:
    """A slice with the findings that lie on it.

    Attributes:
        series_id: Series.
        slice_index: Slice k.
        grades: The findings, cranial to caudal.
        is_positive: Whether they are positive findings; False for slices of a study without any.
        where: Plane, weighting, slice and, of a sagittal one, the patient's side.
        lines: What was found, a line a level.
        pixels: (rows, columns, 3) uint8 RGB: the slice, below it a band with scale bar and state of the report.
        boxes_px: Box of each finding (x0, y0, x1, y1) in pixels of ``pixels``.
        orientation: Patient directions towards which columns and rows grow, such as (``P``, ``F``); None when
            unknown.
        pixel_mm: Size of a pixel; None when unknown.
    """

    series_id: str
    slice_index: int
    grades: tuple[Grade, ...]
    is_positive: bool
    where: str
    lines: tuple[str, ...]
    pixels: NDArray[np.uint8]
    boxes_px: tuple[tuple[float, float, float, float], ...]
    orientation: tuple[str, str] | None
    pixel_mm: float | None

    @cached_property
    def png(self) -> bytes:
        """Return the picture as PNG; the same picture gives the same bytes."""
        stream = io.BytesIO()
        Image.fromarray(self.pixels).save(stream, format="PNG", compress_level=3)
        return stream.getvalue()

    @property
    def alt(self) -> str:
        """Return what the picture shows, for those who do not see it."""
        return f"{self.where}. {' '.join(f'{line}.' for line in self.lines)}"


@lru_cache(maxsize=1)
def key_pictures(package: Package) -> tuple[KeyPicture, ...]:
    """Return the key pictures of a report, the gravest first; none without a source or without any finding.

    Those of the last report are kept: several formats of one export show the same.

    Args:
        package: What is exported. Its source may be DICOM, NIfTI or a picture.
    """
    if package.source is None:
        return ()
    outgoing = package.outgoing
    found = {item.id for item in positive_grades(outgoing.findings)}
    return tuple(
        _picture(outgoing, package.source.series(_place(group[0])[0]), group, group[0].id in found)
        for group in _chosen(outgoing)
    )


def count_key_pictures(package: Package) -> int:
    """Return how many key pictures a report has, without drawing them."""
    return 0 if package.source is None else len(_chosen(package.outgoing))


def _chosen(outgoing: Outgoing) -> list[list[Grade]]:
    """Return the findings of each key picture, the gravest first."""
    slices = _by_slice(_with_place(positive_grades(outgoing.findings)))[:MOST]
    if len(slices) < FEWEST:
        taken = {_place(group[0]) for group in slices}
        others = [item for item in _with_place(outgoing.findings.reported) if _place(item) not in taken]
        slices += _by_slice(others)[: FEWEST - len(slices)]
    return slices


def not_pictured(outgoing: Outgoing, pictures: Sequence[KeyPicture]) -> int:
    """Return how many positive findings lie on slices that are not among the key pictures."""
    shown = {grade.id for picture in pictures for grade in picture.grades}
    return sum(grade.id not in shown for grade in _with_place(positive_grades(outgoing.findings)))


def caption_lines(grades: Iterable[Grade], outgoing: Outgoing, *, is_positive: bool) -> tuple[str, ...]:
    """Return what was found, a line a level, as the report says it."""
    words = _positive_words if is_positive else _graded_words
    lines = []
    for level, group in groupby(grades, key=lambda grade: grade.level):
        text = words(list(group), outgoing)
        lines.append(f"{level_words(level)}: {text}" if level else f"{text[:1].upper()}{text[1:]}")
    return tuple(lines)


def _positive_words(grades: Sequence[Grade], outgoing: Outgoing) -> str:
    ordered = sorted(grades, key=lambda grade: -severity_weight(grade))
    items = positive_items([replace(state(grade, outgoing.findings), measurements=()) for grade in ordered])
    if len(items) > _MOST_ITEMS + 1:
        items = [*items[:_MOST_ITEMS], f"{len(items) - _MOST_ITEMS} more"]
    return join_items(items)


def _graded_words(grades: Sequence[Grade], outgoing: Outgoing) -> str:
    return "; ".join(
        f"{'' if grade.side is None else f'{grade.side.value} '}{CONDITIONS[grade.condition].words}: "
        f"{grade_words(grade)}"
        for grade in grades
    )


def _with_place(grades: Iterable[Grade]) -> list[Grade]:
    return [grade for grade in grades if grade.evidence is not None and grade.status is GradeStatus.GRADED]


def _place(grade: Grade) -> tuple[str, int]:
    assert grade.evidence is not None
    return grade.evidence.series_id, grade.evidence.slice_index


def _by_slice(grades: Iterable[Grade]) -> list[list[Grade]]:
    """Return findings by slice: the gravest first, then those with most; cranial to caudal inside."""
    groups: dict[tuple[str, int], list[Grade]] = {}
    for grade in grades:
        groups.setdefault(_place(grade), []).append(grade)
    ordered = sorted(
        groups, key=lambda place: (-max(map(severity_weight, groups[place])), -len(groups[place]), *place)
    )
    return [sorted(groups[place], key=lambda grade: level_place(grade.level)) for place in ordered]


def _picture(outgoing: Outgoing, series: Series, grades: Sequence[Grade], is_positive: bool) -> KeyPicture:
    k = _place(grades[0])[1]
    view = view_of(series, k, _LONG_SIDE_PX)
    boxes = tuple(_box(view, grade) for grade in grades)
    letters = _letters(series, outgoing)
    where = _where(series, k, grades[0], outgoing)
    band = _band(view, where, outgoing)
    canvas = Image.new("RGB", (view.size[0], view.size[1] + (1 + len(band)) * _ROW_PX))
    canvas.paste(enlarged_slice(view), (0, 0))
    draw = ImageDraw.Draw(canvas)
    _draw_boxes(draw, view, boxes, grades, outgoing)
    if letters is not None:
        draw_directions(draw, view, letters, size_px=_FONT_PX)
    _draw_band(draw, view, band)
    spacing = series.volume.spacing
    return KeyPicture(
        series_id=series.id,
        slice_index=k,
        grades=tuple(grades),
        is_positive=is_positive,
        where=where,
        lines=caption_lines(grades, outgoing, is_positive=is_positive),
        pixels=np.asarray(canvas),
        boxes_px=boxes,
        orientation=None if letters is None else (letters[1], letters[3]),
        pixel_mm=None if spacing is None else spacing.col_mm / view.x_scale,
    )


def _box(view: SliceView, grade: Grade) -> tuple[float, float, float, float]:
    """Return the box of a finding in output pixels, cut where it leaves the slice."""
    assert grade.evidence is not None
    x0, y0, x1, y1 = grade.evidence.box_px
    (left, top), (right, bottom) = view.place((x0, y0)), view.place((x1, y1))
    width, height = view.size
    return max(left, 0.0), max(top, 0.0), min(right, width - 1.0), min(bottom, height - 1.0)


def _letters(series: Series, outgoing: Outgoing) -> tuple[str, str, str, str] | None:
    """Return patient directions at the edges; None when neither header nor discs tell them."""
    levels = tuple(level for level in outgoing.findings.levels if level.series_id == series.id)
    is_told = any(level.posterior_px != level.centre_px for level in levels)
    return directions(series.volume, levels) if series.volume.affine is not None or is_told else None


def _where(series: Series, k: int, grade: Grade, outgoing: Outgoing) -> str:
    plane = "" if series.plane is Plane.UNKNOWN else series.plane.value
    weighting = "" if series.sequence is Weighting.UNKNOWN else series.sequence.value.upper()
    kind = f"{plane} {weighting}".strip() or "image"
    slices = series.volume.shape[2]
    words = f"{kind[0].upper()}{kind[1:]} ({series.id})" + (f", slice {k + 1} of {slices}" if slices > 1 else "")
    side = _side(series, k, grade, outgoing)
    return words if side is None else f"{words}, {side}"


def _side(series: Series, k: int, grade: Grade, outgoing: Outgoing) -> str | None:
    """Return how far a sagittal slice is left or right of the discs' middle; None when it cannot be told."""
    affine = series.volume.affine
    middles = [level.centre_ras_mm[0] for level in outgoing.findings.levels if level.centre_ras_mm is not None]
    if series.plane is not Plane.SAGITTAL or affine is None or not middles or grade.evidence is None:
        return None
    x0, y0, x1, y1 = grade.evidence.box_px
    away_mm = float(
        (affine @ ((x0 + x1) / 2, (y0 + y1) / 2, k, 1.0))[0] - np.median(middles)
    )  # RAS+: x to the right
    if abs(away_mm) <= _MIDDLE_MM:
        return "middle"
    return f"{abs(away_mm):.0f} mm {'right' if away_mm > 0 else 'left'} of the middle"


def _draw_boxes(
    draw: ImageDraw.ImageDraw,
    view: SliceView,
    boxes: Sequence[tuple[float, float, float, float]],
    grades: Sequence[Grade],
    outgoing: Outgoing,
) -> None:
    """Draw each box once, and beside the uppermost box of a level its name, with ``?`` where it is in doubt."""
    doubtful = {level.name for level in outgoing.findings.levels if level.doubt is not None}
    for box in dict.fromkeys(boxes):
        draw.rectangle(box, outline=colours()["evidence"][0], width=_BOX_PX)
    named: set[str] = set()
    for box, grade in sorted(zip(boxes, grades, strict=True), key=lambda pair: pair[0][1]):
        name = _name(grade, doubtful)
        if name and name not in named:
            named.add(name)
            colour = colours()["level_in_doubt" if grade.level in doubtful else "level_name"][0]
            _write_beside(draw, view, box, name, colour)


def _name(grade: Grade, doubtful: set[str]) -> str:
    side = "" if grade.side is None or grade.level != SIJ else f" {grade.side.value}"
    return f"{grade.level}{'?' if grade.level in doubtful else ''}{side}" if grade.level else ""


def _write_beside(
    draw: ImageDraw.ImageDraw, view: SliceView, box: tuple[float, float, float, float], name: str, colour: Colour
) -> None:
    """Write a name to the right of a box, or to its left where the picture ends."""
    x0, y0, x1, y1 = box
    is_inside = x1 + _NAME_GAP_PX + draw.textlength(name, font=font(_FONT_PX)) < view.size[0]
    place = (x1 + _NAME_GAP_PX, (y0 + y1) / 2) if is_inside else (x0 - _NAME_GAP_PX, (y0 + y1) / 2)
    write(draw, place, name, colour, "lm" if is_inside else "rm", size_px=_FONT_PX)


def _band(view: SliceView, where: str, outgoing: Outgoing) -> list[tuple[str, Colour]]:
    """Return what stands under a slice, in rows that a narrow one holds too: where it is, state of the report."""
    state = (outgoing.status.value, GREY) if outgoing.mark is None else (f"AI {outgoing.mark}", _RED)
    lines = ((where, GREY), state, (f"SpineScribe. {RESEARCH_USE}", GREY))
    width_px = view.size[0] - 2 * _EDGE_PX
    return [(row, colour) for text, colour in lines for row in wrapped(text, width_px, size_px=_FONT_PX)]


def _draw_band(draw: ImageDraw.ImageDraw, view: SliceView, rows: Sequence[tuple[str, Colour]]) -> None:
    """Draw the band under the slice: the scale bar, then the rows."""
    middle = view.size[1] + _ROW_PX // 2
    draw_scale(draw, view, middle, size_px=_FONT_PX)
    for number, (text, colour) in enumerate(rows, start=1):
        write(draw, (_EDGE_PX, middle + number * _ROW_PX), text, colour, "lm", size_px=_FONT_PX)
