"""From what was seen at the joints to grades, the SPARCC score and notices. No torch.

Two answers on the patient stand beside each other: what the network learned (``as_status``), which is reported,
and what the ASAS rule says of the oedema seen on each slice, as its check (``asas_rule``); where they differ a
notice says so.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from anatomy import CONDITIONS, SCALES, SIJ, Condition, Side
from anatomy.sacroiliac import STRUCTURAL
from grading.conformal import Thresholds, prediction_set
from grading.doubts import phantom_notices
from grading.findings import not_assessable
from grading.heads import HeadKind
from grading.joints.frames import SIDES
from grading.joints.inputs import GatheredJoints
from grading.joints.reading import JointReading, PelvisReading
from grading.joints.rule import load_sacroiliac_rules
from grading.types import Evidence, Grade, GradeStatus
from imaging.types import Series
from segmentation.types import Measurement, SegmentedStudy

SPARCC = "sparcc_inflammation"
"""Name of the SPARCC score among the measurements."""
STATUS, STAGE = CONDITIONS[Condition.SACROILIITIS].scales
(RULE,) = CONDITIONS[Condition.SACROILIITIS].checks

_ACTIVE, _ANKYLOSIS = "active", "ankylosis"
_DAMAGE = tuple(name for name in STRUCTURAL if name != _ANKYLOSIS)
_BOX_ACROSS_MM = 12.0  # ours: half the width of the box shown as evidence; deep oedema starts at 10 mm (SPARCC)
_ONE_JOINT = "only the {side} joint could be read: inflammation of the other one is not excluded"
_NO_JOINT = "neither joint could be read"


def pelvis_grades(
    reading: PelvisReading | None,
    gathered: GatheredJoints,
    thresholds: Mapping[str, Thresholds],
    measured: Measurement | None,
) -> list[Grade]:
    """Return the patient's status, its check by the rule, and the stage of each joint.

    Args:
        reading: What was seen; None where no joint could be read.
        gathered: Where it was looked for, and what is missing.
        thresholds: Scale -> thresholds of the prediction sets.
        measured: The SPARCC score, which the status rests on; None where nothing was read.
    """
    if reading is None:
        reasons = set(gathered.reasons.values())
        reason = reasons.pop() if len(reasons) == 1 else _NO_JOINT
        stages = [_unread(STAGE, SIJ, gathered.reasons[side], side) for side in SIDES]
        return [_unread(STATUS, None, reason), *stages]
    ids = () if measured is None else (measured.id,)
    status = [replace(item, measurement_ids=ids) for item in _patient(reading, gathered.stir, thresholds[STATUS])]
    stages = []
    for side in SIDES:
        if side in reading.joints:
            stages.append(_stage(side, reading.joints[side], gathered.stir, thresholds[STAGE]))
        else:
            stages.append(_unread(STAGE, SIJ, gathered.reasons[side], side))
    return [*status, *stages]


def sparcc_measurement(reading: PelvisReading, gathered: GatheredJoints, segmented: SegmentedStudy) -> Measurement:
    """Return the SPARCC score of both joints; without one of them it has no value."""
    assert gathered.stir is not None
    is_whole = len(reading.joints) == len(SIDES)
    taken = {item.id for item in segmented.measurements}
    number = next(count for count in range(1, len(taken) + 2) if f"m{count}" not in taken)
    rule = load_sacroiliac_rules().sparcc_id
    return Measurement(
        id=f"m{number}",
        name=SPARCC,
        level=SIJ,
        side=None,
        value=float(reading.rule.sparcc) if is_whole else None,
        unit="1",
        method=f"SPARCC-like inflammation score, 0 to 72, counted on the network's quadrants ({rule})",
        reason=None if is_whole else "the score needs both joints",
        series_id=gathered.stir.id,
        slice_index=reading.rule.slices[0] if is_whole and reading.rule.slices else None,
    )


def pelvis_notices(grades: list[Grade]) -> list[str]:
    """Return what a report must say of the grades: what taught them, and where rule and network disagree."""
    notices = phantom_notices(grades, {Condition.SACROILIITIS})
    given = {grade.scale: grade.grade for grade in grades if grade.level is None}
    learned, by_rule = given.get(STATUS), given.get(RULE)
    if None not in (learned, by_rule) and learned != by_rule:
        rules = load_sacroiliac_rules()
        notices.append(
            f"The learned status of the sacroiliac MRI is {learned}, the {rules.asas_words} says {by_rule} "
            f"({rules.asas_id}): slices with possible oedema need a radiologist's eye."
        )
    return notices


def _patient(reading: PelvisReading, stir: Series | None, thresholds: Thresholds) -> list[Grade]:
    """Grade the patient, and check by the rule; with one joint alone only a positive can be told."""
    side = max(reading.joints, key=lambda item: reading.joints[item].lesions[_ACTIVE])
    evidence = _evidence(reading.joints[side], _ACTIVE, stir)
    learned = replace(_named(STATUS, reading.status, thresholds), evidence=evidence)
    negative, positive = SCALES[RULE].grades
    by_rule = positive if reading.rule.is_positive else negative
    check = replace(
        learned,
        scale=RULE,
        grade=by_rule,
        probabilities={},
        prediction_set=(by_rule,),
        reason=f"{load_sacroiliac_rules().asas_words}, {load_sacroiliac_rules().asas_id}",
    )
    if len(reading.joints) == len(SIDES):
        return [learned, check]
    reason = _ONE_JOINT.format(side=side.value)
    return [grade if grade.grade == positive else _unread(grade.scale, None, reason) for grade in (learned, check)]


def _stage(side: Side, joint: JointReading, stir: Series | None, thresholds: Thresholds) -> Grade:
    grade = _named(STAGE, joint.stages, thresholds)
    return replace(grade, level=SIJ, side=side, evidence=_evidence(joint, _weighed(grade.grade, joint), stir))


def _named(
    scale: str, probabilities: np.ndarray[tuple[int], np.dtype[np.float64]], thresholds: Thresholds
) -> Grade:
    """Return a grade of the likeliest step, without its place."""
    steps, named = SCALES[scale].grades, int(probabilities.argmax())
    kept = prediction_set(probabilities.tolist(), named, thresholds, HeadKind.ORDINAL)
    return Grade(
        id="",
        level=None,
        side=None,
        condition=Condition.SACROILIITIS,
        scale=scale,
        grade=steps[named],
        probabilities=dict(zip(steps, probabilities.tolist(), strict=True)),
        prediction_set=tuple(steps[step] for step in kept),
        status=GradeStatus.GRADED,
        reason=None,
        evidence=None,
    )


def _unread(scale: str, level: str | None, reason: str, side: Side | None = None) -> Grade:
    return replace(not_assessable(SIJ, Condition.SACROILIITIS, scale, reason, side=side), level=level)


def _weighed(stage: str | None, joint: JointReading) -> str | None:
    """Return the lesion whose attention tells where a stage was seen; None for a normal joint."""
    if stage == "moderate":
        return max(_DAMAGE, key=lambda name: joint.lesions[name])
    return {"early": _ACTIVE, "advanced": _ANKYLOSIS}.get(stage or "")


def _evidence(joint: JointReading, lesion: str | None, stir: Series | None) -> Evidence:
    """Return the joint's box on the slice that weighed most; of a normal joint, nearest its middle."""
    assert stir is not None
    assert stir.volume.affine is not None
    windows, frame = joint.stack.windows, joint.stack.frame
    weights = -np.abs(windows.depth_mm) if lesion is None else joint.attention[lesion]
    place = int(np.argmax(weights))
    corners = [
        windows.middles[place] + along * frame.along + across * frame.across
        for along in (-frame.length_mm / 2, frame.length_mm / 2)
        for across in (-_BOX_ACROSS_MM, _BOX_ACROSS_MM)
    ]
    inverse = np.linalg.inv(stir.volume.affine)
    pixels = (np.array(corners) @ inverse[:3, :3].T + inverse[:3, 3])[:, :2]
    columns, rows, _ = stir.volume.shape
    low, high = (np.clip(ends, 0, (columns - 1, rows - 1)) for ends in (pixels.min(axis=0), pixels.max(axis=0)))
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return Evidence(stir.id, int(windows.slices[place]), box)
