"""Grade the sacroiliac joints of a study: locate, cut, run the network, calibrate, apply the rules, say what disagrees.

``JointGrader`` is loaded once and used for many studies. Two answers on the patient stand beside each other: what the
network learned (``as_status``) and what the ASAS rule says of the oedema it sees on each slice; where they disagree a
notice says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anatomy import SCALES, SIJ, Condition, Protocol, Side
from grading.conformal import prediction_set
from grading.findings import build_findings, not_assessable
from grading.heads import HeadKind
from grading.joints.build import CHANNELS
from grading.joints.frames import SIDES
from grading.joints.inputs import GatheredJoints, JointStack, StackedJoints, gather_joints, stack_joints
from grading.joints.model import LESIONS, JointInputs, JointOutputs
from grading.joints.rule import RuleResult, apply_rules, load_sacroiliac_rules
from grading.joints.storage import KINDS, StoredJointGrader, read_joint_grader
from grading.probabilities import step_probabilities
from grading.types import Evidence, Findings, Grade, GradeStatus
from imaging.types import Series, Study
from runtime.device import pick_device
from runtime.settings import load_settings
from runtime.weights import open_weights
from segmentation.types import Measurement, SegmentedStudy

SPARCC = "sparcc_inflammation"
"""Name of the SPARCC score among the measurements."""

_CONDITION = Condition.SACROILIITIS
_BOX_ACROSS_MM = 12.0  # ours: half the width of the box shown as evidence; deep oedema starts at 10 mm (SPARCC)
_ONE_JOINT = "only the {side} joint could be read: oedema of the other one is not excluded"
_NO_JOINT = "neither joint could be read"
_WEIGHED = {"early": "active", "moderate": None, "advanced": "ankylosis"}
"""Lesion whose attention tells the slice of a stage; None stands for the likeliest structural one."""


@dataclass(frozen=True, eq=False)
class JointReading:
    """What was seen at one joint.

    Attributes:
        stack: Its crops.
        stages: (4,) calibrated probabilities of the steps of ``as_stage``.
        lesions: Lesion -> the network's probability, not calibrated; ``grading.joints.model.LESIONS``.
        items: (L, 8) probabilities of ``grading.joints.model.SLICE_ITEMS`` on each slice.
        attention: (6, L) what each lesion's answer weighed the slices with.
    """

    stack: JointStack
    stages: NDArray[np.float64]
    lesions: dict[str, float]
    items: NDArray[np.float64]
    attention: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PelvisReading:
    """What was seen at both joints.

    Attributes:
        joints: Side -> reading; sides that could not be read are left out.
        status: (2,) calibrated probabilities of the steps of ``as_status``.
        rule: What the rules say of the slices.
        at_hand: Sequences that were read, ``stir+t1`` or ``stir``.
    """

    joints: Mapping[Side, JointReading]
    status: NDArray[np.float64]
    rule: RuleResult
    at_hand: str


class JointGrader:
    """Grades sacroiliitis of the patient and the stage of each joint.

    Args:
        stored: Network, configuration and tuning.
        checksum: Of the weights, for the provenance.
        device: Torch device.

    Attributes:
        network: The network; its ``encoder.trunk`` keeps the feature map for saliency.
    """

    def __init__(self, stored: StoredJointGrader, *, checksum: str, device: torch.device) -> None:
        self.config, self.checksum = stored.config, checksum
        self.network = stored.network.to(device).eval()
        self._tuning, self._device = stored.tuning, device

    @classmethod
    def load(
        cls, *, weights_root: Path | None = None, name: str = "grading-sacroiliac", device: str = "auto"
    ) -> "JointGrader":
        """Load verified weights.

        Args:
            weights_root: Folder of all weights; None takes that of the settings.
            name: Folder of the model.
            device: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            WeightsError: If the weights are missing, changed or of another format.
        """
        folder = open_weights(name, load_settings().weights_dir if weights_root is None else weights_root)
        return cls(read_joint_grader(folder), checksum=folder.checksum, device=pick_device(device))

    def grade(self, study: Study, segmented: SegmentedStudy, protocol: Protocol) -> Findings:
        """Grade the patient and both joints.

        Returns:
            The Findings graph, with the SPARCC score among its measurements. A joint that cannot be graded is there
            with its reason; without a fat-suppressed series nothing is.
        """
        gathered = gather_joints(study, segmented, self.config.crops)
        reading = self.read(gathered)
        grades = [
            self._status(reading, gathered),
            *(self._stage(side, reading, gathered) for side in SIDES),
        ]
        notices = [*gathered.notices, *_notices(reading, gathered)]
        measured = () if reading is None else (_sparcc(reading, gathered, segmented),)
        extended = replace(segmented, measurements=(*segmented.measurements, *measured))
        findings = build_findings(study, extended, protocol, grades, notices=notices)
        return replace(findings, grades=tuple(_with_measurement(grade, measured) for grade in findings.grades))

    def read(self, gathered: GatheredJoints) -> PelvisReading | None:
        """Run the network on located joints; None where there are none."""
        if not gathered.joints:
            return None
        stacked = stack_joints(gathered.joints, self.config.crops)
        outputs = self._run(stacked)
        at_hand = "+".join(CHANNELS) if stacked.has_t1.any() else CHANNELS[0]
        joints = {side: self._joint(side, stack, outputs, at_hand) for side, stack in gathered.joints.items()}
        status = self._tuning[at_hand]["as_status"].calibration.apply(_numpy(outputs.status)[:, None])
        return PelvisReading(
            joints=joints,
            status=step_probabilities(status, KINDS["as_status"])[0],
            rule=apply_rules({side: (item.stack.windows.slices, item.items) for side, item in joints.items()}),
            at_hand=at_hand,
        )

    def _run(self, stacked: StackedJoints) -> JointOutputs:
        arrays = (stacked.crops, stacked.present, stacked.has_t1, stacked.places)
        inputs = JointInputs(*(torch.from_numpy(array)[None].to(self._device) for array in arrays))
        with torch.inference_mode():
            outputs: JointOutputs = self.network(inputs)
        return outputs

    def _joint(self, side: Side, stack: JointStack, outputs: JointOutputs, at_hand: str) -> JointReading:
        row, count = SIDES.index(side), len(stack.windows.slices)
        stages = self._tuning[at_hand]["as_stage"].calibration.apply(_numpy(outputs.stages)[0, row][None])
        lesions = _sigmoid(_numpy(outputs.lesions)[0, row])
        return JointReading(
            stack=stack,
            stages=step_probabilities(stages, KINDS["as_stage"])[0],
            lesions=dict(zip(LESIONS, lesions.tolist(), strict=True)),
            items=_sigmoid(_numpy(outputs.items)[0, row, :count]),
            attention=_numpy(outputs.attention)[0, row, :, :count],
        )

    def _status(self, reading: PelvisReading | None, gathered: GatheredJoints) -> Grade:
        """Grade the patient; with one joint alone only a positive can be told."""
        scale = "as_status"
        if reading is None:
            reason = _NO_JOINT if gathered.stir is not None else next(iter(gathered.reasons.values()))
            return replace(not_assessable(SIJ, _CONDITION, scale, reason), level=None)
        grade = self._named(scale, reading.status, reading.at_hand)
        if len(reading.joints) < len(SIDES) and grade.grade == SCALES[scale].grades[0]:
            side = next(iter(reading.joints)).value
            return replace(
                not_assessable(SIJ, _CONDITION, scale, _ONE_JOINT.format(side=side)), level=None
            )
        side = max(reading.joints, key=lambda item: reading.joints[item].lesions["active"])
        return replace(grade, evidence=_evidence(reading.joints[side], "active", gathered.stir))

    def _stage(self, side: Side, reading: PelvisReading | None, gathered: GatheredJoints) -> Grade:
        scale = "as_stage"
        if reading is None or side not in reading.joints:
            reason = gathered.reasons[side]
            return replace(not_assessable(SIJ, _CONDITION, scale, reason), side=side)
        joint = reading.joints[side]
        grade = self._named(scale, joint.stages, reading.at_hand)
        lesion = _weighed(grade.grade, joint)
        return replace(grade, level=SIJ, side=side, evidence=_evidence(joint, lesion, gathered.stir))

    def _named(self, scale: str, probabilities: NDArray[np.float64], at_hand: str) -> Grade:
        """Return a grade of the likeliest step, without its place."""
        steps, named = SCALES[scale].grades, int(probabilities.argmax())
        thresholds = self._tuning[at_hand][scale].thresholds
        kept = prediction_set(probabilities.tolist(), named, thresholds, HeadKind.ORDINAL)
        return Grade(
            id="",
            level=None,
            side=None,
            condition=_CONDITION,
            scale=scale,
            grade=steps[named],
            probabilities=dict(zip(steps, probabilities.tolist(), strict=True)),
            prediction_set=tuple(steps[step] for step in kept),
            status=GradeStatus.GRADED,
            reason=None,
            evidence=None,
        )


def _weighed(stage: str | None, joint: JointReading) -> str | None:
    """Return the lesion whose attention tells where a stage was seen; None for a normal joint."""
    if stage is None or stage not in _WEIGHED:
        return None
    return _WEIGHED[stage] or max(LESIONS[1:-1], key=lambda name: joint.lesions[name])


def _evidence(joint: JointReading, lesion: str | None, stir: Series | None) -> Evidence:
    """Return the joint's box on the slice that weighed most; of a normal joint, on the slice nearest its middle."""
    assert stir is not None
    assert stir.volume.affine is not None
    windows, frame = joint.stack.windows, joint.stack.frame
    weights = -np.abs(windows.depth_mm) if lesion is None else joint.attention[LESIONS.index(lesion)]
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


