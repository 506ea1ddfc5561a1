"""The gate before segmentation: MR slices of the planes the protocol reads, whole, sharp and clean enough?

The bounds belong to the protocol (``configs/protocols/*.yaml``, ``eligibility:``). A series that fails a check
(``imaging.series_checks``) is not read; when every usable series fails, the study is refused, with a code and one
sentence that says what was found, what is needed and what to do. What is only marginal is a warning. Modality and
body region are judged while the files are opened (``imaging.modality``, ``imaging.body_region``); whether a spine
is seen, by the segmentation.
"""

from collections.abc import Sequence
from dataclasses import replace

from anatomy import Protocol, load_protocol
from imaging.admission import refused
from imaging.roles import spoken_role
from imaging.series_checks import SeriesVerdict, check_series
from imaging.types import Eligibility, GateFinding, Series, Study


def check_eligibility(study: Study) -> Eligibility:
    """Judge whether the study can be read.

    Returns:
        Not eligible with the code ``no_sagittal_series`` (or of the plane the protocol needs), ``too_small``,
        ``too_coarse``, ``slices_too_far_apart``, ``too_few_slices``, ``coverage_too_small``, ``blank_image``,
        ``noise_image``, ``blurred_image``, ``severe_noise``, ``severe_ghosting``, ``saturated_image``,
        ``metal_artefact`` or ``contrast_enhanced_only`` and one sentence each; else eligible, with warnings.
    """
    protocol = load_protocol(study.protocol)
    planes = sorted({role.plane for role in protocol.roles if role.is_required})
    order = {role.name: rank for rank, role in enumerate(protocol.roles)}
    usable = [item for item in study.series if item.role is not None and item.plane.value in planes]
    if not usable:
        code = f"no_{'_or_'.join(planes)}_series"
        return refused((GateFinding(code, _no_series(study, protocol, planes), can_be_overridden=False),))
    usable.sort(key=lambda item: order.get(item.role or "", len(order)))
    verdicts = [check_series(item, study.source, protocol.eligibility) for item in usable]
    passing = [item for item in verdicts if not item.refusals]
    if not passing:
        return _refused_series(verdicts)
    unusable = {item.series.id for item in verdicts if item.refusals}
    refusals = _contrast([item.series for item in passing], protocol)
    warnings = [finding for item in verdicts for finding in (*item.refusals, *item.warnings)]
    warnings += [] if refusals else _some_contrast([item.series for item in passing])
    warnings += _missing_roles(study, protocol, unusable)
    outcome = refused(refusals) if refusals else Eligibility(is_eligible=True)
    return replace(outcome, warnings=tuple(warnings), unusable_series=tuple(sorted(unusable)))


def _refused_series(verdicts: list[SeriesVerdict]) -> Eligibility:
    """Refuse a study of which no series passes; one that cannot be overridden leaves the others to be."""
    soft = [item for item in verdicts if all(finding.can_be_overridden for finding in item.refusals)]
    told = soft or verdicts[:1]
    refusals = [finding for item in told for finding in item.refusals]
    warnings = [finding for item in told for finding in item.warnings]
    hard = [item for item in verdicts if soft and item not in soft]
    warnings += [finding for item in hard for finding in item.refusals]
    outcome = refused(_one_of_each(refusals))
    return replace(outcome, warnings=tuple(warnings), unusable_series=tuple(item.series.id for item in hard))


def _one_of_each(refusals: list[GateFinding]) -> list[GateFinding]:
    """Return the first refusal of each code: two series with the same fault need one sentence."""
    return list({item.code: item for item in reversed(refusals)}.values())[::-1]


def _contrast(series: Sequence[Series], protocol: Protocol) -> list[GateFinding]:
    """Return a refusal when every series is known to be after contrast medium."""
    if protocol.eligibility.allows_contrast_only or not all(item.has_contrast for item in series):
        return []
    found = ", ".join(f"{item.id} ({spoken_role(item.role or '')})" for item in series)
    text = (
        f"All usable series were taken after contrast medium: {found}; at least one before it is needed, as "
        "enhancement changes the signal of marrow and discs. Add the series before contrast."
    )
    return [GateFinding("contrast_enhanced_only", text)]


def _some_contrast(series: Sequence[Series]) -> list[GateFinding]:
    return [
        GateFinding(
            "after_contrast",
            f"Series {item.id} was taken after contrast medium: grades that rest on its signal are uncertain.",
            item.id,
        )
        for item in series
        if item.has_contrast
    ]


def _no_series(study: Study, protocol: Protocol, planes: list[str]) -> str:
    needed = " or ".join(planes)
    kinds = list(dict.fromkeys(name.upper() for role in protocol.roles for name in role.sequences))
    found = ", ".join(sorted({f"{item.plane.value} {item.sequence.value}" for item in study.series})) or "none"
    return (
        f"{protocol.title} needs a {needed} series of {', '.join(kinds[:-1])} or {kinds[-1]} weighting; the "
        f"series found are: {found}. Add the {needed} series."
    )


def _missing_roles(study: Study, protocol: Protocol, unusable: set[str]) -> list[GateFinding]:
    there = {item.role for item in study.series if item.id not in unusable}
    return [
        GateFinding("missing_series", f"No {spoken_role(role.name)} series: what needs it is not assessable.")
        for role in protocol.roles
        if role.is_required and role.name not in there
    ]
