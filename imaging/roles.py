"""Gives the series of a study the roles that the protocol names.

A series of known weighting takes the role of its plane and weighting. When nothing tells the weighting (a bare
picture or NIfTI, a stripped header), the series takes the first role of its plane unless a known series has it,
and that is said to be assumed. A series known to be something else (proton density, T2*, diffusion) takes none.
"""

from collections.abc import Sequence as Sequences
from dataclasses import dataclass, replace

from anatomy import Protocol, SeriesRole
from imaging.sequences import SequenceFinding
from imaging.types import Sequence, Series


@dataclass(frozen=True)
class Candidate:
    """A series without a role, with what is known about its weighting."""

    series: Series
    finding: SequenceFinding


def assign_roles(
    candidates: Sequences[Candidate], protocol: Protocol
) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """Give roles to series.

    Args:
        candidates: All usable series, in their order in the study.
        protocol: Body region's plan.

    Returns:
        The series in the same order, with roles and the reasons for them; and notices for the reader about
        assumed roles.
    """
    roles: dict[int, tuple[str, str]] = {}
    for role in protocol.roles:
        for index in _best_group(candidates, role):
            roles.setdefault(index, (role.name, f"role {role.name}: plane and sequence fit"))
    notices = _assume(candidates, protocol, roles)
    series = tuple(_with_role(_with_contrast(item), roles.get(index)) for index, item in enumerate(candidates))
    return series, tuple(notices)


def _with_contrast(item: Candidate) -> Series:
    """Return the series saying whether it is after contrast; without header and word that stays unknown."""
    is_told = item.finding.has_contrast or item.series.series_instance_uid is not None
    return replace(item.series, has_contrast=item.finding.has_contrast) if is_told else item.series


def _assume(candidates: Sequences[Candidate], protocol: Protocol, roles: dict[int, tuple[str, str]]) -> list[str]:
    notices = []
    for index, item in enumerate(candidates):
        if index in roles or item.finding.is_other or item.series.sequence is not Sequence.UNKNOWN:
            continue
        in_plane = [role.name for role in protocol.roles if role.plane == item.series.plane.value]
        taken = {name for name, _ in roles.values()}
        if not in_plane or in_plane[0] in taken:
            continue
        roles[index] = (in_plane[0], f"role {in_plane[0]}: assumed, the sequence is not known")
        notices.append(
            f"Series {item.series.id} is read as {spoken_role(in_plane[0])}; this is an assumption, its "
            "sequence is not known."
        )
    return notices


def _best_group(candidates: Sequences[Candidate], role: SeriesRole) -> list[int]:
    """Return the best series for a role, with the other stacks of the same DICOM series (tilted axial blocks)."""
    fitting = [
        index
        for index, item in enumerate(candidates)
        if item.series.plane.value == role.plane and item.series.sequence.value in role.sequences
    ]
    if not fitting:
        return []
    best = max(fitting, key=lambda index: (*_merit(candidates[index], role), -index))
    uid = candidates[best].series.series_instance_uid
    return [
        index
        for index in fitting
        if index == best or (uid and candidates[index].series.series_instance_uid == uid)
    ]


def _merit(item: Candidate, role: SeriesRole) -> tuple[int, bool, bool, bool, float]:
    """Order series for a role: preferred sequence, no contrast, no fat suppression, three slices, fine pixels."""
    spacing = item.series.volume.spacing
    return (
        -role.sequences.index(item.series.sequence.value),
        not item.finding.has_contrast,
        not item.finding.is_fat_suppressed,
        item.series.volume.shape[2] >= 3,
        0.0 if spacing is None else -spacing.row_mm * spacing.col_mm,
    )


def _with_role(series: Series, role: tuple[str, str] | None) -> Series:
    if role is None:
        return replace(
            series, reasons=(*series.reasons, "no role: another series has it, or the protocol has none")
        )
    name, reason = role
    return replace(series, role=name, reasons=(*series.reasons, reason))


def spoken_role(role: str) -> str:
    """Return a role in words: ``sagittal_t2`` as ``sagittal T2``."""
    plane, _, sequence = role.partition("_")
    return f"{plane} {sequence.upper()}"
