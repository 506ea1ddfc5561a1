"""What is measured on vertebral bodies and the whole spine: heights, wedging, dural sac ratio, curvature."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from segmentation.measure.bodies import Body
from segmentation.measure.discs import line_between
from segmentation.measure.endplates import robust_slope
from segmentation.measure.found import Found, between_slices, missing
from segmentation.measure.labels import FIRST_SACRAL, beside
from segmentation.measure.sagittal import NO_CANAL, NO_ENDPLATE, Row, canal_width
from segmentation.measure.spine import SagittalSpine

NOT_IN_VIEW = "its endplates are not both outlined beside named discs, or a wall cannot be traced"
NO_POSITIONS = "the slices have no positions"
FEW_SLICES = "too few slices cross the bodies to see them from the front"
_LORDOSIS = {"lumbar": ("L1", "S1"), "cervical": ("C2", "C7")}
"""Ends of the curve: upper endplates of L1 and S1; lower endplates of C2 and C7 (general knowledge)."""
_CORONAL_SLICES = 4
"""Fewest slices whose endplates give a slope seen from the front; own choice."""
_COBB_BODIES = 3
"""Fewest vertebrae between the end vertebrae, both counted; own choice."""


def measure_vertebra(spine: SagittalSpine, vertebra: str) -> Iterator[Row]:
    """Yield every quantity of one vertebral body whose discs are both named."""
    middle = spine.body_middle(vertebra)
    assert middle is not None
    around = middle.around

    def of_body(name: str, k: int) -> Found:
        body = spine.body(vertebra, k)
        return missing(NOT_IN_VIEW) if body is None else _from_body(body, name, spine)

    for name in (
        "vertebral_height_anterior",
        "vertebral_height_middle",
        "vertebral_height_posterior",
        "vertebral_height_ratio",
        "vertebral_wedge_angle",
        "vertebral_depth",
    ):
        yield name, between_slices(around, lambda k, name=name: of_body(name, k))  # type: ignore[misc]
    yield "dural_sac_ratio", between_slices(middle.alone, lambda k: _sac_ratio(spine, vertebra, k))


def measure_posture(spine: SagittalSpine, protocol: str) -> Iterator[Row]:
    """Yield the curvature of the spine in the side view and, from slices beside each other, in the front view."""
    yield _lordosis(spine, protocol)
    yield "cobb_angle", _coronal_cobb(spine)


def _from_body(body: Body, name: str, spine: SagittalSpine) -> Found:
    if name == "vertebral_height_ratio":
        return Found(body.anterior / body.posterior)
    if name == "vertebral_wedge_angle":
        return Found(body.wedge_deg)
    if name == "vertebral_depth":
        return Found(body.depth, None, line_between(*body.walls, spine.frame))
    part = name.rsplit("_", 1)[1]
    value = {"anterior": body.anterior, "middle": body.middle, "posterior": body.posterior}[part]
    if value is None:
        return missing(NO_ENDPLATE)
    return Found(value, None, line_between(*body.lines[part], spine.frame))


def _sac_ratio(spine: SagittalSpine, vertebra: str, k: int) -> Found:
    body = spine.body(vertebra, k)
    if body is None:
        return missing(NOT_IN_VIEW)
    sac = canal_width(spine, vertebra, k)
    return (
        Found(None, sac.reason or NO_CANAL)
        if sac.value is None
        else Found(sac.value / body.depth, None, sac.line_px)
    )


def _end_angle(spine: SagittalSpine, vertebra: str, *, upper: bool) -> float | None:
    """Return the direction of an endplate in the middle of the spine, degrees."""
    part = 1 if upper else 0
    level = next((name for name in spine.names if beside(name)[part] == vertebra), None)
    if level is None:
        return None
    side = +1.0 if upper else -1.0
    angles = between_slices(
        spine.middle(level).around,
        lambda k: Found(None if (end := spine.endplate(level, side, k)) is None else end.angle_deg, NO_ENDPLATE),
    )
    return angles.value


def _lordosis(spine: SagittalSpine, protocol: str) -> Row:
    """Return the lordosis between the usual end vertebrae, else over what is in view, under its own name."""
    first, last = _LORDOSIS.get(protocol, _LORDOSIS["lumbar"])
    upper = protocol != "cervical"
    ends = [_end_angle(spine, name, upper=upper) for name in (first, last)]
    kind = "upper" if upper else "lower"
    if ends[0] is not None and ends[1] is not None:
        return "lordosis", Found(ends[0] - ends[1], note=f"{kind} endplates of {first} and {last}")
    names = [beside(name)[1 if upper else 0] for name in spine.names]
    seen = [(name, angle) for name in names if (angle := _end_angle(spine, name, upper=upper)) is not None]
    if len(seen) < _COBB_BODIES:
        return "lordosis", missing(f"fewer than {_COBB_BODIES} endplates are outlined")
    (top, a), (bottom, b) = seen[0], seen[-1]
    return "lordosis_in_view", Found(a - b, note=f"{kind} endplates of {top} and {bottom}, what is in view")


def _coronal_cobb(spine: SagittalSpine) -> Found:
    """Return the greatest angle between endplates seen from the front, positive when the bulge looks to the right.

    Each endplate's slope is that of its centres on all slices that cross it, in RAS+ mm.
    """
    if spine.stack.affine is None:
        return missing(NO_POSITIONS)
    slopes: list[tuple[str, float | None, float | None]] = []
    for vertebra in spine.bodies_in_view:
        if vertebra == FIRST_SACRAL:
            continue
        above = next(name for name in spine.names if beside(name)[1] == vertebra)
        below = next(name for name in spine.names if beside(name)[0] == vertebra)
        slopes.append((vertebra, _front_slope(spine, above, +1.0), _front_slope(spine, below, -1.0)))
    pairs = [
        (lower - upper, top, bottom)
        for (top, upper, _), (bottom, _, lower) in combinations(slopes, 2)
        if upper is not None and lower is not None
    ]
    if len(slopes) < _COBB_BODIES or not pairs:
        return missing(FEW_SLICES)
    angle, top, bottom = max(pairs, key=lambda item: abs(item[0]))
    return Found(-angle, note=f"{top} to {bottom}")


def _front_slope(spine: SagittalSpine, level: str, side: float) -> float | None:
    """Return by how many degrees an endplate rises to the patient's right."""
    points = []
    for k in range(spine.stack.slices):
        endplate = spine.endplate(level, side, k)
        world = None if endplate is None else spine.stack.world(endplate.centre, k)
        if world is not None:
            points.append(world)
    if len(points) < _CORONAL_SLICES:
        return None
    x, _, z = np.array(points).T
    return float(np.degrees(np.arctan(robust_slope(x, z))))
