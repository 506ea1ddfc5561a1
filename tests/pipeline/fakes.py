"""A small made-up study and small stand-ins for each stage: the same records, no networks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

import anatomy
from anatomy import Condition, disc_label, vertebra_label
from grading.types import Burden, BurdenTerm, Evidence, Findings, Grade, GradeStatus
from imaging.label_import import ImportedLabels
from imaging.types import (
    Eligibility,
    GateFinding,
    OutOfDistribution,
    Plane,
    Sequence,
    Series,
    SourceKind,
    Spacing,
    Study,
    Volume,
)
from pipeline import Reader
from pipeline.stages import Models, Stages, WritesDraft
from reporting.prior import Comparison
from reporting.types import (
    Draft,
    DraftSection,
    DraftSentence,
    Report,
    ReportSection,
    ReportSentence,
    ReportState,
    SentenceSource,
    SentenceStatus,
)
from runtime.errors import NotEligibleError, StudyError
from segmentation.types import Explanation, LabelMap, Level, Measurement, Region, SegmentedStudy
from vlm.pictures import KeySlice

LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
COLUMNS, ROWS = 160, 240
_PITCH = 40


def fake_study(spacing: Spacing | None = None, *, notices: tuple[str, ...] = ()) -> Study:
    """Return a picture study: 160 columns, 240 rows, one sagittal slice with a bright canal."""
    rng = np.random.default_rng(0)
    array = rng.uniform(60, 90, (COLUMNS, ROWS, 1)).astype(np.float32)
    array[92:108] = 220.0
    series = Series(
        id="S1",
        role="sagittal_t2",
        plane=Plane.SAGITTAL,
        sequence=Sequence.T2,
        volume=Volume(array=array, spacing=spacing, affine=None, source_shape=array.shape),
        reasons=("a picture is one sagittal slice",),
        header={"echo_time_ms": 100.0},
    )
    return Study(
        key="0123456789abcdef", source=SourceKind.PICTURE, protocol="lumbar", series=(series,), notices=notices
    )


def fake_segmented(study: Study) -> SegmentedStudy:
    """Return five discs in a straight column, vertebrae between them and the canal behind."""
    labels = np.zeros(study.series[0].volume.shape, dtype=np.uint8)
    labels[92:108, 10:230] = 100
    levels = []
    for index, name in enumerate(LEVELS):
        y = 30 + index * _PITCH
        labels[40:90, y - 5 : y + 5] = disc_label(name)
        labels[40:90, y - 30 : y - 6] = vertebra_label(name.split("-")[0])
        levels.append(
            Level(
                name=name,
                series_id="S1",
                slice_index=0,
                centre_px=(65.0, float(y)),
                posterior_px=(90.0, float(y)),
                centre_ras_mm=None,
                angle_deg=0.0,
                length_px=50.0,
                confidence=0.97,
                doubt=None if index else "the top of the column is cut off",
            )
        )
    return SegmentedStudy(
        label_maps=(LabelMap("S1", labels),),
        primary_series_id="S1",
        levels=tuple(levels),
        series_levels={"S1": tuple(levels)},
        measurements=fake_measurements(study),
        regions=tuple(
            Region(
                name,
                "S1",
                0,
                (40.0, 20.0, 90.0, 50.0),
                np.zeros((4, 8), dtype=np.float32),
                network="segmenter-sum",
            )
            for name in LEVELS
        ),
        notices=("the sacrum is not segmented",),
    )


def fake_measurements(study: Study) -> tuple[Measurement, ...]:
    """Return disc height and canal diameter of every level, in mm only with spacing."""
    spacing = study.series[0].volume.spacing
    reason = None if spacing else "pixel spacing unknown"
    items = []
    for index, name in enumerate(LEVELS):
        for offset, (quantity, pixels) in enumerate((("disc_height", 10.0), ("canal_ap_diameter", 16.0))):
            items.append(
                Measurement(
                    id=f"m{2 * index + offset + 1}",
                    name=quantity,
                    level=name,
                    side=None,
                    value=None if spacing is None else pixels * spacing.row_mm,
                    unit="mm",
                    method="made up",
                    reason=reason,
                    series_id="S1",
                    slice_index=0,
                    line_px=((65.0, 25.0), (65.0, 35.0)) if spacing else None,
                    percentile=40.0 if spacing and quantity == "disc_height" else None,
                )
            )
    return tuple(items)


PFIRRMANN = dict(zip(LEVELS, ("II", "II", "III", "V", "IV"), strict=True))


def fake_findings(study: Study, segmented: SegmentedStudy) -> Findings:
    """Return Pfirrmann II, II, III, V, IV; a bulge at L4-L5; stenosis severe at L4-L5 when mm are known."""
    grades: list[Grade] = []
    has_mm = study.series[0].volume.spacing is not None
    for index, level in enumerate(segmented.levels):
        evidence = Evidence("S1", 0, (40.0, level.centre_px[1] - 10, 90.0, level.centre_px[1] + 10))
        bulge = "present" if level.name == "L4-L5" else "absent"
        pfirrmann = PFIRRMANN[level.name]
        stenosis = "severe" if level.name == "L4-L5" else "normal_mild"
        canal = f"m{2 * index + 2}"
        grades += [
            replace(
                _graded(
                    f"g{len(grades) + 1}",
                    level.name,
                    Condition.DISC_DEGENERATION,
                    "pfirrmann",
                    pfirrmann,
                    evidence,
                ),
                prediction_set=("IV", "V") if pfirrmann == "V" else (pfirrmann,),
            ),
            _graded(f"g{len(grades) + 2}", level.name, Condition.DISC_BULGING, "presence", bulge, evidence),
            replace(
                _graded(
                    f"g{len(grades) + 3}", level.name, Condition.SPINAL_CANAL_STENOSIS, "rsna", stenosis, evidence
                ),
                probabilities={},
                reason="canal_ap_verbiest/1",
                measurement_ids=(canal,),
            )
            if has_mm
            else _ungraded(
                f"g{len(grades) + 3}", level.name, Condition.SPINAL_CANAL_STENOSIS, "rsna", "pixel spacing unknown"
            ),
            _ungraded(f"g{len(grades) + 4}", level.name, Condition.MODIC, "modic", "no sagittal T1 series"),
        ]
    return Findings(
        study_key=study.key,
        protocol="lumbar",
        sequences=("sagittal_t2",),
        levels=segmented.levels,
        measurements=segmented.measurements,
        grades=tuple(grades),
        burden=Burden(42.0, "moderate", (BurdenTerm("g13", 30.0), BurdenTerm("g14", 12.0)), "burden/1"),
        notices=("Modic changes need T1 and T2",),
    )


def _graded(name: str, level: str, condition: Condition, scale: str, grade: str, evidence: Evidence) -> Grade:
    return Grade(
        id=name,
        level=level,
        side=None,
        condition=condition,
        scale=scale,
        grade=grade,
        probabilities={grade: 0.9},
        prediction_set=(grade,),
        status=GradeStatus.GRADED,
        reason=None,
        evidence=evidence,
    )


def _ungraded(name: str, level: str, condition: Condition, scale: str, reason: str) -> Grade:
    return Grade(
        id=name,
        level=level,
        side=None,
        condition=condition,
        scale=scale,
        grade=None,
        probabilities={},
        prediction_set=(),
        status=GradeStatus.NOT_ASSESSABLE,
        reason=reason,
        evidence=None,
    )


def fake_draft(findings: Findings, source: SentenceSource) -> Draft:
    """Return one sentence of technique, one of findings, one of impression."""
    sentences = [
        DraftSentence("Sagittal T2 images were read.", (), source),
        DraftSentence("L4-L5: disc bulge.", ("g14",), source),
        DraftSentence("Disc bulge at L4-L5.", ("g14",), source),
    ]
    names = ("technique", "findings", "impression")
    return Draft(tuple(DraftSection(name, (text,)) for name, text in zip(names, sentences, strict=True)))


class FakeSegmenter:
    """Segments every study alike; refuses the study ``refuse`` names by its key."""

    checksum = "segmenter-sum"
    gate_checksum: str | None = None
    axial_checksum: str | None = None
    naming_checksum: str | None = None
    precision = "float32"

    def __init__(self) -> None:
        self.anchors: list[object] = []

    def segment_study(
        self,
        study: Study,
        protocol: anatomy.Protocol,
        *,
        anchor: tuple[str, tuple[float, float]] | None = None,
        is_forced: bool = False,
    ) -> SegmentedStudy:
        self.anchors.append(anchor)
        if study.key != "nospine":
            return fake_segmented(study)
        if not is_forced:
            raise NotEligibleError("no spine was found in the picture", code="no_spine_found")
        refusal = GateFinding("no_spine_found", "no spine was found in the picture", "S1")
        ood = OutOfDistribution(score=-3.0, p_value=0.01, threshold=0.02)
        return replace(fake_segmented(study), refusals=(refusal,), ood=ood)

    def segment_imported(
        self, study: Study, protocol: anatomy.Protocol, imported: ImportedLabels, *, is_forced: bool = False
    ) -> SegmentedStudy:
        return replace(fake_segmented(study), notices=imported.notices())

    def explain(self, study: Study, segmented: SegmentedStudy) -> Explanation:
        columns, rows, _ = study.series[0].volume.shape
        maps = np.linspace(0, 1, 2 * rows * columns, dtype=np.float32).reshape(2, rows, columns)
        return Explanation("S1", 0, ("disc", "L4-L5"), maps)


class FakeGrader:
    checksum = "grader-sum"

    def grade(self, study: Study, segmented: SegmentedStudy, protocol: anatomy.Protocol) -> Findings:
        return fake_findings(study, segmented)


class FakeDrafter:
    checksum = "drafter-sum"
    segmentation_checksum: str | None = "segmenter-sum"
    prompt_id = "prompt/1"
    regions_seen = -1
    pictures_seen = -1
    style_seen = ""
    consistency_floor: float | None = None

    def disclose(self, findings: Findings) -> str | None:
        return None

    def write_draft(
        self,
        findings: Findings,
        regions: tuple[Region, ...],
        protocol: anatomy.Protocol,
        *,
        style: str = "structured",
        pictures: tuple[KeySlice, ...] = (),
        rates_consistency: bool = False,
    ) -> Draft:
        self.regions_seen, self.style_seen, self.pictures_seen = len(regions), style, len(pictures)
        return self.draft(findings)

    def draft(self, findings: Findings) -> Draft:
        return fake_draft(findings, SentenceSource.VLM)


class FailingDrafter(FakeDrafter):
    def draft(self, findings: Findings) -> Draft:
        raise RuntimeError("the decoder fell over")


class StuckDrafter(FakeDrafter):
    """Writes only once it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.calls = 0

    def draft(self, findings: Findings) -> Draft:
        self.calls += 1
        self.release.wait(30)
        return fake_draft(findings, SentenceSource.VLM)


