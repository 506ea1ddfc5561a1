"""Saliency of one grade of a reading, as files: a picture a window, and the figures beside it.

An explanation of a grade, not a finding: nothing of it goes into the report.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from anatomy import CONDITIONS, SIJ, Condition, Side, load_protocol, parse_level
from grading.saliency.types import Saliency, SaliencyMethod
from grading.types import Findings, Grade
from imaging.types import Series, Study
from pipeline.types import Reading
from pipeline.write import dump_json
from runtime.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.run import Reader

SCHEMA = "spinescribe.saliency/1"
FIGURES = "saliency.json"
_PANEL_PX = 440
_BAND_PX = 26
_MARGIN = 0.35
"""Part of the crop's size that is shown round it."""
_HEAT = np.array([255.0, 90.0, 20.0])
_STRENGTH = 0.7
"""Opacity where a map is largest."""
_CAPTION = "SpineScribe draft, research use only: what spoke for the grade, no outline of a lesion"


@dataclass(frozen=True, eq=False)
class GradeExplanation:
    """A grade and where each window spoke for it."""

    grade: Grade
    saliency: tuple[Saliency, ...]


def explain_reading(
    reader: Reader,
    reading: Reading,
    place: str,
    *,
    method: SaliencyMethod = SaliencyMethod.HIRES_CAM,
    slices: int | None = None,
) -> GradeExplanation:
    """Explain one grade of a reading with the models that gave it.

    Args:
        reader: That made the reading.
        reading: The reading.
        place: ``CONDITION@LEVEL`` or ``CONDITION@LEVEL:SIDE``, as of ``find_grade``.
        method: How heat is made.
        slices: Most slices of the sacroiliac joints that are shown; None takes the usual number.

    Raises:
        ConfigError: If the place is none of the reading, or no network gave its grade.
        NotEligibleError: If the grade could not be given.
    """
    from grading import Grader, JointGrader
    from grading.saliency import explain_grade
    from grading.saliency.explain import SLICES, explainable_grade

    grade = explainable_grade(reading.findings, find_grade(reading.findings, place).id)
    grader = reader.models(load_protocol(reading.study.protocol)).grader
    if not isinstance(grader, Grader | JointGrader):
        raise ConfigError(f"--grade: the grader of {reading.study.protocol} has no network to explain")
    found = explain_grade(
        grader,
        reading.study,
        reading.segmented,
        reading.findings,
        grade.id,
        method=method,
        slices=SLICES if slices is None else slices,
    )
    return GradeExplanation(grade, found)


def find_grade(findings: Findings, place: str) -> Grade:
    """Return the grade at a place; a network's before one that a measurement decided.

    Args:
        findings: Of a reading.
        place: ``CONDITION@LEVEL``, such as ``disc_herniation@L4-L5``; with ``:left`` or ``:right`` behind it for
            what is graded by side. ``sacroiliitis@SIJ`` without a side is the patient's status.

    Raises:
        ConfigError: If the text is no place, or nothing was graded there.
    """
    condition, level, side = _parse_place(findings, place)
    at_level = [item for item in findings.reported if item.condition is condition and (item.level or SIJ) == level]
    words = CONDITIONS[condition].words
    if not at_level:
        levels = ", ".join(dict.fromkeys(str(item.level) for item in findings.grades if item.level is not None))
        raise ConfigError(f"--grade: {words} was not looked for at {level}; levels of this reading: {levels}")
    there = [item for item in at_level if item.side is side]
    if not there:
        sides = " or ".join(f":{item}" for item in dict.fromkeys(item.side for item in at_level) if item)
        expected = f"{sides} behind the level" if sides else "no side behind the level"
        raise ConfigError(f"--grade: {words} at {level}: expected {expected}, got {place!r}")
    return max(there, key=lambda item: bool(item.probabilities))


def _parse_place(findings: Findings, place: str) -> tuple[Condition, str, Side | None]:
    """Split ``CONDITION@LEVEL[:SIDE]``."""
    name, _, where = place.partition("@")
    text, colon, word = where.partition(":")
    level = SIJ if text.strip().upper() == SIJ else parse_level(text)
    side = word.strip().lower()
    if level is None or name not in set(Condition) or (colon and side not in set(Side)):
        raise ConfigError(
            f"--grade: expected CONDITION@LEVEL such as disc_herniation@L4-L5, with :left or :right behind it for "
            f"what is graded by side, got {place!r}; conditions: "
            f"{', '.join(sorted({item.condition.value for item in findings.grades}))}"
        )
    return Condition(name), level, Side(side) if colon else None


def write_explanation(explanation: GradeExplanation, study: Study, folder: Path) -> tuple[Path, ...]:
    """Write ``saliency_<series>.png`` a window and saliency.json into a folder that is there.

    A window off the midline has its view, side and slice in the name too.

    Returns:
        The files, saliency.json last.
    """
    pictures = []
    for item in explanation.saliency:
        pictures.append(folder / f"saliency_{_file_words(item)}.png")
        pictures[-1].write_bytes(render_saliency(item, explanation.grade, study))
    content: dict[str, object] = {
        "schema": SCHEMA,
        "study": study.key,
        "grade": explanation.grade.to_dict(),
        "saliency": [
            {**item.to_dict(), "picture": file.name}
            for item, file in zip(explanation.saliency, pictures, strict=True)
        ],
        "notice": _CAPTION,
    }
    (folder / FIGURES).write_text(dump_json(content), encoding="utf-8")
    return (*pictures, folder / FIGURES)


