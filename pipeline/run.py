"""A study goes in, a verified draft report comes out: every step, in order, on one page.

load -> is it eligible? -> segment and name levels -> grade -> draft -> verify -> picture -> ``Reading``.
Nothing here knows medicine; each step belongs to its room.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from anatomy import Protocol, load_protocol
from grading.triage import triage_alert
from grading.types import Findings
from imaging.admission import admit, after_segmentation, eligibility_notices, without_unusable
from imaging.types import Eligibility, Study
from pipeline.config import ReadOptions, Writer
from pipeline.consistency import consistency_notice
from pipeline.drafting import DraftOutcome, DraftWriter
from pipeline.overlay import render_overlay
from pipeline.pictures import key_slices
from pipeline.prior import compare_prior, open_prior
from pipeline.stages import Models, Stages, open_stages
from pipeline.types import Reading
from reporting.prior import Comparison
from runtime.progress import Progress
from runtime.provenance import Provenance, collect_provenance
from runtime.settings import Settings, load_settings
from segmentation.types import SegmentedStudy
from vlm.writers import WriterChoice, preset_file

_log = logging.getLogger(__name__)


class Reader:
    """Reads studies one after another; models are loaded once a protocol and kept.

    Args:
        stages: The rooms.
        composes: Whether the composer writes every report, whatever a reading asks for.
    """

    def __init__(self, stages: Stages, *, composes: bool = False) -> None:
        self._stages = stages
        self._composes = composes
        self._models: dict[str, Models] = {}
        self._writer = DraftWriter(stages.compose_report)

    @classmethod
    def load(
        cls,
        *,
        weights_root: Path | None = None,
        device: str = "auto",
        warm: tuple[str, ...] = (),
        writer: WriterChoice | None = None,
    ) -> Reader:
        """Open the real rooms.

        Args:
            weights_root: Folder of all weights; None takes the one of the settings.
            device: ``auto``, ``cpu``, ``cuda`` ...
            warm: Protocols whose models are loaded now; those of others load with their first study.
            writer: Who writes the drafts; None takes the one of the settings, else the protocol's.

        Raises:
            NotEligibleError: If weights of a protocol in ``warm`` are not installed.
            ConfigError: If there is no such writer.
        """
        settings = load_settings()
        root = settings.weights_dir if weights_root is None else weights_root
        chosen = writer or _writer_of(settings)
        composes = chosen is not None and chosen.name == Writer.COMPOSER
        if chosen is not None and not composes:
            preset_file(chosen.name)  # a name that is none fails now, not with the first study
        stages = open_stages(weights_root=root, device=device, writer=None if composes else chosen)
        reader = cls(stages, composes=composes)
        for name in warm:
            reader.models(load_protocol(name))
        return reader

    def models(self, protocol: Protocol) -> Models:
        """Return the models of a protocol, loading them the first time."""
        if protocol.name not in self._models:
            self._models[protocol.name] = self._stages.load_models(protocol)
        return self._models[protocol.name]

    def read(self, path: Path, options: ReadOptions | None = None) -> Iterator[Progress | Reading]:
        """Read one path; yields progress and, last, the reading.

        Raises:
            StudyError: If the path cannot be read as a spine study, or the earlier reading does not fit it.
            NotEligibleError: If it was read, but a report on it would not be trustworthy.
        """
        options = options or ReadOptions()
        if self._composes:
            options = replace(options, writer=Writer.COMPOSER)
        clock = _Clock()

        yield Progress("imaging", 0.0, "reading the images")
        with clock.measure("imaging"):
            load = self._stages.load_study_isolated if options.isolate else self._stages.load_study
            study = load(path, protocol=options.protocol, spacing=options.spacing, study=options.study)
            eligibility = admit(self._stages.check_eligibility(study), options.override)
            study = without_unusable(study, eligibility)
        protocol = load_protocol(study.protocol)
        prior = open_prior(options.prior, protocol=protocol.name, name=options.prior_name)

        yield Progress("models", 0.1, f"opening the models of the {protocol.name} protocol")
        with clock.measure("models"):
            models = self.models(protocol)

        yield Progress("segmentation", 0.2, "outlining structures and naming levels")
        with clock.measure("segmentation"):
            segmented = _segment(models, study, protocol, options)
            eligibility = after_segmentation(
                eligibility, segmented.refusals, segmented.ood, study_key=study.key, override=options.override
            )

        yield Progress("grading", 0.6, f"grading {len(segmented.levels)} levels")
        with clock.measure("grading"):
            findings = models.grader.grade(study, segmented, protocol)

        yield Progress("drafting", 0.75, "writing the draft")
        with clock.measure("drafting"):
            drafted = self._draft(models, study, findings, segmented, protocol, options)

        yield Progress("verifying", 0.9, "checking every sentence against the findings")
        with clock.measure("verifying"):
            comparison = compare_prior(prior, study, findings, models.checksums())
            report = self._stages.verify_draft(drafted.draft, findings, comparison)

        yield Progress("overlay", 0.95, "drawing the overlay")
        with clock.measure("overlay"):
            overlay_png = render_overlay(study, segmented)
            explanation = models.segmenter.explain(study, segmented) if options.explain else None

        reading = Reading(
            study=study,
            eligibility=eligibility,
            segmented=segmented,
            findings=findings,
            report=report,
            overlay_png=overlay_png,
            provenance=self._provenance(models, findings, protocol, options, drafted),
            notices=_notices(
                study,
                eligibility,
                segmented,
                findings,
                drafted,
                options,
                comparison,
                consistency_notice(report, models.drafter) if options.consistency else None,
            ),
            comparison=comparison,
            prior_study_key=options.prior_study_key,
            anchor=options.anchor,
            explanation=explanation,
            timings_s=clock.seconds,
        )
        _log.debug("study %s: seconds by stage: %s", study.key, clock)
        yield Progress("done", 1.0, f"{len(findings.grades)} grades at {len(findings.levels)} levels")
        yield reading

    def _draft(
        self,
        models: Models,
        study: Study,
        findings: Findings,
        segmented: SegmentedStudy,
        protocol: Protocol,
        options: ReadOptions,
    ) -> DraftOutcome:
        if options.writer is Writer.COMPOSER:
            return DraftOutcome(self._stages.compose_report(findings), None)
        pictures = () if models.drafter is None else key_slices(study, segmented)
        return self._writer.write(
            models.drafter,
            findings,
            models.known_regions(segmented.regions),
            protocol,
            style=options.style,
            seconds=options.draft_seconds,
            pictures=pictures,
            rates_consistency=options.consistency,
        )

    def _provenance(
        self, models: Models, findings: Findings, protocol: Protocol, options: ReadOptions, drafted: DraftOutcome
    ) -> Provenance:
        """Return what made a reading; a language model that wrote nothing is not named."""
        weights = models.checksums()
        if options.labels is not None:
            weights["imported-labels"] = options.labels.sha256
        prompts = {name: str(rule) for name, rule in protocol.rules.items()}
        prompts |= {"burden": findings.burden.formula, **self._stages.phrase_versions}
        if options.writer is Writer.COMPOSER or drafted.notice is not None or models.drafter is None:
            weights.pop("vlm", None)
        else:
            prompts["vlm"] = models.drafter.prompt_id
            prompts["vlm_regions"] = "used" if models.drafter_knows_regions else "left out"
        config = {**options.to_dict(), "read_as": protocol.name, "precision": models.segmenter.precision}
        return collect_provenance(weights=weights, config=config, prompts=prompts)


def read_study(path: Path, options: ReadOptions | None = None) -> Reading:
    """Read one path with freshly loaded models: the one-call door; ``Reader`` is the one for many studies."""
    for event in Reader.load().read(path, options):
        if isinstance(event, Reading):
            return event
    raise AssertionError("Reader.read ends with a Reading or raises")


def _writer_of(settings: Settings) -> WriterChoice | None:
    """Return the writer that the settings name, or None."""
    if not settings.writer:
        return None
    return WriterChoice(settings.writer, settings.writer_model or None)


def _segment(models: Models, study: Study, protocol: Protocol, options: ReadOptions) -> SegmentedStudy:
    """Return the study outlined and named, by our network or from another tool's labels."""
    is_forced = options.override is not None
    if options.labels is not None:
        return models.segmenter.segment_imported(study, protocol, options.labels, is_forced=is_forced)
    return models.segmenter.segment_study(study, protocol, anchor=options.anchor, is_forced=is_forced)


class _Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __str__(self) -> str:
        return ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in self.seconds.items())

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - start


def _notices(
    study: Study,
    eligibility: Eligibility,
    segmented: SegmentedStudy,
    findings: Findings,
    drafted: DraftOutcome,
    options: ReadOptions,
    comparison: Comparison | None,
    consistency: str | None,
) -> tuple[str, ...]:
    """Return all notices, each once: what is urgent, then in the order of the stages."""
    own = [told for told in (drafted.notice, drafted.disclosure) if told is not None]
    own += () if comparison is None else comparison.notices
    own += () if consistency is None else (consistency,)
    gate = eligibility_notices(eligibility, options.override)
    urgent = triage_alert(findings.grades)
    first = () if urgent is None else (urgent,)
    return tuple(dict.fromkeys((*first, *gate, *study.notices, *segmented.notices, *findings.notices, *own)))
