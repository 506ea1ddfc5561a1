"""Gives the series of a study the roles that the protocol names, and says why each has or has none.

A series of known weighting takes the role of its plane and weighting; T2 with fat suppression may stand in for
STIR where there is none. Of several that fit, the first difference in the order of ``_CRITERIA`` decides. When
nothing tells the weighting (a bare picture or NIfTI, a stripped header), the series takes the first role of its
plane unless a known series has it, and that is said to be assumed. A series known to be something else (proton
density, T2*, diffusion, a map) takes none.
"""

import math
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Sequences
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anatomy import Protocol, SeriesRole
from imaging.acquisition import SequenceFinding
from imaging.geometry import nearest_plane
from imaging.types import Plane, Sequence, Series


@dataclass(frozen=True)
class Candidate:
    """A series without a role, with what is known about it.

    Attributes:
        series: The series.
        finding: Its weighting.
        regions: Parts of the body that its own description names (``imaging.words.region_words``).
    """

    series: Series
    finding: SequenceFinding
    regions: tuple[str, ...] = ()


Criterion = tuple[str, Callable[[Candidate, SeriesRole], float]]

PIXEL_STEP = 1.1
"""Pixel sizes that differ by less than about this factor count as equal. Own choice."""

_CRITERIA: tuple[Criterion, ...] = (
    ("is only a stand-in for the sequence asked for", lambda item, role: -_preference(item, role)),
    ("is after contrast medium", lambda item, role: not item.finding.has_contrast),
    ("is fat-suppressed", lambda item, role: not item.finding.is_fat_suppressed or "stir" in role.sequences),
    ("is a gradient echo", lambda item, role: not item.finding.is_gradient_echo),
    ("is reformatted from another series", lambda item, role: not item.finding.is_reformatted),
    ("has fewer than three slices", lambda item, role: item.series.volume.shape[2] >= 3),
    ("is oblique", lambda item, role: not _is_oblique_sagittal(item)),
    ("has larger pixels", lambda item, role: -_pixel_class(item)),
    ("has fewer slices", lambda item, role: item.series.volume.shape[2]),
)
"""In order: what the loser of a comparison is, and the merit compared (more is better). All equal, the later
series wins: a series is repeated because the first try failed."""

_KIND_CRITERIA = 5
"""The first criteria tell what a series is; stacks that share a role agree in all of them."""


def assign_roles(
    candidates: Sequences[Candidate], protocol: Protocol
) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """Give roles to series.

    Args:
        candidates: All usable series, in their order in the study.
        protocol: Body region's plan.

    Returns:
        The series in the same order, with roles and the reasons for them; and notices for the reader about
        assumed roles and stand-ins.
    """
    foreign = _foreign(candidates, protocol)
    taken: dict[int, tuple[str, str]] = {}
    notices: list[str] = []
    losers: dict[int, str] = dict(foreign)
    for role in protocol.roles:
        free = [index for index in range(len(candidates)) if index not in taken and index not in foreign]
        group, role_losers = _best_group(candidates, free, role)
        losers.update(role_losers)
        for index in group:
            taken[index] = (role.name, _why(candidates[index], role, len(group) + len(role_losers)))
        if group:
            notices += _stand_in_notice(candidates[group[0]], role)
    notices += _assume(candidates, protocol, taken, foreign)
    series = tuple(
        _with_role(item.series, taken.get(index), losers.get(index)) for index, item in enumerate(candidates)
    )
    return series, tuple(notices)


def _foreign(candidates: Sequences[Candidate], protocol: Protocol) -> dict[int, str]:
    """Return the series that name another part of the spine only, when others are of the part to be read."""
    named = {
        index: [region for region in item.regions if region in ("lumbar", "cervical", "sacroiliac", "thoracic")]
        for index, item in enumerate(candidates)
    }
    if not any(protocol.name in regions for regions in named.values()):
        return {}
    return {
        index: f"no role: its description names another part of the spine ({', '.join(regions)})"
        for index, regions in named.items()
        if regions and protocol.name not in regions
    }


def _best_group(
    candidates: Sequences[Candidate], free: list[int], role: SeriesRole
) -> tuple[list[int], dict[int, str]]:
    """Return the best series for a role with those that share it, and why the others lost.

    The role is shared by the other stacks of the same DICOM series and of like series elsewhere along the spine
    (one axial series a disc, two stations).
    """
    fitting = [index for index in free if _fits(candidates[index], role)]
    if not fitting:
        return [], {}
    best = max(fitting, key=lambda index: (*_merits(candidates[index], role), index))
    sharing = [best]
    for index in fitting:
        if index != best and _may_share(candidates[index], [candidates[other] for other in sharing], role):
            sharing.append(index)
    winner = candidates[best]
    losers = {
        index: f"no role: {winner.series.id} has {role.name}; "
        f"this one {_difference(candidates[index], winner, role)}"
        for index in fitting
        if index not in sharing
    }
    return sorted(sharing), losers


def _fits(item: Candidate, role: SeriesRole) -> bool:
    return (
        item.series.plane.value == role.plane and not item.finding.is_other and _preference(item, role) < math.inf
    )


