"""The gate before segmentation: is there an image of an MR slice, large enough, of a plane the protocol reads?

Each check looks at the slices in the middle of a series and refuses only when none of them passes. Whether there
is a spine in it is told by the segmentation. The bounds are ours; the tests hold them against
the real slices at hand.
"""

import numpy as np
from numpy.typing import NDArray

from anatomy import Protocol, load_protocol
from imaging.intensity import normalise_slice
from imaging.roles import spoken_role
from imaging.types import Eligibility, Series, Study

MIN_SIDE_PX = 96
"""Below it a disc of a lumbar field has fewer than about four rows."""

MAX_SPACING_MM = 2.0
"""A lumbar disc is about 8 to 12 mm high: four rows at least."""

MIN_GREY_LEVELS = 16
MIN_STRUCTURE = 0.25
"""Smallest ``structure_score`` of an image that is not noise. The 907 real slices at hand have 0.40 to 0.97; white
noise of any distribution has below 0.05."""

STRUCTURE_LAG = 1 / 64


def check_eligibility(study: Study) -> Eligibility:
    """Judge whether the study can be read.

    Returns:
        Not eligible with the code ``no_sagittal_series`` (or of the plane the protocol needs), ``too_small``,
        ``too_coarse``, ``blank_image`` or ``noise_image`` and one sentence; else eligible, with remarks on series
        that are missing or failed a check.
    """
    protocol = load_protocol(study.protocol)
    planes = {role.plane for role in protocol.roles if role.is_required}
    series = [item for item in study.series if item.role is not None and item.plane.value in planes]
    if not series:
        return _refused(f"no_{'_or_'.join(sorted(planes))}_series", _no_series(study, protocol, planes))
    failures = [failure for item in series if (failure := _check_series(item)) is not None]
    if len(failures) == len(series):
        code, reason = failures[0]
        return _refused(code, reason)
    remarks = [reason for _, reason in failures]
    return Eligibility(is_eligible=True, reasons=(*remarks, *_missing_roles(study, protocol)))


def structure_score(image: NDArray[np.float32]) -> float:
    """Return how alike pixels a short way apart are: near 0 for noise, near 1 for a smooth picture.

    Args:
        image: (H, W) original pixels.

    Returns:
        Smallest over both axes of the correlation of each pixel with the one ``STRUCTURE_LAG`` of the longer side
        away (at least 2 pixels). 0 when the slice has no contrast.
    """
    normal = normalise_slice(image)
    lag = max(2, round(max(image.shape) * STRUCTURE_LAG))
    return min(_correlation(normal[lag:], normal[:-lag]), _correlation(normal[:, lag:], normal[:, :-lag]))


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    if first.size == 0 or first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def _check_series(series: Series) -> tuple[str, str] | None:
    """Return (code, sentence) of the first check that fails, or None."""
    columns, rows, slices = series.volume.shape
    if min(columns, rows) < MIN_SIDE_PX:
        return "too_small", (
            f"Series {series.id} has {columns} x {rows} pixels; at least {MIN_SIDE_PX} on each side are needed."
        )
    spacing = series.volume.spacing
    if spacing is not None and max(spacing.row_mm, spacing.col_mm) > MAX_SPACING_MM:
        return "too_coarse", (
            f"Series {series.id} has {spacing.row_mm:.2f} x {spacing.col_mm:.2f} mm between pixels; at most "
            f"{MAX_SPACING_MM:g} mm can be read."
        )
    middle = {slices // 2, slices // 4, (3 * slices) // 4}
    failures = [_check_slice(series.volume.slice_image(k), series.id) for k in sorted(middle)]
    return None if None in failures else failures[len(failures) // 2]


def _check_slice(image: NDArray[np.float32], series_id: str) -> tuple[str, str] | None:
    low, high = np.percentile(image, (1, 99))
    levels = len(np.unique(image))
    if high <= low or levels < MIN_GREY_LEVELS:
        return "blank_image", (
            f"Series {series_id} shows no anatomy: the image is black, even, or has only {levels} grey levels."
        )
    score = structure_score(image)
    if score < MIN_STRUCTURE:
        return "noise_image", (
            f"Series {series_id} shows noise, not anatomy (likeness of neighbouring pixels {score:.2f}, at least "
            f"{MIN_STRUCTURE:g} expected)."
        )
    return None


def _no_series(study: Study, protocol: Protocol, planes: set[str]) -> str:
    needed = " or ".join(sorted(planes))
    found = ", ".join(sorted({f"{item.plane.value} {item.sequence.value}" for item in study.series})) or "none"
    return (
        f"{protocol.title} needs a {needed} series of T1, T2 or STIR weighting; the series found are: {found}. "
        f"Add the {needed} series."
    )


def _missing_roles(study: Study, protocol: Protocol) -> list[str]:
    return [
        f"No {spoken_role(role.name)} series: what needs it is not assessable."
        for role in protocol.roles
        if role.is_required and study.series_by_role(role.name) is None
    ]


def _refused(code: str, reason: str) -> Eligibility:
    return Eligibility(is_eligible=False, reasons=(reason,), code=code)
