"""Who is read: eligible studies, and those that a person wants read all the same, which is kept and shown.

``imaging.eligibility`` judges the images, the segmentation whether a spine is seen; here their refusals meet the
override. The reason that a person gives is kept in the reading; logs get codes only, as free text may name people.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from imaging.types import Eligibility, GateFinding, OutOfDistribution, Study
from runtime.errors import NotEligibleError

_log = logging.getLogger(__name__)


def refused(refusals: Sequence[GateFinding]) -> Eligibility:
    """Return the outcome of a study that is refused, for at least one reason."""
    return Eligibility(
        is_eligible=False,
        reasons=tuple(item.text for item in refusals),
        code=refusals[0].code,
        refusals=tuple(refusals),
    )


def admit(eligibility: Eligibility, override: str | None) -> Eligibility:
    """Let an eligible study pass, and one that a person wants read all the same.

    Args:
        eligibility: From ``check_eligibility``.
        override: The person's reason; None when nobody overrides.

    Raises:
        NotEligibleError: If it is refused and nobody overrides that, or nothing could be computed anyway.
    """
    if eligibility.is_eligible:
        return eligibility
    code, words = eligibility.code or "not_eligible", " ".join(eligibility.reasons)
    if override is None:
        raise NotEligibleError(words, code=code)
    if not eligibility.can_be_overridden:
        raise NotEligibleError(f"{words} An override does not help: nothing could be computed.", code=code)
    return replace(eligibility, override=override)


def without_unusable(study: Study, eligibility: Eligibility) -> Study:
    """Return the study without the series that failed a check while another passed."""
    left_out = set(eligibility.unusable_series)
    if not left_out:
        return study
    return replace(study, series=tuple(item for item in study.series if item.id not in left_out))


def after_segmentation(
    eligibility: Eligibility,
    refusals: Sequence[GateFinding],
    ood: OutOfDistribution | None,
    *,
    study_key: str,
    override: str | None,
) -> Eligibility:
    """Add what the segmentation's gates said, and write the log line of a reading that was overridden.

    Args:
        eligibility: From ``admit``.
        refusals: What the gates would have refused.
        ood: How the slice compares with real spines; None without a gate.
        study_key: For the log.
        override: The person's reason; None when nobody overrides.
    """
    outcome = replace(eligibility, ood=ood)
    if refusals:
        both = refused((*eligibility.refusals, *refusals))
        outcome = replace(
            both,
            warnings=eligibility.warnings,
            unusable_series=eligibility.unusable_series,
            override=override,
            ood=ood,
        )
    if outcome.override is not None:
        codes = ", ".join(item.code for item in outcome.refusals)
        _log.warning("study %s: read although not eligible (%s): overridden by a person", study_key, codes)
    return outcome


def eligibility_notices(eligibility: Eligibility, override: str | None) -> tuple[str, ...]:
    """Return what the reader of the report should know, the most important first."""
    notices = [] if (alert := override_alert(eligibility)) is None else [alert]
    if override is not None and eligibility.is_eligible:
        notices.append("An override was given and not needed: the study is eligible.")
    left_out = set(eligibility.unusable_series)
    for item in eligibility.warnings:
        notices.append(f"Not read: {item.text}" if item.series_id in left_out else item.text)
    return tuple(notices)


def override_alert(eligibility: Eligibility) -> str | None:
    """Return the sentence that stands above an overridden reading, else None."""
    if eligibility.override is None:
        return None
    reasons = " ".join(eligibility.reasons)
    return f"Read although not eligible, on a person's word (“{eligibility.override}”). {reasons}"
