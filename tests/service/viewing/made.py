"""A small made-up reading of two series: five sagittal slices with labels, three axial ones without spacing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from imaging.types import Eligibility, Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from pipeline.types import Reading
from reporting.types import SentenceSource
from runtime.provenance import collect_provenance
from segmentation.types import LabelMap
from tests.pipeline.fakes import fake_draft, fake_findings, fake_segmented, fake_study, fake_verify

SLICES = 5
MIDDLE = 2
SAGITTAL = np.array([[0.0, 0, -4, 8], [0, -0.5, 0, 40], [-0.5, 0, 0, 60], [0, 0, 0, 1]])[:, [1, 0, 2, 3]]
"""Columns run to the back, rows to the feet, slices to the patient's left."""


def made_reading() -> Reading:
    """Return the reading; levels, boxes and lines lie on slice 2 of S1."""
    study = _study()
    flat = fake_study(Spacing(0.5, 0.5))
    outlined = fake_segmented(flat)
    labels = np.zeros(study.series[0].volume.shape, dtype=np.uint8)
    for k in range(1, SLICES - 1):
        labels[:, :, k] = outlined.label_maps[0].array[:, :, 0]
    levels = tuple(replace(level, slice_index=MIDDLE) for level in outlined.levels)
    measurements = tuple(replace(item, slice_index=MIDDLE) for item in outlined.measurements)
    segmented = replace(
        outlined,
        label_maps=(LabelMap("S1", labels),),
        levels=levels,
        series_levels={"S1": levels},
        measurements=measurements,
    )
    findings = fake_findings(flat, segmented)
    grades = tuple(
        grade if grade.evidence is None else replace(grade, evidence=replace(grade.evidence, slice_index=MIDDLE))
        for grade in findings.grades
    )
    findings = replace(findings, study_key=study.key, grades=grades)
    return Reading(
        study=study,
        eligibility=Eligibility(is_eligible=True),
        segmented=segmented,
        findings=findings,
        report=fake_verify(fake_draft(findings, SentenceSource.VLM), findings),
        overlay_png=b"",
        provenance=collect_provenance(weights={}, config={}, prompts={}),
    )


def _study() -> Study:
    rng = np.random.default_rng(1)
    sagittal = rng.integers(60, 90, (160, 240, SLICES)).astype(np.float32)
    sagittal[92:108] = 220.0
    sagittal += 40.0 * np.arange(SLICES, dtype=np.float32)
    axial = rng.normal(0.0, 1.0, (64, 48, 3)).astype(np.float32)
    return Study(
        key="0123456789abcdef",
        source=SourceKind.NIFTI,
        protocol="lumbar",
        series=(
            Series(
                id="S1",
                role="sagittal_t2",
                plane=Plane.SAGITTAL,
                sequence=Sequence.T2,
                volume=Volume(sagittal, Spacing(0.5, 0.5, 4.0), SAGITTAL, sagittal.shape),
                header={"window_centre": 200.0, "window_width": 300.0},
            ),
            Series(
                id="S2",
                role=None,
                plane=Plane.UNKNOWN,
                sequence=Sequence.T1,
                volume=Volume(axial, None, None, axial.shape),
            ),
        ),
    )
