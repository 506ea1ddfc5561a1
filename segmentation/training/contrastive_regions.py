"""Regions of a patient with what is known of them, and the truth of every statement about each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import DISC_LEVELS, STRUCTURES, VERTEBRAE, Structure, disc_label
from segmentation.clip.crops import NOMINAL_PITCH_MM
from segmentation.clip.statements import RegionFacts, Statement
from segmentation.training.contrastive_phantoms import PhantomPatient

_MIDDLE_MM = 6.0  # findings of the midline are seen within this of a level's middle; own choice
_SIDED = {"neural_foraminal_narrowing", "subarticular_stenosis"}  # not seen on a middle slice
_FIRST_DISC = 200
_MIN_PIXELS = 12  # smaller remnants of a structure at a slice's end are no region
_NAMES = {
    Structure.SPINAL_CANAL: ("spinal_canal",),
    Structure.SPINAL_CORD: ("spinal_canal", "spinal_cord"),
    Structure.SACRUM: ("sacrum",),
    Structure.ILIUM_LEFT: ("ilium", "ilium_left"),
    Structure.ILIUM_RIGHT: ("ilium", "ilium_right"),
    Structure.JOINT_SPACE_LEFT: ("joint_space", "joint_space_left"),
    Structure.JOINT_SPACE_RIGHT: ("joint_space", "joint_space_right"),
}


@dataclass(frozen=True)
class PatientSlices:
    """The pictures of one patient.

    Attributes:
        name: Of the patient.
        images: (D, K, H, W) uint8: D draws of K slices.
        aspect: Row spacing / column spacing.
    """

    name: str
    images: NDArray[np.uint8]
    aspect: float = 1.0


@dataclass(frozen=True)
class Region:
    """A place to cut.

    Attributes:
        patient: Index of its patient.
        slice_index: Slice of the patient.
        centre: (x, y) in pixels of the slice.
        pitch_px: Pitch there, columns.
        jitter: How far the centre may be moved without making the facts wrong, in pitches.
        facts: What is known.
    """

    patient: int
    slice_index: int
    centre: tuple[float, float]
    pitch_px: float
    jitter: float
    facts: RegionFacts


def phantom_slices(patient: PhantomPatient) -> PatientSlices:
    """Return the pictures of a phantom."""
    return PatientSlices(f"{patient.protocol}/{patient.seed}", patient.images)


def phantom_regions(index: int, patient: PhantomPatient, rng: np.random.Generator) -> Iterator[Region]:
    """Yield the regions of a phantom: its discs and their posterior margins, and a place in each structure."""
    pitches = _pitches(patient.points)
    usual = float(np.median(list(pitches.values()))) if pitches else NOMINAL_PITCH_MM / patient.pixel_mm
    grades = _grades(patient)
    for k in range(patient.labels.shape[0]):
        seen = {
            level: (x, y)
            for level, (x, y, at) in patient.points.items()
            if abs(at - k) * patient.spacing_mm <= _MIDDLE_MM and _inside(x, y, patient.labels[k])
        }
        for level, point in seen.items():
            facts = RegionFacts(None, level, margin=True, grades=grades.get((level, None), {}))
            yield Region(index, k, point, pitches.get(level, usual), 0.04, facts)
        for label in np.unique(patient.labels[k]):
            if (place := _place(patient.labels[k] == label, rng)) is not None and label:
                facts = _label_facts(int(label), seen, grades)
                pitch = pitches.get(facts.level or "", usual)
                yield Region(index, k, place, pitch, 0.0, facts)


def _label_facts(
    label: int,
    seen: Mapping[str, tuple[float, float]],
    grades: Mapping[tuple[str, str | None], Mapping[str, frozenset[str]]],
) -> RegionFacts:
    """Return what a label at the centre of a region says."""
    if label > _FIRST_DISC:
        level = next((name for name in DISC_LEVELS if disc_label(name) == label), None)
        found = grades.get((level or "", None), {}) if level in seen else {}
        return RegionFacts(frozenset({"disc"}), level, grades=found)
    if label <= len(VERTEBRAE):
        return RegionFacts(frozenset({"vertebra"}), vertebra=VERTEBRAE[len(VERTEBRAE) - label])
    structure = next(item for item, info in STRUCTURES.items() if info.label == label)
    names = _NAMES[structure]
    side = next((part for part in ("left", "right") if structure.value.endswith(part)), None)
    found = grades.get(("SIJ", side), {}) if structure.value.startswith("joint_space") else {}
    return RegionFacts(frozenset(names), side=side, grades=found)


def _grades(patient: PhantomPatient) -> dict[tuple[str, str | None], dict[str, frozenset[str]]]:
    """Return (level, side) -> condition -> grades; findings of the midline carry no side, even if off it."""
    result: dict[tuple[str, str | None], dict[str, frozenset[str]]] = {}
    for condition, level, side, grade in patient.grades:
        if condition in _SIDED:
            continue
        key = (level, side if level == "SIJ" else None)
        held = result.setdefault(key, {})
        held[condition] = held.get(condition, frozenset()) | {grade}
    return result


def _pitches(points: Mapping[str, tuple[float, float, float]]) -> dict[str, float]:
    """Return the pitch at each level: mean distance of its neighbours in the chain, pixels."""
    names = list(points)
    places = np.array([points[name][:2] for name in names])
    if len(names) < 2:
        return {}
    gaps = np.hypot(*np.diff(places, axis=0).T)
    return {name: float(np.mean(gaps[max(0, number - 1) : number + 1])) for number, name in enumerate(names)}


def _place(mask: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float] | None:
    """Return (x, y) of a pixel of a structure by chance."""
    rows, columns = np.nonzero(mask)
    if len(rows) < _MIN_PIXELS:
        return None
    pick = int(rng.integers(len(rows)))
    return float(columns[pick]), float(rows[pick])


def _inside(x: float, y: float, labels: NDArray[np.uint8]) -> bool:
    rows, columns = labels.shape
    return bool(0 <= x <= columns - 1 and 0 <= y <= rows - 1)


def truth_table(regions: list[Region], said: tuple[Statement, ...]) -> NDArray[np.int8]:
    """Return (regions, statements) int8: 1 true, 0 false, -1 unknown."""
    table = np.full((len(regions), len(said)), -1, dtype=np.int8)
    rows: dict[tuple[object, ...], NDArray[np.int8]] = {}
    for number, region in enumerate(regions):
        key = _facts_key(region.facts)
        if key not in rows:
            answers = [statement.holds(region.facts) for statement in said]
            rows[key] = np.array([-1 if answer is None else int(answer) for answer in answers], dtype=np.int8)
        table[number] = rows[key]
    return table


def _facts_key(facts: RegionFacts) -> tuple[object, ...]:
    grades = tuple(sorted((name, tuple(sorted(held))) for name, held in facts.grades.items()))
    return facts.structures, facts.level, facts.margin, facts.vertebra, facts.side, grades
