"""The record that keeps everything known about one study after it was read."""

from dataclasses import dataclass, field

from grading.triage import triage_alert
from grading.types import Findings
from imaging.admission import override_alert
from imaging.types import Eligibility, Series, Study
from reporting.prior import Comparison
from reporting.types import Report
from runtime.provenance import Provenance
from segmentation.types import Explanation, SegmentedStudy


@dataclass(frozen=True)
class Reading:
    """One study, read.

    Attributes:
        study: What was read.
        eligibility: Outcome of the gates; when not eligible, with the override that had it read.
        segmented: Label maps, levels, measurements, regions.
        findings: The graph of facts.
        report: The verified draft report.
        overlay_png: PNG of the primary slice with structures and level names.
        provenance: What made it.
        notices: Everything a reader should know about this run, each once: what is urgent, then in the order
            of the stages.
        comparison: Change table against the earlier reading that was given; None without one.
        prior_study_key: Study key of the prior reading that was given; None without one.
        anchor: The disc level that a person confirmed, and its point (x, y) in pixels of a slice of the primary
            series; None without one.
        explanation: Where the segmentation network looked; None when it was not asked for.
        timings_s: Stage -> seconds. Not written to reading.json, so that the same input gives the same bytes.
    """

    study: Study
    eligibility: Eligibility
    segmented: SegmentedStudy
    findings: Findings
    report: Report
    overlay_png: bytes
    provenance: Provenance
    notices: tuple[str, ...] = ()
    comparison: Comparison | None = None
    prior_study_key: str | None = None
    anchor: tuple[str, tuple[float, float]] | None = None
    explanation: Explanation | None = None
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def alert(self) -> str | None:
        """Return what must stand above the report: an overridden gate, urgent findings; None for neither."""
        return " ".join(self.alerts) or None

    @property
    def alerts(self) -> tuple[str, ...]:
        """Return the sentences of the alert."""
        told = (override_alert(self.eligibility), triage_alert(self.findings.grades))
        return tuple(sentence for sentence in told if sentence is not None)

    @property
    def primary_series(self) -> Series:
        """Return the series that levels and measurements lie on."""
        return next(item for item in self.study.series if item.id == self.segmented.primary_series_id)
