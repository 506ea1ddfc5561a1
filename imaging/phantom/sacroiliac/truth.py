"""The truth of a sacroiliac phantom: lesions counted on the painted geometry, joint by joint and slice by slice.

The skeleton is painted on a fine grid at the slices of the coronal-oblique series; tissue numbers and the distance
from the joint are all that is looked at. What was drawn is not.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anatomy import Condition, Side
from imaging.phantom.canvas import Canvas
from imaging.phantom.grid import Grid
from imaging.phantom.sacroiliac.bones import ILIUM, JOINT, SACRUM
from imaging.phantom.sacroiliac.grids import series_grid
from imaging.phantom.sacroiliac.pelvis import Mask, Pelvis, sign
from imaging.phantom.sacroiliac.rules import JointFacts, is_asas_positive, sparcc_scores, stage_of
from imaging.phantom.sacroiliac.skeleton import paint_skeleton
from imaging.phantom.scene import Truth
from imaging.phantom.setup import SeriesRow
from imaging.phantom.shapes import Values
from imaging.phantom.tissues import Palette
from imaging.phantom.types import TruthBox, TruthGrade, TruthLevel, TruthMeasurement

LEVEL = "SIJ"
LEVEL_SCORE = "sparcc_inflammation"
_FINE_MM = 0.5
_WIDE_MM, _HIGH_MM = 176.0, 100.0  # of the patch around both joints
_OEDEMA = ("oedema_mild", "oedema", "oedema_intense")
_STRUCTURAL_TISSUES = ("erosion", "sclerosis", "fat_metaplasia", "backfill", "bridge")  # as STRUCTURAL
_SAME_LESION_MM = 3.0  # parts closer than this are one lesion; own choice
_SUBCHONDRAL_MM = 25.0  # how far from the joint a lesion still belongs to it; own choice


@dataclass(frozen=True)
class PaintedJoint:
    """One joint on the fine grid; arrays are (I, J, K), fine in the plane, one sample a slice.

    Attributes:
        side: Patient's side.
        palette: Names the tissues.
        tissue: Tissue numbers, 0 away from this joint.
        label: Label numbers, likewise.
        depth: mm from the joint's middle, negative in the sacrum.
        along: -1 at the foot of the joint, 1 at its head.
        is_lined: Where the joint is lined with cartilage.
        slice_mm: Distance of the slices.
    """

    side: Side
    palette: Palette
    tissue: NDArray[np.uint8]
    label: NDArray[np.uint8]
    depth: Values
    along: Values
    is_lined: Mask
    slice_mm: float

    def of(self, *names: str) -> Mask:
        """Return where one of these tissues is."""
        found: Mask = np.isin(self.tissue, [self.palette.number(name) for name in names])
        return found

    @cached_property
    def oedema(self) -> Mask:
        """Return the oedema of either bone."""
        return self.of(*_OEDEMA)

    def quadrants(self) -> NDArray[np.bool_]:
        """Return (4, I, J, K): upper ilium, lower ilium, lower sacrum, upper sacrum."""
        ilium, upper = self.depth >= 0, self.along >= 0
        parts = (ilium & upper, ilium & ~upper, ~ilium & ~upper, ~ilium & upper)
        return np.stack([np.broadcast_to(part, self.tissue.shape) for part in parts])

    def area(self, mask: Mask) -> NDArray[np.float64]:
        """Return mm2 of a mask on each slice, (K,)."""
        return np.asarray(mask.sum(axis=(0, 1)) * _FINE_MM**2, dtype=np.float64)

    def volume(self, mask: Mask) -> float:
        """Return mm3 of a mask."""
        return float(self.area(mask).sum() * self.slice_mm)


def measure_truth(pelvis: Pelvis, palette: Palette, row: SeriesRow) -> Truth:
    """Measure and grade both joints.

    Args:
        pelvis: What is measured.
        palette: Its tissues.
        row: The coronal-oblique series whose slices SPARCC is read on.
    """
    canvas = _fine_canvas(pelvis, palette, row)
    joints = _painted_joints(canvas, pelvis, palette, row)
    facts = tuple(_facts(joint, pelvis.tables.rules) for joint in joints)
    total, table = sparcc_scores(facts, pelvis.tables.rules)
    measurements = [item for fact in facts for item in _measurements(fact)]
    measurements.append(
        TruthMeasurement(LEVEL_SCORE, LEVEL, None, float(total), "1", "SPARCC inflammation score, 0 to 72")
    )
    return Truth(
        levels=(_level(pelvis),),
        measurements=tuple(measurements),
        grades=_grades(facts, pelvis.tables.rules),
        boxes=tuple(box for joint in joints for box in _boxes(joint, canvas)),
        details={"sparcc": table},
    )


def joint_facts(pelvis: Pelvis, palette: Palette, row: SeriesRow) -> tuple[JointFacts, ...]:
    """Count both joints, left then right, on every slice of a series: what the truth is derived from."""
    joints = _painted_joints(_fine_canvas(pelvis, palette, row), pelvis, palette, row)
    return tuple(_facts(joint, pelvis.tables.rules) for joint in joints)


def _painted_joints(canvas: Canvas, pelvis: Pelvis, palette: Palette, row: SeriesRow) -> tuple[PaintedJoint, ...]:
    return tuple(_painted(canvas, pelvis, palette, side, row) for side in (Side.LEFT, Side.RIGHT))


def _fine_canvas(pelvis: Pelvis, palette: Palette, row: SeriesRow) -> Canvas:
    """Paint the skeleton around the joints on the slices of a series, finely in the plane."""
    fine = replace(row, pixel=_FINE_MM, cols=int(_WIDE_MM / _FINE_MM), rows=int(_HIGH_MM / _FINE_MM))
    affine, shape = series_grid(fine, pelvis)
    canvas = Canvas(Grid(affine, shape))
    paint_skeleton(canvas, pelvis, palette)
    return canvas


def _painted(canvas: Canvas, pelvis: Pelvis, palette: Palette, side: Side, row: SeriesRow) -> PaintedJoint:
    view = canvas.whole()
    p, q, t = pelvis.frame.local(view.x, view.y, view.z)
    depth = np.broadcast_to(pelvis.depth(p, q, t).astype(np.float32), view.tissue.shape)
    near = (t * sign(side) > 0) & (np.abs(depth) < _SUBCHONDRAL_MM)
    labels = (SACRUM, ILIUM[side], JOINT[side])
    kept = near & np.isin(view.label, labels)
    return PaintedJoint(
        side=side,
        palette=palette,
        tissue=np.where(kept, view.tissue, 0).astype(np.uint8),
        label=np.where(kept, view.label, 0).astype(np.uint8),
        depth=depth,
        along=np.broadcast_to(pelvis.along(q).astype(np.float32), view.tissue.shape),
        is_lined=np.broadcast_to(pelvis.is_cartilaginous(p, q), view.tissue.shape) & (t * sign(side) > 0),
        slice_mm=row.spacing,
    )


def _facts(joint: PaintedJoint, rules: dict[str, Any]) -> JointFacts:
    quadrants = joint.quadrants()
    area = np.stack([joint.area(joint.oedema & quadrant) for quadrant in quadrants], axis=1)
    reach = np.where(joint.oedema, np.abs(joint.depth), 0.0).max(axis=(0, 1))
    sclerosis = joint.of("sclerosis")
    return JointFacts(
        side=joint.side,
        quadrant_mm2=area,
        is_intense=joint.area(joint.of("oedema_intense")) > 0,
        deep_mm=reach,
        lesions_per_slice=np.array([_count(joint.oedema[:, :, k]) for k in range(joint.oedema.shape[2])]),
        is_joint_slice=np.asarray(joint.is_lined.any(axis=(0, 1))),
        oedema_mm3=joint.volume(joint.oedema),
        erosions=_count(joint.of("erosion")),
        sclerosis_mm=float(np.abs(joint.depth[sclerosis]).max()) if sclerosis.any() else 0.0,
        sclerosis_mm2=float(joint.area(sclerosis).max()),
        fat_mm2=float(joint.area(joint.of("fat_metaplasia")).max()),
        backfill_mm2=float(joint.area(joint.of("backfill")).max()),
        bridged_share=_bridged_share(joint),
        width_mm=_width(joint),
        structural_mm2=np.stack([joint.area(joint.of(name)) for name in _STRUCTURAL_TISSUES], axis=1),
    )


def _parts(mask: Mask) -> tuple[NDArray[np.int32], int]:
    """Return the lesions of a mask, numbered, and how many; what lies within ``_SAME_LESION_MM`` is one lesion.

    Works on slices (I, J, K), where neighbouring slices touch, and on one slice (I, J).
    """
    reach = int(_SAME_LESION_MM / _FINE_MM / 2)
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach
    near = ndimage.binary_dilation(mask, disc if mask.ndim == 2 else disc[:, :, None])
    parts, number = ndimage.label(near, np.ones((3,) * mask.ndim))
    return np.where(mask, parts, 0).astype(np.int32), int(number)


def _count(mask: Mask) -> int:
    """Return the number of lesions."""
    return _parts(mask)[1]


def _bridged_share(joint: PaintedJoint) -> float:
    """Return how much of the middle of the lined joint is bone."""
    middle = joint.is_lined & (np.abs(joint.depth) < _FINE_MM)
    lined = int(middle.sum())
    return float((middle & joint.of("bridge")).sum() / lined) if lined else 0.0


def _width(joint: PaintedJoint) -> float:
    """Return the mean width of the joint space over what of the lined joint is not bridged, mm.

    Its area over its length, slice by slice; the length is that of the joint's middle line. Erosions count.
    """
    space = joint.of("sij_cartilage", "sij_space", "erosion")
    near = joint.is_lined & (np.abs(joint.depth) < 0.5)
    length = float(near.sum())  # samples of a band of 1 mm along the normal
    bridged = float((near & joint.of("bridge")).sum())
    open_mm = length - bridged
    return float((space & joint.is_lined).sum() / open_mm) if open_mm > 0 else 0.0


def _measurements(fact: JointFacts) -> list[TruthMeasurement]:
    rows = (
        ("oedema_volume", fact.oedema_mm3, "mm3", "area on the slices times their distance"),
        ("oedema_depth", float(fact.deep_mm.max()), "mm", "furthest from the middle of the joint"),
        ("erosion_count", float(fact.erosions), "1", "connected breaks of the bone plate"),
        ("sclerosis_depth", fact.sclerosis_mm, "mm", "furthest from the middle of the joint"),
        ("fat_area", fact.fat_mm2, "mm2", "largest on a slice"),
        ("bridged_share", fact.bridged_share, "1", "bone in the middle of the cartilaginous joint"),
        ("joint_space_width", fact.width_mm, "mm", "area over length of what is not bridged"),
    )
    return [TruthMeasurement(name, LEVEL, fact.side, value, unit, method) for name, value, unit, method in rows]


def _grades(facts: tuple[JointFacts, ...], rules: dict[str, Any]) -> tuple[TruthGrade, ...]:
    condition = Condition.SACROILIITIS
    positive = "positive" if any(is_asas_positive(fact, rules) for fact in facts) else "negative"
    grades = [TruthGrade(LEVEL, None, condition, "as_status", positive, rules["asas"]["version"])]
    for fact in facts:
        grade = stage_of(fact, rules)
        grades.append(TruthGrade(LEVEL, fact.side, condition, "as_stage", grade, rules["stage"]["version"]))
    return tuple(grades)


def _level(pelvis: Pelvis) -> TruthLevel:
    """Return the middle between the joints, and the front of the sacral canal behind it."""
    return TruthLevel(LEVEL, pelvis.frame.world(0.0, 0.0), pelvis.frame.world(-10.0, 0.0))


def _boxes(joint: PaintedJoint, canvas: Canvas) -> list[TruthBox]:
    """Return a box around each connected lesion of oedema and each erosion."""
    boxes = []
    for name, mask in (("bone_marrow_oedema", joint.oedema), ("erosion", joint.of("erosion"))):
        parts, _ = _parts(mask)
        for window in ndimage.find_objects(parts):
            corners = np.array([[part.start, part.stop - 1] for part in window])
            boxes.append(_box(name, joint.side, corners, canvas.grid.affine))
    return boxes


def _box(label: str, side: Side, corners: NDArray[np.int64], affine: NDArray[np.float64]) -> TruthBox:
    """Return the world box around an index box; ``corners`` is (3, 2): first and last index of i, j, k."""
    index = np.array(np.meshgrid(*corners, indexing="ij")).reshape(3, -1)
    world = affine[:3, :3] @ index + affine[:3, 3:4]
    low, high = world.min(axis=1), world.max(axis=1)
    return TruthBox(
        label,
        LEVEL,
        side,
        (float(low[0]), float(low[1]), float(low[2])),
        (float(high[0]), float(high[1]), float(high[2])),
    )
