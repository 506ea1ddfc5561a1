"""Grade a study: cut crops at the named levels, run the members, calibrate, name steps and sets.

``Grader`` is loaded once and used for many studies. It owns what goes before and after the network; what a
condition needs, and which rule grades what, are tables (``heads.yaml``, the protocol's ``rules``).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anatomy import CONDITIONS, Condition, Protocol
from grading.biomarkers import Values, biomarker_names, level_biomarkers
from grading.config import GraderConfig
from grading.conformal import prediction_set
from grading.findings import build_findings, find_box, graded_by_rule, not_assessable, rules_of
from grading.heads import HeadInfo, load_heads
from grading.inputs import ROLE_OF, SequenceCrops, gather_crops
from grading.model import GradingNetwork
from grading.probabilities import likeliest_step, step_probabilities
from grading.storage import HeadTuning, StoredGrader, read_grader
from grading.types import Evidence, Findings, Grade, GradeStatus
from imaging.types import Study
from runtime.device import pick_device
from runtime.settings import load_settings
from runtime.weights import open_weights
from segmentation.types import Level, SegmentedStudy

logger = logging.getLogger(__name__)

MODIC_NOTICE = (
    "Modic types 1 and 3 were too rare in training (4 and 6 of 1,240 discs) to be told from type 2; the type of "
    "any Modic change needs a radiologist's eye."
)


@dataclass(frozen=True)
class _HeadResult:
    """Averaged calibrated probabilities (K,) of one condition at one level, and its tuning."""

    probabilities: NDArray[np.float64]
    tuning: HeadTuning


class Grader:
    """Grades every level of a study.

    Args:
        stored: Networks, configuration and tuning.
        checksum: Of the weights, for the provenance.
        device: Torch device.
    """

    def __init__(self, stored: StoredGrader, *, checksum: str, device: torch.device) -> None:
        self.config = stored.config
        self.checksum = checksum
        self._stored = stored
        self._members = tuple(member.to(device).eval() for member in stored.members)
        self._device = device

    @classmethod
    def load(cls, *, weights_root: Path | None = None, name: str = "grading", device: str = "auto") -> "Grader":
        """Load verified weights.

        Args:
            weights_root: Folder of all weights; None takes that of the settings.
            name: Folder of the model.
            device: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            WeightsError: If the weights are missing, changed or of another format.
        """
        folder = open_weights(name, load_settings().weights_dir if weights_root is None else weights_root)
        return cls(read_grader(folder), checksum=folder.checksum, device=pick_device(device))

    @property
    def members(self) -> tuple[GradingNetwork, ...]:
        """Return the networks, in eval mode."""
        return self._members

    def network_inputs(self, study: Study, segmented: SegmentedStudy) -> tuple[torch.Tensor, ...]:
        """Return what a member takes for one study, in its order (see ``GradingNetwork.forward``, B is 1)."""
        crops, present = _stack(gather_crops(study, segmented, self.config)[0], self.config)
        biomarkers = _stack_biomarkers(level_biomarkers(segmented.levels, segmented.measurements), self.config)
        return tuple(torch.from_numpy(item)[None].to(self._device) for item in (crops, present, biomarkers))

    def grade(self, study: Study, segmented: SegmentedStudy, protocol: Protocol) -> Findings:
        """Grade the protocol's conditions at every named level.

        Args:
            study: The study.
            segmented: Its levels, measurements and regions.
            protocol: What is graded, and by which rules.

        Returns:
            The Findings graph. A condition that cannot be graded at a level is there with its reason.
        """
        inputs, notices = gather_crops(study, segmented, self.config)
        results = self._predict(inputs, level_biomarkers(segmented.levels, segmented.measurements))
        rules = {rule.condition: rule for rule in rules_of(protocol)}
        heads = {head.condition: head for head in load_heads()}
        grades = []
        for level in segmented.levels:
            if level.name not in protocol.levels:
                continue
            for condition in protocol.conditions:
                if condition in rules:
                    grades.append(graded_by_rule(rules[condition], level, segmented))
                elif condition in heads:
                    grades.append(self._grade(heads[condition], level, inputs, results, segmented))
                else:
                    grades.append(_ungraded(level.name, condition))
        notices = [*notices, *_modic_notices(grades)]
        roles = {item.series_id: ROLE_OF[item.sequence] for item in inputs}
        return build_findings(study, segmented, protocol, grades, notices=notices, roles=roles)

    def _predict(
        self, inputs: Sequence[SequenceCrops], biomarkers: Mapping[str, Values]
    ) -> dict[tuple[str, Condition], _HeadResult]:
        """Run the members on every level that has a crop."""
        network = self.config.network
        crops, present = _stack(inputs, self.config)
        if not present.any():
            return {}
        logits = self._run(crops, present, _stack_biomarkers(biomarkers, self.config))
        results = {}
        for row in np.flatnonzero(present.any(axis=1)):
            at_hand = "+".join(name for name, there in zip(network.sequences, present[row], strict=True) if there)
            for head in load_heads():
                tuning = self._stored.tuning[at_hand][head.condition.value]
                rows = (member[head.condition.value][row : row + 1] for member in logits)
                calibrated = (tuning.calibration.apply(member) for member in rows)
                mean = np.mean([step_probabilities(item, head.kind) for item in calibrated], axis=0)[0]
                results[network.levels[row], head.condition] = _HeadResult(mean, tuning)
        return results

    def _run(
        self, crops: NDArray[np.float32], present: NDArray[np.bool_], biomarkers: NDArray[np.float32]
    ) -> list[dict[str, NDArray[np.float64]]]:
        """Return each member's logits: condition -> (L, K - 1 or K)."""
        crops_in = torch.from_numpy(crops)[None].to(self._device)
        present_in = torch.from_numpy(present)[None].to(self._device)
        biomarkers_in = torch.from_numpy(biomarkers)[None].to(self._device)
        with torch.inference_mode():
            outputs = [member(crops_in, present_in, biomarkers_in) for member in self._members]
        return [{name: value[0].double().cpu().numpy() for name, value in output.items()} for output in outputs]

    def _grade(
        self,
        head: HeadInfo,
        level: Level,
        inputs: Sequence[SequenceCrops],
        results: Mapping[tuple[str, Condition], _HeadResult],
        segmented: SegmentedStudy,
    ) -> Grade:
        """Grade one condition at one level, or say why not."""
        reason = self._refusal(head, level.name, inputs)
        if reason is not None:
            return not_assessable(level.name, head.condition, head.scale, reason)
        result = results[level.name, head.condition]
        named = int(likeliest_step(result.probabilities[None], head.kind)[0])
        steps = prediction_set(result.probabilities.tolist(), named, result.tuning.thresholds, head.kind)
        return Grade(
            id="",
            level=level.name,
            side=None,
            condition=head.condition,
            scale=head.scale,
            grade=head.grades[named],
            probabilities=dict(zip(head.grades, result.probabilities.tolist(), strict=True)),
            prediction_set=tuple(head.grades[step] for step in steps),
            status=GradeStatus.GRADED,
            reason=None,
            evidence=_evidence(level.name, inputs, segmented),
        )

    def _refusal(self, head: HeadInfo, level: str, inputs: Sequence[SequenceCrops]) -> str | None:
        """Return why a condition cannot be graded at a level, or None."""
        if level not in self._stored.trained_levels:
            return "the grader was not trained on this level"
        there = [item.sequence for item in inputs if level in item.crops]
        if not there:
            if any(level in item.cut_off for item in inputs):
                return "the level is cut off by the image border"
            return "no sagittal T1 or T2 shows this level"
        missing = [name for name in head.needs if name not in there]
        if missing:
            return f"needs a sagittal {' and '.join(name.upper() for name in missing)} image of this level"
        return None