def _preference(item: Candidate, role: SeriesRole) -> float:
    """Return the place of the sequence in the role's list; after it for a stand-in; infinity when it does not fit.

    Source: fluid is bright on fat that is dark in both STIR and fat-suppressed T2, and either is taken for bone
    marrow oedema (ASAS: Lambert et al., Ann Rheum Dis 2016;75:1958).
    """
    sequence = item.series.sequence.value
    if sequence in role.sequences:
        return role.sequences.index(sequence)
    is_stand_in = "stir" in role.sequences and sequence == "t2" and item.finding.is_fat_suppressed
    return len(role.sequences) if is_stand_in else math.inf


def _merits(item: Candidate, role: SeriesRole) -> tuple[float, ...]:
    return tuple(float(merit(item, role)) for _, merit in _CRITERIA)


def _difference(loser: Candidate, winner: Candidate, role: SeriesRole) -> str:
    """Return in words the first criterion in which a series is worse."""
    for name, merit in _CRITERIA:
        if merit(loser, role) < merit(winner, role):
            return name
    return "was repeated later"


def _may_share(item: Candidate, sharing: list[Candidate], role: SeriesRole) -> bool:
    first = sharing[0]
    if _merits(item, role)[:_KIND_CRITERIA] != _merits(first, role)[:_KIND_CRITERIA]:
        return False
    uid = item.series.series_instance_uid
    if uid is not None and uid == first.series.series_instance_uid:
        return True
    return item.series.plane is Plane.AXIAL and all(_is_elsewhere(item, other) for other in sharing)


def _is_elsewhere(item: Candidate, other: Candidate) -> bool:
    """Say whether two stacks of slices lie one above the other, by their centres of slices from foot to head."""
    first, second = _heights(item), _heights(other)
    if first is None or second is None:
        return False
    return bool(first.max() < second.min() or second.max() < first.min())


def _heights(item: Candidate) -> NDArray[np.float64] | None:
    """Return z (RAS+, mm) of the centre of each slice; None without a position."""
    volume = item.series.volume
    if volume.affine is None:
        return None
    columns, rows, slices = volume.shape
    middle = volume.affine[2, 0] * (columns - 1) / 2 + volume.affine[2, 1] * (rows - 1) / 2 + volume.affine[2, 3]
    return np.asarray(middle + volume.affine[2, 2] * np.arange(slices))


def _is_oblique_sagittal(item: Candidate) -> bool:
    """Say whether sagittal slices are turned by more than 25 degrees, as those laid along a foramen (own
    choice)."""
    affine = item.series.volume.affine
    return item.series.plane is Plane.SAGITTAL and affine is not None and nearest_plane(affine, 2)[1] > 25.0


def _pixel_class(item: Candidate) -> float:
    spacing = item.series.volume.spacing
    return (
        0.0 if spacing is None else round(math.log(spacing.row_mm * spacing.col_mm) / (2 * math.log(PIXEL_STEP)))
    )


def _why(item: Candidate, role: SeriesRole, fitting: int) -> str:
    if role.sequences and _preference(item, role) >= len(role.sequences):
        return f"role {role.name}: T2 with fat suppression stands in for STIR"
    choice = "" if fitting == 1 else f", chosen or shared among {fitting} that do"
    return f"role {role.name}: plane and sequence fit{choice}"


def _stand_in_notice(item: Candidate, role: SeriesRole) -> list[str]:
    if _preference(item, role) < len(role.sequences):
        return []
    return [f"Series {item.series.id}, a T2 with fat suppression, is read as {spoken_role(role.name)}."]


def _assume(
    candidates: Sequences[Candidate],
    protocol: Protocol,
    taken: dict[int, tuple[str, str]],
    foreign: Mapping[int, str],
) -> list[str]:
    notices = []
    for index, item in enumerate(candidates):
        is_known = item.finding.is_other or item.series.sequence is not Sequence.UNKNOWN
        if index in taken or index in foreign or is_known:
            continue
        in_plane = [role.name for role in protocol.roles if role.plane == item.series.plane.value]
        if not in_plane or in_plane[0] in {name for name, _ in taken.values()}:
            continue
        taken[index] = (in_plane[0], f"role {in_plane[0]}: assumed, the sequence is not known")
        notices.append(
            f"Series {item.series.id} is read as {spoken_role(in_plane[0])}; this is an assumption, its "
            "sequence is not known."
        )
    return notices


def _with_role(series: Series, role: tuple[str, str] | None, why_not: str | None) -> Series:
    if role is None:
        reason = why_not or "no role: the protocol has none for its plane and sequence, or another series has it"
        return replace(series, reasons=(*series.reasons, reason))
    name, reason = role
    return replace(series, role=name, reasons=(*series.reasons, reason))


def spoken_role(role: str) -> str:
    """Return a role in words: ``sagittal_t2`` as ``sagittal T2``."""
    plane, _, sequence = role.partition("_")
    return f"{plane} {sequence.upper()}"
