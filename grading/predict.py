"""Grade a study: cut crops at the named levels, run the members, calibrate, name steps and sets.

``Grader`` is loaded once and used for many studies. It owns what goes before and after the network; what a
condition needs, and which rule grades what, are tables (``heads.yaml``, the protocol's ``rules``).
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anatomy import CONDITIONS, Condition, Protocol, Side
from grading.biomarkers import Values, biomarker_names, level_biomarkers
from grading.config import GraderConfig
from grading.conformal import prediction_set
from grading.detection import Edges, lay_boxes
from grading.doubts import both_ways, disagreements, phantom_notices
from grading.findings import build_findings, find_box, graded_by_rule, not_assessable, rules_of
from grading.heads import HeadInfo
from grading.inputs import ROLE_OF, SequenceCrops, gather_crops
from grading.model import BOX, GradingInputs, GradingNetwork
from grading.probabilities import likeliest_step, step_probabilities
from grading.storage import HeadTuning, StoredGrader, read_grader
from grading.types import Evidence, Findings, Grade, GradeStatus
from grading.view_inputs import ViewWindows, gather_windows
from grading.views import SIDES
from imaging.types import Plane, Study
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
    """Calibrated probabilities (K,) of one condition at one place, and its tuning."""

    probabilities: NDArray[np.float64]
    tuning: HeadTuning


@dataclass(frozen=True)
class _Inputs:
    """What a study gives the network: crops of the midline by sequence, windows by view."""

    crops: Sequence[SequenceCrops]
    windows: Mapping[str, ViewWindows]

    def at_hand(self, level: str, side: Side | None) -> set[str]:
        """Return the sequences and views that show a place; without a side those of either."""
        shown = {item.sequence for item in self.crops if level in item.crops}
        sides = SIDES if side is None else (side,)
        return shown | {
            name for name, view in self.windows.items() if any((level, one) in view.windows for one in sides)
        }


_Place = tuple[str, Side | None, HeadInfo]


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
        self._synthetic = {head.condition for head in stored.config.heads if head.key in stored.synthetic}
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

    def members_of(self, key: str) -> tuple[GradingNetwork, ...]:
        """Return the networks that have a head."""
        return tuple(member for member in self._members if key in member.heads)

    def network_inputs(self, study: Study, segmented: SegmentedStudy) -> GradingInputs:
        """Return what a member reads of one study (B is 1)."""
        biomarkers = level_biomarkers(segmented.levels, segmented.measurements)
        return _tensors(self._gather(study, segmented)[0], biomarkers, self.config).to(self._device)

    def key_of(self, grade: Grade) -> str | None:
        """Return the name of the head for a grade's condition and scale; None where the network has none."""
        wanted = grade.condition, grade.scale
        keys = (head.key for head in self.config.heads if (head.condition, head.scale) == wanted)
        return next(keys, None)

    def accuracy_of(self, grade: Grade) -> float:
        """Return how often held-out places of a grade's condition were named right; 0 where nobody counted."""
        return self._stored.accuracy.get(self.key_of(grade) or "", 0.0)

    def grade(self, study: Study, segmented: SegmentedStudy, protocol: Protocol) -> Findings:
        """Grade the protocol's conditions at every named level.

        Args:
            study: The study.
            segmented: Its levels, measurements and regions.
            protocol: What is graded, and by which rules.

        Returns:
            The Findings graph. A condition that cannot be graded at a level is there with its reason.
        """
        inputs, notices = self._gather(study, segmented)
        results, boxes = self._predict(inputs, level_biomarkers(segmented.levels, segmented.measurements))
        rules = {rule.condition: rule for rule in rules_of(protocol)}
        grades: list[Grade] = []
        for level in segmented.levels:
            if level.name not in protocol.levels:
                continue
            for condition in protocol.conditions:
                learned = list(self._learned(condition, level, inputs, results, segmented))
                measured = [graded_by_rule(rules[condition], level, segmented)] if condition in rules else []
                grades += both_ways(learned, measured) or list(_ungraded(level.name, condition))
        notices = [
            *notices,
            *_modic_notices(grades),
            *phantom_notices(grades, self._synthetic),
            *disagreements(grades),
        ]
        roles = {item.series_id: ROLE_OF[item.sequence] for item in inputs.crops}
        return build_findings(
            study,
            segmented,
            protocol,
            grades,
            notices=notices,
            roles=roles,
            detections=lay_boxes(grades, boxes, study, segmented),
        )

    def _gather(self, study: Study, segmented: SegmentedStudy) -> tuple[_Inputs, list[str]]:
        """Return the crops and windows of a study, and notices."""
        crops, notices = gather_crops(study, segmented, self.config)
        windows = gather_windows(study, segmented, self.config) if self.config.views else {}
        return _Inputs(crops, windows), notices

    def _learned(
        self,
        condition: Condition,
        level: Level,
        inputs: _Inputs,
        results: Mapping[_Place, _HeadResult],
        segmented: SegmentedStudy,
    ) -> Iterator[Grade]:
        """Yield what the network says of one condition at one level."""
        for head in self.config.heads:
            if head.condition is condition:
                for side in SIDES if head.is_sided else (None,):
                    yield self._grade(head, level, side, inputs, results, segmented)

    def _predict(
        self, inputs: _Inputs, biomarkers: Mapping[str, Values]
    ) -> tuple[dict[_Place, _HeadResult], dict[str, Edges]]:
        """Run the members on every level that has a crop; return what the heads say, and the boxes by level."""
        network = self.config.network
        tensors = _tensors(inputs, biomarkers, self.config)
        shown = [name for name in network.levels if inputs.at_hand(name, None) & set(network.sequences)]
        if not shown:
            return {}, {}
        logits = self._run(tensors)
        results = {}
        for level in shown:
            for head in self.config.heads:
                for number, side in enumerate(SIDES if head.is_sided else (None,)):
                    tuning = self._tuning(head, inputs.at_hand(level, side))
                    if tuning is None:
                        continue
                    row = network.levels.index(level)
                    mean = np.mean([member[head.key][row] for member in logits if head.key in member], axis=0)
                    calibrated = tuning.calibration.apply(mean[None, number] if head.is_sided else mean[None])
                    results[level, side, head] = _HeadResult(step_probabilities(calibrated, head.kind)[0], tuning)
        return results, self._boxes(shown, logits)

    def _boxes(
        self, levels: Sequence[str], logits: Sequence[Mapping[str, NDArray[np.float64]]]
    ) -> dict[str, Edges]:
        """Return the members' mean box of each level; none from networks that lay none."""
        if not self.config.network.boxes:
            return {}
        mean = np.mean([member[BOX] for member in logits if BOX in member], axis=0)
        return {level: mean[self.config.network.levels.index(level)] for level in levels}

    def _tuning(self, head: HeadInfo, at_hand: Collection[str]) -> HeadTuning | None:
        """Return what was fitted for a head with the series at hand; None where no held-out disc had those."""
        known = {view.name: view.source for view in self.config.views if view.name in head.views}
        sources = {known.get(name, name) for name in at_hand}
        there = "+".join(name for name in self.config.head_sources(head) if name in sources)
        return self._stored.tuning.get(there, {}).get(head.key)

    def _run(self, inputs: GradingInputs) -> list[dict[str, NDArray[np.float64]]]:
        """Return each member's logits: head that it has -> (L, K - 1 or K), or (L, 2, ...) of a sided head."""
        with torch.inference_mode():
            outputs = [member(inputs.to(self._device)) for member in self._members]
        return [{name: value[0].double().cpu().numpy() for name, value in output.items()} for output in outputs]

    def _grade(
        self,
        head: HeadInfo,
        level: Level,
        side: Side | None,
        inputs: _Inputs,
        results: Mapping[_Place, _HeadResult],
        segmented: SegmentedStudy,
    ) -> Grade:
        """Grade one condition at one place, or say why not."""
        reason = self._refusal(head, level.name, side, inputs)
        result = results.get((level.name, side, head))
        if reason is None and result is None:
            reason = "no held-out case had just these series, so the grade could not be calibrated"
        if reason is not None or result is None:
            return not_assessable(level.name, head.condition, head.scale, reason or "not graded", side=side)
        named = int(likeliest_step(result.probabilities[None], head.kind)[0])
        steps = prediction_set(result.probabilities.tolist(), named, result.tuning.thresholds, head.kind)
        return Grade(
            id="",
            level=level.name,
            side=side,
            condition=head.condition,
            scale=head.scale,
            grade=head.grades[named],
            probabilities=dict(zip(head.grades, result.probabilities.tolist(), strict=True)),
            prediction_set=tuple(head.grades[step] for step in steps),
            status=GradeStatus.GRADED,
            reason=None,
            evidence=_evidence(head, level.name, side, inputs, segmented),
        )

    def _refusal(self, head: HeadInfo, level: str, side: Side | None, inputs: _Inputs) -> str | None:
        """Return why a condition cannot be graded at a place, or None."""
        if level not in self._stored.trained_levels:
            return "the grader was not trained on this level"
        at_hand = inputs.at_hand(level, side)
        if not at_hand & set(self.config.network.sequences):
            if any(level in item.cut_off for item in inputs.crops):
                return "the level is cut off by the image border"
            return "no sagittal T1 or T2 shows this level"
        missing = [need for need in head.needs if not set(need.split("|")) & at_hand]
        if missing:
            return f"needs {' and '.join(self._words(need) for need in missing)} image of this level"
        return None

    def _words(self, need: str) -> str:
        """Return how a person calls what a head needs: ``a sagittal T1``, ``an axial T2``."""
        views = {view.name: view for view in self.config.views}
        words = []
        for name in need.split("|"):
            view = views.get(name)
            if view is None:
                words.append(f"a sagittal {name.upper()}")
            elif view.plane is Plane.SAGITTAL:
                words.append(f"a lateral sagittal {view.sequence.upper()}")
            else:
                words.append(f"an {view.plane.value} {view.sequence.upper()}")
        return " or ".join(words)