def fake_load_study(
    path: Path, *, protocol: str = "auto", spacing: Spacing | None = None, study: str | None = None
) -> Study:
    """Load by file name: ``broken``, ``nospine``, ``black``, ``coarse``, ``crash`` and ``cervical`` behave so."""
    stem = path.name.split(".")[0]
    if stem == "broken":
        raise StudyError(f"{path.name}: expected an image, found text")
    if stem == "crash":
        raise ZeroDivisionError("something nobody thought of")
    if study not in (None, "1"):
        raise StudyError(f"{path.name}: expected one of its studies, got {study!r}")
    found = fake_study(spacing, notices=("the sequence is assumed to be T2",))
    if stem in ("nospine", "black", "coarse"):
        return replace(found, key=stem)
    if stem == "cervical" or protocol == "cervical":
        return replace(found, protocol="cervical")
    return found


def fake_check(study: Study) -> Eligibility:
    if study.key == "black":
        finding = GateFinding("black", "the picture is black", can_be_overridden=False)
        return Eligibility(False, (finding.text,), finding.code, refusals=(finding,))
    if study.key == "coarse":
        finding = GateFinding("too_coarse", "the pixels are too coarse", "S1")
        return Eligibility(False, (finding.text,), finding.code, refusals=(finding,))
    return Eligibility(True)


