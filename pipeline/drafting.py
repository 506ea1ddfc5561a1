"""Who writes the draft: the language model within its time, else the composer, which always can."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import anatomy
from grading.types import Findings
from pipeline.stages import WritesDraft
from reporting.types import Draft
from runtime.errors import WriterError
from segmentation.types import Region
from vlm.pictures import KeySlice

_log = logging.getLogger(__name__)

NO_MODEL = "No language model is available; the report was composed from the findings by rule."
BY_RULE = "the report was composed from the findings by rule"
FAILED = "The language model could not write a draft; the report was composed from the findings by rule."
TOO_SLOW = "The language model took too long; the report was composed from the findings by rule."


@dataclass(frozen=True)
class DraftOutcome:
    """A draft and what a reader is told of its writing.

    Attributes:
        draft: The draft.
        notice: Why the composer wrote it; None when the language model did, or nobody asked it to.
        disclosure: What the language model wants told whenever it was asked, such as where findings were sent.
    """

    draft: Draft
    notice: str | None
    disclosure: str | None = None


@dataclass
class _Attempt:
    """One run of the language model in its own thread."""

    draft: Draft | None = None
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def run(self, write: Callable[[], Draft]) -> None:
        try:
            self.draft = write()
        except Exception as error:
            self.error = error
        finally:
            self.done.set()


class DraftWriter:
    """Runs the language model with a time limit and falls back to the composer.

    A thread cannot be stopped from outside. One that overran goes on in the background and its text is thrown
    away; until it ends, further drafts are composed, so that slow drafts never pile up.
    """

    def __init__(self, compose_report: Callable[[Findings], Draft]) -> None:
        self._compose = compose_report
        self._overrun: _Attempt | None = None

    def write(
        self,
        drafter: WritesDraft | None,
        findings: Findings,
        regions: tuple[Region, ...],
        protocol: anatomy.Protocol,
        *,
        style: str,
        seconds: float,
        pictures: tuple[KeySlice, ...] = (),
        rates_consistency: bool = False,
    ) -> DraftOutcome:
        """Return the language model's draft, or the composer's with the reason.

        Args:
            drafter: The language model; None when it is not installed.
            findings: The facts.
            regions: Regions with their embeddings.
            protocol: The body region's plan.
            style: Style of the text.
            seconds: Longest time the language model may take.
            pictures: Key slices, for a language model with eyes.
            rates_consistency: Whether each sentence gets its agreement with sampled drafts.
        """
        if drafter is None:
            return DraftOutcome(self._compose(findings), NO_MODEL)
        if self._overrun is not None and not self._overrun.done.is_set():
            return DraftOutcome(self._compose(findings), TOO_SLOW)
        attempt = _Attempt()

        def write() -> Draft:
            return drafter.write_draft(
                findings, regions, protocol, style=style, pictures=pictures, rates_consistency=rates_consistency
            )

        threading.Thread(
            target=attempt.run,
            args=(write,),
            name="spinescribe-draft",
            daemon=True,
        ).start()
        if not attempt.done.wait(seconds):
            self._overrun = attempt
            _log.warning("study %s: draft not ready after %.0f s", findings.study_key, seconds)
            return DraftOutcome(self._compose(findings), TOO_SLOW, drafter.disclose(findings))
        if attempt.draft is None:
            return DraftOutcome(
                self._compose(findings), _reason(attempt.error, findings.study_key), drafter.disclose(findings)
            )
        return DraftOutcome(attempt.draft, None, drafter.disclose(findings))


def _reason(error: Exception | None, study_key: str) -> str:
    """Return why the composer writes; only a writer's own reason is fit to be read."""
    if isinstance(error, WriterError):
        _log.warning("study %s: draft failed: %s (%s)", study_key, error, error.code)
        return f"{str(error)[:1].upper()}{str(error)[1:]}; {BY_RULE}."
    _log.error("study %s: draft failed", study_key, exc_info=error)
    return FAILED