def _tensors(inputs: _Inputs, biomarkers: Mapping[str, Values], config: GraderConfig) -> GradingInputs:
    """Return what the network reads of one study."""
    crops, present = _stack(inputs.crops, config)
    windows, windows_present = _stack_windows(inputs.windows, config)
    return GradingInputs(
        torch.from_numpy(crops)[None],
        torch.from_numpy(present)[None],
        torch.from_numpy(_stack_biomarkers(biomarkers, config))[None],
        tuple(torch.from_numpy(images)[None] for images in windows),
        torch.from_numpy(windows_present)[None],
    )


def _stack_windows(
    found: Mapping[str, ViewWindows], config: GraderConfig
) -> tuple[list[NDArray[np.float32]], NDArray[np.bool_]]:
    """Return windows (L, 2, N, H, W) of each view and which of them there are (L, 2, V)."""
    levels = config.network.levels
    present = np.zeros((len(levels), len(SIDES), len(config.views)), dtype=bool)
    stacked = []
    for number, view in enumerate(config.views):
        images = np.zeros((len(levels), len(SIDES), view.slices, view.rows, view.cols), dtype=np.float32)
        for (level, side), image in (found[view.name].windows if view.name in found else {}).items():
            place = levels.index(level), SIDES.index(side)
            images[place], present[(*place, number)] = image, True
        stacked.append(images)
    return stacked, present


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


def _evidence(
    head: HeadInfo, level: str, side: Side | None, inputs: _Inputs, segmented: SegmentedStudy
) -> Evidence:
    """Return where a sided condition's first view shows it, else where the first sequence shows the level."""
    for name in head.views if side is not None else ():
        view = inputs.windows.get(name)
        if view is not None and side is not None and (level, side) in view.evidence:
            return view.evidence[level, side]
    item = next(item for item in inputs.crops if level in item.crops)
    return find_box(segmented, level, item.series_id) or item.evidence[level]


def _ungraded(level: str, condition: Condition) -> Iterator[Grade]:
    info = CONDITIONS[condition]
    reason = f"no grader for {info.words} is installed"
    for side in SIDES if info.is_sided else (None,):
        yield not_assessable(level, condition, info.reported_scales[0], reason, side=side)


def _modic_notices(grades: Sequence[Grade]) -> list[str]:
    changed = [grade for grade in grades if grade.condition is Condition.MODIC and grade.grade not in (None, "0")]
    return [MODIC_NOTICE] if changed else []