def fake_verify(draft: Draft, findings: Findings, comparison: Comparison | None = None) -> Report:
    sections = [
        ReportSection(
            section.name,
            tuple(
                ReportSentence(item.text, item.finding_ids, item.source, SentenceStatus.SUPPORTED)
                for item in section.sentences
            ),
        )
        for section in draft.sections
    ]
    return Report(ReportState.DRAFT, tuple(sections))


def fake_stages(
    *, drafter: WritesDraft | None = None, load_models: Callable[[anatomy.Protocol], Models] | None = None
) -> Stages:
    """Return stages of fakes; without a drafter the language model counts as not installed."""

    def models(protocol: anatomy.Protocol) -> Models:
        if protocol.name != "lumbar":
            raise NotEligibleError(f"protocol {protocol.name}: not installed", code="weights_not_installed")
        return Models(FakeSegmenter(), FakeGrader(), drafter)

    return Stages(
        load_study=fake_load_study,
        load_study_isolated=fake_load_study,
        check_eligibility=fake_check,
        load_models=load_models or models,
        compose_report=lambda findings: fake_draft(findings, SentenceSource.COMPOSER),
        verify_draft=fake_verify,
        phrase_versions={"phrases": "phrases/1"},
    )


def fake_reader(drafter: WritesDraft | None = None) -> Reader:
    """Return a reader of fakes; the drafter works unless another one is given."""
    return Reader(fake_stages(drafter=drafter or FakeDrafter()))
