"""Holds one series against the bounds of its protocol: matrix, spacing, field of view, quality of its slices.

The slices in the middle of a series are judged, and it is refused only when none of them passes: one spoilt slice
(a screw beside the midline, an empty end of the stack) is a warning.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anatomy.eligibility import EligibilityRules
from imaging.artefacts import measure_quality
from imaging.coverage import measure_coverage
from imaging.types import GateFinding, Series, SourceKind

_LEAST_SIDE_PX = 8
"""Below it nothing is measured."""


@dataclass(frozen=True)
class SeriesVerdict:
    """What was found of one series.

    Attributes:
        series: The series.
        refusals: What forbids reading it.
        warnings: What is marginal.
    """

    series: Series
    refusals: tuple[GateFinding, ...]
    warnings: tuple[GateFinding, ...]


@dataclass(frozen=True)
class _Check:
    """One bound and its words.

    Attributes:
        code: Of the finding.
        rule: Field of ``EligibilityRules`` (for quality, of ``ImageQuality`` as well).
        found: What is found; ``{value}`` is the measured number.
        unit: Of the bound, with its space, or empty.
        advice: What to do.
    """

    code: str
    rule: str
    found: str
    unit: str
    advice: str


_PIXEL = _Check("too_coarse", "pixel_mm", "{value:.2f} mm between pixels", " mm", "Give the original matrix.")
_DISTANCE = _Check(
    "slices_too_far_apart", "slice_distance_mm", "{value:.1f} mm between slices", " mm", "Give all its slices."
)
_SLICES = _Check("too_few_slices", "slices", "a number of slices of {value}", "", "Give all its slices.")
_ALONG = _Check(
    "coverage_too_small",
    "along_mm",
    "{value:.0f} mm of field of view along",
    " mm",
    "Give a larger field of view.",
)
_ACROSS = _Check(
    "coverage_too_small",
    "across_mm",
    "{value:.0f} mm of field of view across",
    " mm",
    "Give a larger field of view.",
)
_ANATOMY = (
    _Check(
        "noise_image",
        "structure",
        "noise, not anatomy (likeness of neighbours {value:.2f})",
        "",
        "Check the file.",
    ),
    _Check("blurred_image", "sharpness", "hardly any detail (sharpness {value:.3f})", "", "Give the original."),
    _Check("noise_image", "sparsity", "noise, not anatomy (weight of edges {value:.2f})", "", "Check the file."),
)
_QUALITY = (
    _Check("severe_noise", "noise", "noise of {value:.2f} of its grey range", "", "Repeat it with more signal."),
    _Check("severe_ghosting", "ghosting", "ghosts of motion or flow (strength {value:.3f})", "", "Repeat it."),
    _Check(
        "saturated_image", "saturation", "{value:.2f} of its pixels at the top value", "", "Export it unclipped."
    ),
    _Check(
        "metal_artefact",
        "void",
        "a signal void with a bright rim, as metal gives it (share {value:.4f})",
        "",
        "Repeat it with a sequence that corrects for metal, or read it by eye.",
    ),
)

_Finding = tuple[GateFinding, bool]
"""A finding, and whether it is a refusal."""


def check_series(series: Series, source: SourceKind, rules: EligibilityRules) -> SeriesVerdict:
    """Hold a series against the rules.

    Args:
        series: Of a plane that the protocol needs.
        source: A picture has one slice and mostly no spacing: neither is held against it.
        rules: Of the protocol.
    """
    findings = [*_matrix(series, rules), *_coverage(series, source, rules), *_quality(series, rules)]
    return SeriesVerdict(
        series,
        tuple(finding for finding, is_refusal in findings if is_refusal),
        tuple(finding for finding, is_refusal in findings if not is_refusal),
    )


def _matrix(series: Series, rules: EligibilityRules) -> Iterator[_Finding]:
    columns, rows, _ = series.volume.shape
    if min(columns, rows) < rules.min_side_px:
        text = (
            f"Series {series.id} has {columns} x {rows} pixels; at least {rules.min_side_px} on each side are "
            "needed. Give the original matrix."
        )
        yield GateFinding("too_small", text, series.id), True


def _coverage(series: Series, source: SourceKind, rules: EligibilityRules) -> Iterator[_Finding]:
    """Yield findings on geometry in mm; unknown spacing is not judged."""
    seen, spacing = measure_coverage(series), series.volume.spacing
    measured = [
        (_PIXEL, None if spacing is None else max(spacing.row_mm, spacing.col_mm)),
        (_DISTANCE, seen.slice_distance_mm),
        (_SLICES, None if source is SourceKind.PICTURE else seen.slices),
        (_ALONG, seen.along_mm),
        (_ACROSS, seen.across_mm),
    ]
    for check, value in measured:
        if value is not None:
            yield from _held_against(check, series, rules, value)


def _quality(series: Series, rules: EligibilityRules) -> list[_Finding]:
    """Judge the slices in the middle of a series, the middle one first."""
    count = series.volume.shape[2]
    middle = sorted({count // 2, count // 4, (3 * count) // 4}, key=lambda k: abs(k - count // 2))
    judged = [_judge_slice(series, k, rules) for k in middle]
    if all(any(is_refusal for _, is_refusal in findings) for findings in judged):
        return judged[0]
    once = {finding.code: finding for findings in reversed(judged) for finding, _ in findings}
    return [(finding, False) for finding in once.values()]


def _judge_slice(series: Series, k: int, rules: EligibilityRules) -> list[_Finding]:
    image = series.volume.slice_image(k)
    if min(image.shape) < _LEAST_SIDE_PX:
        return []  # refused for its matrix
    quality = measure_quality(image)
    if quality.is_flat or quality.grey_levels < rules.min_grey_levels:
        text = (
            f"Series {series.id} shows no anatomy: the image is black, even, or has only {quality.grey_levels} "
            f"grey levels of at least {rules.min_grey_levels}. Check the file."
        )
        return [(GateFinding("blank_image", text, series.id, can_be_overridden=False), True)]
    values = vars(quality)
    found = [item for row in _ANATOMY for item in _held_against(row, series, rules, values[row.rule])]
    refusals = [item for item in found if item[1]]
    if refusals:
        return refusals[:1]  # where there is no anatomy, its artefacts are not judged
    return found + [item for row in _QUALITY for item in _held_against(row, series, rules, values[row.rule])]


def _held_against(check: _Check, series: Series, rules: EligibilityRules, value: float) -> Iterator[_Finding]:
    limit = getattr(rules, check.rule)
    is_refusal = limit.refuses(value)
    if not is_refusal and not limit.is_marginal(value):
        return
    bound, need = (limit.refuse, "can be read") if is_refusal else (limit.marginal, "is good")
    side = "at least" if limit.is_least else "at most"
    found = check.found.format(value=value)
    text = f"Series {series.id} has {found}; {side} {bound:g}{check.unit} {need}. {check.advice}"
    yield GateFinding(check.code, text, series.id), is_refusal
