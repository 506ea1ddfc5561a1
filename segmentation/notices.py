"""What a reader of the whole study should know about its segmentation, one sentence each."""

from anatomy import Protocol
from imaging.types import Series
from segmentation.doubts import TRANSITIONAL
from segmentation.named import NamedChain
from segmentation.sagittal import Located
from segmentation.scan import SeriesScan

ANCHORED = "Levels are numbered from one level that a person confirmed."
MAY_BE_TRANSITIONAL = (
    "Possible transitional lumbosacral anatomy: every level name may be off by one. "
    "Compare with earlier images or count from above, and confirm one level."
)
IN_DOUBT = "The numbering of the levels is in doubt: confirm one level before it is relied on."


def study_notices(protocol: Protocol, primary: Series, scan: SeriesScan, named: NamedChain) -> tuple[str, ...]:
    """Return the notices of a study.

    Args:
        protocol: Reading plan.
        primary: The series that levels and measurements lie on.
        scan: Its slices.
        named: Its levels.
    """
    notices = list(numbering_notices(named))
    if named.left_out:
        notices.append(f"{_count(named.left_out, 'disc')} outside {_range(protocol)} left without a name.")
    if primary.volume.spacing is None:
        notices.append("Pixel spacing is unknown: nothing is measured in millimetres.")
    if primary.volume.shape[2] == 1:
        notices.append("A single sagittal slice was read: what lies beside it was not seen.")
    if len(scan.slices) < primary.volume.shape[2]:
        notices.append(
            f"{len(scan.slices)} of {primary.volume.shape[2]} slices were outlined; "
            "the others take the nearest outline."
        )
    return tuple(notices)


def numbering_notices(named: NamedChain) -> tuple[str, ...]:
    """Return what to know about the numbering of the levels: confirmed, transitional, or in doubt as a whole."""
    if named.is_anchored:
        return (ANCHORED,)
    doubts = [disc.doubt for disc in named.discs]
    if any(doubt is not None and TRANSITIONAL in doubt for doubt in doubts):
        return (MAY_BE_TRANSITIONAL,)
    return (IN_DOUBT,) if doubts and all(doubt is not None for doubt in doubts) else ()


def axial_notices(
    axial: tuple[Series, ...], primary: Series, located: dict[str, Located], *, has_weights: bool
) -> tuple[str, ...]:
    """Return what to know about the axial series of a spine.

    Args:
        axial: All of them.
        primary: The series that levels lie on.
        located: Series id -> levels found there; holds the axial series that were outlined.
        has_weights: Whether a network for axial slices is installed.
    """
    if not axial:
        return ()
    if not has_weights:
        return ("Axial series were not outlined: no weights for this plane are installed.",)
    notices = []
    lost = [series.id for series in axial if series.id not in located]
    if lost:
        where = primary.id if primary.volume.affine is None else _list(lost)
        notices.append(f"Axial series {_list(lost)} not outlined: no position is known of {where}.")
    empty = [series.id for series in axial if series.id in located and not located[series.id].levels]
    if empty:
        notices.append(f"Axial series {_list(empty)} cross no named level.")
    return tuple(notices)


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _range(protocol: Protocol) -> str:
    return f"{protocol.named_levels[0]} to {protocol.named_levels[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{' was' if number == 1 else 's were'}"
