"""What a reader of the whole study should know about its segmentation, one sentence each."""

from anatomy import Protocol
from imaging.types import Plane, Series, Study
from segmentation.levels import NamedChain
from segmentation.scan import SeriesScan


def study_notices(
    study: Study, protocol: Protocol, primary: Series, scan: SeriesScan, named: NamedChain
) -> tuple[str, ...]:
    """Return the notices of a study.

    Args:
        study: What was read.
        protocol: Reading plan.
        primary: The series that levels and measurements lie on.
        scan: Its slices.
        named: Its levels.
    """
    notices = []
    if named.is_anchored:
        notices.append("Levels are numbered from one level that a person confirmed.")
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
    if any(series.plane is Plane.AXIAL for series in study.series):
        notices.append("Axial series are not outlined yet; findings rest on the sagittal series.")
    return tuple(notices)


def _range(protocol: Protocol) -> str:
    return f"{protocol.named_levels[0]} to {protocol.named_levels[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{' was' if number == 1 else 's were'}"