def _stack(inputs: Sequence[SequenceCrops], config: GraderConfig) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return crops (L, S, H, W) and which of them there are (L, S)."""
    levels, sequences = config.network.levels, config.network.sequences
    shape = (len(levels), len(sequences), config.crops.height_px, config.crops.width_px)
    crops = np.zeros(shape, dtype=np.float32)
    present = np.zeros(crops.shape[:2], dtype=bool)
    for item in inputs:
        for level, image in item.crops.items():
            place = levels.index(level), sequences.index(item.sequence)
            crops[place] = image
            present[place] = True
    return crops, present


def _stack_biomarkers(found: Mapping[str, Values], config: GraderConfig) -> NDArray[np.float32]:
    """Return (L, M), NaN where unknown."""
    network = config.network
    columns = [biomarker_names().index(name) for name in network.biomarkers]
    values = np.full((len(network.levels), len(columns)), np.nan, dtype=np.float32)
    for level, there in found.items():
        if level in network.levels:
            values[network.levels.index(level)] = there[columns]
    return values


def _evidence(level: str, inputs: Sequence[SequenceCrops], segmented: SegmentedStudy) -> Evidence:
    """Return where the first sequence at hand shows the level."""
    item = next(item for item in inputs if level in item.crops)
    return find_box(segmented, level, item.series_id) or item.evidence[level]


def _ungraded(level: str, condition: Condition) -> Grade:
    info = CONDITIONS[condition]
    return not_assessable(level, condition, info.scales[0], f"no grader for {info.words} is installed")


def _modic_notices(grades: Sequence[Grade]) -> list[str]:
    changed = [grade for grade in grades if grade.condition is Condition.MODIC and grade.grade not in (None, "0")]
    return [MODIC_NOTICE] if changed else []
