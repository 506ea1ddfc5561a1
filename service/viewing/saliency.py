"""Heat maps of a reading for the viewer: of each positive grade that a network gave, one PNG in the slice's frame.

A map shows what moved the network, not where a lesion ends. Grades that a measurement decided have none.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anatomy import load_protocol
from grading.types import Grade
from pipeline.types import Reading
from reporting.verifier import positive_grades

if TYPE_CHECKING:
    from grading import JointGrader
    from pipeline import Reader

SALIENCY = "saliency.json"
SCHEMA = "spinescribe.viewer-saliency/1"
_OPACITY = 0.85
"""Where a map is largest."""
_FLOOR = 0.08
"""Heat below it is not shown: a veil over the whole window would hide the picture. Own choice."""
_COLD, _HOT = np.array([200.0, 30.0, 20.0]), np.array([255.0, 235.0, 90.0])

Heat = tuple[str, int, NDArray[np.float32]]
"""Series, slice k, and heat (rows, columns) from 0 to 1."""

_NO_HEAT = "no heat: nothing on the pictures that the network read speaks for this grade on its own"

logger = logging.getLogger(__name__)


def saliency_file(finding_id: str) -> str:
    """Return the name of the file of a finding's heat map."""
    return f"saliency-{finding_id}.png"


def saliency_files(reader: Reader, reading: Reading) -> dict[str, bytes]:
    """Return name -> bytes: a PNG for each positive grade of a network, and ``saliency.json`` with their places.

    Args:
        reader: That made the reading; its networks are asked once more.
        reading: The reading.
    """
    positive = positive_grades(reading.findings)
    by_network = [grade for grade in positive if grade.probabilities and grade.grade is not None]
    fault = None
    try:
        heats = _heats(reader, reading, by_network)
    except Exception:  # an explanation is no reason to lose a reading; the log has the fault, the reader is told
        logger.exception("study %s: heat maps could not be made", reading.study.key)
        heats, fault = {}, "not computed: something went wrong on our side; the server's log says more"
    files: dict[str, bytes] = {}
    places: dict[str, dict[str, Any]] = {}
    for name, (series_id, k, heat) in heats.items():
        files[saliency_file(name)] = heat_png(heat)
        places[name] = {"series": series_id, "slice": k}
    asked = {grade.id for grade in by_network}
    reasons = {
        grade.id: fault or (_NO_HEAT if grade.id in asked else _reason(grade))
        for grade in reading.findings.grades
        if grade.id not in heats
    }
    index = {"schema": SCHEMA, "maps": places, "reasons": reasons}
    files[SALIENCY] = json.dumps(index, ensure_ascii=False).encode()
    return files


def heat_png(heat: NDArray[np.float32]) -> bytes:
    """Return heat (rows, columns) from 0 to 1 as a PNG: red to yellow, the more opaque the hotter."""
    shown = np.where(heat >= _FLOOR, heat, 0.0)[..., None]
    colours = (1.0 - shown) * _COLD + shown * _HOT
    pixels = np.concatenate([colours, 255.0 * _OPACITY * np.sqrt(shown)], axis=2)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(pixels).astype(np.uint8), mode="RGBA").save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def _heats(reader: Reader, reading: Reading, grades: Sequence[Grade]) -> dict[str, Heat]:
    from grading import Grader, JointGrader
    from grading.saliency.several import disc_slice_heats

    grader = reader.models(load_protocol(reading.study.protocol)).grader
    if isinstance(grader, Grader):
        found = disc_slice_heats(grader, reading.study, reading.segmented, grades)
        return {name: (item.series_id, item.slice_index, item.map) for name, item in found.items()}
    if isinstance(grader, JointGrader):
        joints = {grade.id: _joint_heat(grader, reading, grade) for grade in grades}
        return {name: heat for name, heat in joints.items() if heat is not None}
    return {}


def _joint_heat(grader: JointGrader, reading: Reading, grade: Grade) -> Heat | None:
    """Return the heat on the slice of the evidence (the first), else on the slice with most heat; None without."""
    from grading.saliency import explain_grade

    found = explain_grade(grader, reading.study, reading.segmented, reading.findings, grade.id)
    for item in found:
        if item.map.max() >= _FLOOR:
            return item.series_id, item.slice_index, item.map
    return None


def _reason(grade: Grade) -> str:
    if grade.grade is None:
        return f"not computed: the grade could not be given: {grade.reason}"
    if not grade.probabilities:
        return "not computed: a measurement decided this grade, no network looked for it"
    return "not computed: heat maps are made of positive grades, where any heat speaks for them"