def render_saliency(saliency: Saliency, grade: Grade, study: Study) -> bytes:
    """Return a PNG of the crop's surroundings: the slice, the heat over it, the heat inside the region."""
    series = next(item for item in study.series if item.id == saliency.series_id)
    box = _view(saliency, series)
    grey = _grey(series, saliency.slice_index, box)
    size = _panel_size(series, box)
    panels = [("slice", np.zeros_like(saliency.map)), (f"heat: {saliency.target}", saliency.map)]
    if saliency.focused_map is not None:
        panels.append((_share_words(saliency), saliency.focused_map))
    width, height = max(size[0], _PANEL_PX), size[1] + _BAND_PX
    sheet = Image.new("RGB", (len(panels) * width, height + 2 * _BAND_PX))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    title = f"{_place_words(grade)}: {grade.grade} ({_window_words(saliency)})"
    draw.text((6, 5), title, fill=(230, 230, 230), font=font)
    for index, (name, heat) in enumerate(panels):
        x = index * width
        draw.text((x + 6, _BAND_PX + 5), name, fill=(230, 230, 230), font=font)
        sheet.paste(_panel(grey, heat, box, size), (x, 2 * _BAND_PX))
    draw.text((6, height + _BAND_PX + 5), _CAPTION, fill=(190, 190, 190), font=font)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def _place_words(grade: Grade) -> str:
    words = CONDITIONS[grade.condition].words
    if grade.level is None:
        return f"{words} of the patient"
    return f"{words} at {grade.level}" if grade.side is None else f"{words} at {grade.level}, {grade.side.value}"


def _window_words(saliency: Saliency) -> str:
    """Return what a picture shows, such as ``S2 slice 7, foramen t1, left, 31% of the heat``."""
    if saliency.side is None:
        return saliency.series_id
    share = "" if saliency.window_share is None else f", {saliency.window_share:.0%} of all heat"
    view = saliency.view.replace("_", " ")
    return f"{saliency.series_id} slice {saliency.slice_index}, {view}, {saliency.side.value}{share}"


def _file_words(saliency: Saliency) -> str:
    if saliency.side is None:
        return saliency.series_id
    return f"{saliency.series_id}_{saliency.view}_{saliency.side.value}_{saliency.slice_index:03d}"


def _share_words(saliency: Saliency) -> str:
    where = f"inside {saliency.region}"
    if saliency.energy_share is None or saliency.area_share is None:
        return f"{where}: {saliency.reason}"
    return f"{where}: {saliency.energy_share:.0%} of the heat, {saliency.area_share:.0%} of the area"


def _grey(series: Series, k: int, box: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Return the part of a slice that is shown, 0 to 1 by its own contrast: fat near a coil lies outside it."""
    part = series.volume.slice_image(k)[box[1] : box[3], box[0] : box[2]]
    low, high = np.percentile(part, [1.0, 99.0])
    return np.asarray(np.clip((part - low) / max(float(high - low), 1e-6), 0.0, 1.0), dtype=np.float32)


def _view(saliency: Saliency, series: Series) -> tuple[int, int, int, int]:
    """Return (x0, y0, x1, y1) of the part of the slice that is shown; the ends are left out."""
    columns, rows, _ = series.volume.shape
    x0, y0, x1, y1 = saliency.box_px
    dx, dy = _MARGIN * (x1 - x0), _MARGIN * (y1 - y0)
    return (
        max(0, round(x0 - dx)),
        max(0, round(y0 - dy)),
        min(columns, round(x1 + dx) + 1),
        min(rows, round(y1 + dy) + 1),
    )


def _panel_size(series: Series, box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return (width, height) of a panel that keeps the patient's proportions when the spacing is known."""
    spacing = series.volume.spacing
    across, down = float(box[2] - box[0]), float(box[3] - box[1])
    if spacing is not None:
        across, down = across * spacing.col_mm, down * spacing.row_mm
    scale = _PANEL_PX / max(across, down)
    return max(1, round(across * scale)), max(1, round(down * scale))


def _panel(
    grey: NDArray[np.float32],
    heat: NDArray[np.float32],
    box: tuple[int, int, int, int],
    size: tuple[int, int],
) -> Image.Image:
    """Return the shown part (rows, columns) with the slice's heat over it, enlarged to (width, height)."""
    opacity = (_STRENGTH * heat[box[1] : box[3], box[0] : box[2]])[..., None]
    colours = (1.0 - opacity) * 255.0 * grey[..., None] + opacity * _HEAT
    picture = Image.fromarray(np.round(colours).clip(0, 255).astype(np.uint8))
    return picture.resize(size, Image.Resampling.BILINEAR)