def _sparcc(reading: PelvisReading, gathered: GatheredJoints, segmented: SegmentedStudy) -> Measurement:
    """Return the SPARCC score of both joints as a measurement; without one of them there is none."""
    assert gathered.stir is not None
    rules, rule = load_sacroiliac_rules(), reading.rule
    whole = len(reading.joints) == len(SIDES)
    reason = None if whole else "the score needs both joints"
    taken = {item.id for item in segmented.measurements}
    number = next(count for count in range(1, len(taken) + 2) if f"m{count}" not in taken)
    return Measurement(
        id=f"m{number}",
        name=SPARCC,
        level=SIJ,
        side=None,
        value=float(rule.sparcc) if whole else None,
        unit="1",
        method=f"SPARCC-like inflammation score, 0 to 72, counted on the network's quadrants ({rules.sparcc_id})",
        reason=reason,
        series_id=gathered.stir.id,
        slice_index=rule.slices[0] if whole and rule.slices else None,
    )


def _with_measurement(grade: Grade, measured: Sequence[Measurement]) -> Grade:
    """Let the patient's grade point at the score."""
    is_status = grade.scale == "as_status" and grade.status is GradeStatus.GRADED
    return replace(grade, measurement_ids=tuple(item.id for item in measured)) if is_status else grade


def _notices(reading: PelvisReading | None, gathered: GatheredJoints) -> list[str]:
    """Return what the rule says, above all where it disagrees with the network."""
    if reading is None:
        return []
    rules = load_sacroiliac_rules()
    learned = int(reading.status.argmax()) == 1
    by_rule = reading.rule.is_positive
    words = {True: "positive", False: "negative"}
    if learned == by_rule:
        return [f"Status of the sacroiliac MRI by the {rules.asas_words}, {rules.asas_id}: {words[by_rule]}."]
    return [
        f"The {rules.asas_words}, {rules.asas_id}, calls the sacroiliac MRI {words[by_rule]}, the learned status is "
        f"{words[learned]}: the slices with possible oedema need a radiologist's eye."
    ]


def _numpy(tensor: torch.Tensor) -> NDArray[np.float64]:
    values: NDArray[np.float64] = tensor.double().cpu().numpy()
    return values


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = 0.5 * (1 + np.tanh(logits / 2))
    return values
