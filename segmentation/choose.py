"""Which series of a study are read, and in what order: by plane, then by the protocol's order of roles."""

from anatomy import SIJ, Protocol
from imaging.types import Plane, Series, Study
from runtime.errors import NotEligibleError

_WHY = {
    Plane.SAGITTAL: "levels are named on sagittal slices",
    Plane.CORONAL: "the sacroiliac joints are read on coronal slices along the sacrum",
}


def reads_joints(protocol: Protocol) -> bool:
    """Return whether a protocol asks for the sacroiliac joints instead of a chain of discs."""
    return SIJ in protocol.named_levels


def series_of_plane(study: Study, protocol: Protocol, plane: Plane) -> tuple[Series, ...]:
    """Return the series of a plane, by the protocol's order of roles, then as they came; maybe none."""
    order = {role.name: rank for rank, role in enumerate(protocol.roles)}
    found = [series for series in study.series if series.plane is plane]
    return tuple(sorted(found, key=lambda series: order.get(series.role or "", len(order))))


def primary_first(study: Study, protocol: Protocol, plane: Plane) -> tuple[Series, ...]:
    """Return the series of the plane that a reading rests on, the primary series first.

    Raises:
        NotEligibleError: With code ``no_sagittal_series`` or ``no_coronal_series``.
    """
    found = series_of_plane(study, protocol, plane)
    if not found:
        raise NotEligibleError(
            f"no {plane.value} series was found: {_WHY.get(plane, 'the reading rests on this plane')}",
            code=f"no_{plane.value}_series",
        )
    return found
