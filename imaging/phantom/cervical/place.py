"""From a plan to shapes in the world: bodies and discs stacked up and down from T1, the canal behind them.

The middle of the upper endplate of T1 is the world's origin.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from anatomy import disc_label, vertebra_label
from imaging.phantom.cervical.curve import CanalCurve, Node, build_curve
from imaging.phantom.cervical.obstacle import Obstacle
from imaging.phantom.cervical.plan import BodyPlan, DiscPlan, NeckPlan
from imaging.phantom.cervical.shapes import NeckBody, NeckDisc
from imaging.phantom.cervical.tables import Tables
from imaging.phantom.curve import STEP_MM, Samples
from imaging.phantom.shapes import Frame

_MEAN_BOWL = 0.96  # mean depth of a bowl over its middle third, a share of its deepest
_LEAST_RIM_MM = 0.9
_JOINT_MM = 1.3  # between an uncinate process and the body above
_CORD_GAP_MM = 0.2  # what a pressed cord keeps to its walls: pia, dura and a film of CSF

DENS_MM = 16.0  # height of the dens above the body of C2; own choice
FORAMEN_MAGNUM_MM = 21.0  # its height above the body of C2; own choice


@dataclass(frozen=True)
class Cord:
    """The cord along the canal's samples, pushed and pressed by what stands in the canal, mm.

    Attributes:
        centre: Its middle, d.
        half_ap: Half its AP diameter.
        half_width: Half its width; a pressed cord gets wider.
    """

    centre: Samples
    half_ap: Samples
    half_width: Samples


@dataclass(frozen=True)
class Neck:
    """A placed cervical spine.

    Attributes:
        plan: What was drawn.
        tables: Norms it was drawn from.
        bodies: C2 first, then downwards.
        discs: C2-C3 first, then downwards.
        curve: The canal.
        obstacles: What pushes into the canal, by level as the discs.
        cord: The cord.
        foramen_magnum: Sample of the curve at which the canal ends above.
    """

    plan: NeckPlan
    tables: Tables
    bodies: tuple[NeckBody, ...]
    discs: tuple[NeckDisc, ...]
    curve: CanalCurve
    obstacles: tuple[Obstacle, ...]
    cord: Cord
    foramen_magnum: int

    def body(self, name: str) -> NeckBody:
        """Return a body by name."""
        return next(body for body in self.bodies if body.name == name)

    def disc(self, name: str) -> NeckDisc:
        """Return a disc by name."""
        return next(disc for disc in self.discs if disc.name == name)

    def obstacle(self, level: str) -> Obstacle:
        """Return the obstacle of a level."""
        return next(item for item in self.obstacles if item.level == level)

    def around(self, disc: NeckDisc) -> tuple[NeckBody, NeckBody]:
        """Return the bodies above and below a disc."""
        above, below = disc.name.split("-")
        return self.body(above), self.body(below)


def place_neck(plan: NeckPlan, tables: Tables) -> Neck:
    """Stack a plan's bodies and discs and lay the canal with its cord behind them."""
    bodies = _stack(plan, tables)
    discs = tuple(
        _disc_between(above, below, disc)
        for above, below, disc in zip(bodies[:-1], bodies[1:], plan.discs, strict=True)
    )
    curve = build_curve(_nodes(bodies, discs, plan, tables))
    obstacles = tuple(
        Obstacle(disc.name, _behind(curve, disc), disc.height / 2, plan.disc(disc.name)) for disc in discs
    )
    _, y, z = bodies[0].frame.world(-15.0, bodies[0].height / 2 + FORAMEN_MAGNUM_MM)
    cord = _press_cord(curve, obstacles, tables.canal["anterior_gap"])
    return Neck(plan, tables, bodies, discs, curve, obstacles, cord, curve.nearest(y, z))


def _behind(curve: CanalCurve, disc: NeckDisc) -> int:
    _, y, z = disc.frame.world(disc.back, 0.0)
    return curve.nearest(y, z)


def _bowls(disc: DiscPlan) -> tuple[float, float]:
    """Return the depth of the bowls above and below a disc: the lower endplate of a body is the hollow one."""
    above = float(np.clip(0.24 * disc.height - 0.3, 0.0, 1.2))
    return above, 0.3 * above


def _rim(disc: DiscPlan) -> float:
    """Return the rim-to-rim height of a disc whose middle third has the planned height."""
    return max(disc.height - _MEAN_BOWL * sum(_bowls(disc)), _LEAST_RIM_MM)


def _stack(plan: NeckPlan, tables: Tables) -> tuple[NeckBody, ...]:
    """Place all bodies: T1 at the origin, then upwards and downwards."""
    names = [body.name for body in plan.bodies]
    start = names.index("T1")
    frames: dict[int, Frame] = {}
    tilt = plan.t1_slope + plan.bodies[start].wedge / 2
    frames[start] = _moved(Frame(0.0, 0.0, 0.0, tilt), q=-plan.bodies[start].height / 2)
    for index in range(start - 1, -1, -1):
        frames[index] = _upward(frames[index + 1], plan.bodies[index + 1], plan.bodies[index], plan.discs[index])
    for index in range(start + 1, len(names)):
        frames[index] = _downward(
            frames[index - 1], plan.bodies[index - 1], plan.bodies[index], plan.discs[index - 1]
        )
    return tuple(_body(index, frame, plan, tables) for index, frame in sorted(frames.items()))


def _moved(frame: Frame, *, p: float = 0.0, q: float = 0.0) -> Frame:
    return Frame(*frame.world(p, q), frame.tilt)


def _turned(frame: Frame, by: float) -> Frame:
    return Frame(frame.x, frame.y, frame.z, frame.tilt + by)


def _upward(below: Frame, lower: BodyPlan, upper: BodyPlan, disc: DiscPlan) -> Frame:
    """Return the frame of a body that stands on a disc on another body, their backs in line but for the slip."""
    end = _turned(_moved(below, q=lower.height / 2), -lower.wedge / 2)
    middle = _moved(_turned(end, -disc.wedge / 2), q=_rim(disc))
    slipped = _moved(_turned(middle, disc.wedge / 2), p=disc.slip + (upper.depth - lower.depth) / 2)
    return _moved(_turned(slipped, -disc.wedge - upper.wedge / 2), q=upper.height / 2)


def _downward(above: Frame, upper: BodyPlan, lower: BodyPlan, disc: DiscPlan) -> Frame:
    """Return the frame of a body that hangs below a disc below another body."""
    end = _turned(_moved(above, q=-upper.height / 2), upper.wedge / 2)
    middle = _moved(_turned(end, disc.wedge / 2), q=-_rim(disc))
    slipped = _moved(_turned(middle, disc.wedge / 2), p=(lower.depth - upper.depth) / 2 - disc.slip)
    return _moved(_turned(slipped, lower.wedge / 2), q=-lower.height / 2)


def _body(index: int, frame: Frame, plan: NeckPlan, tables: Tables) -> NeckBody:
    body = plan.bodies[index]
    above = plan.discs[index - 1] if index else None
    below = plan.discs[index] if index < len(plan.discs) else None
    uncus_below = 0.0 if below is None else tables.uncus.get(plan.bodies[index + 1].name, 0.0)
    return NeckBody(
        name=body.name,
        label=vertebra_label(body.name),
        frame=Frame(_sway(plan, index), frame.y, frame.z, frame.tilt),
        depth=body.depth,
        width=body.width,
        height=body.height,
        wedge=body.wedge,
        bowl_top=0.0 if above is None else _bowls(above)[1],
        bowl_bottom=0.4 if below is None else _bowls(below)[0],
        uncus=tables.uncus.get(body.name, 0.0),
        bevel=max(uncus_below + _JOINT_MM - _rim(below), 0.0) if below is not None and uncus_below else 0.0,
        spurs=(_spur(above), _spur(below)),
    )


def _sway(plan: NeckPlan, index: int) -> float:
    """Return x of a body: none at T4, all of the drawn sway at C2."""
    share = 1.0 - index / (len(plan.bodies) - 1)
    return plan.sway * share * share


def _spur(disc: DiscPlan | None) -> float:
    """Return the front osteophyte beside a disc: where there is one at the back there is one in front."""
    return 0.0 if disc is None else 0.6 * disc.osteophyte


def _disc_between(above: NeckBody, below: NeckBody, plan: DiscPlan) -> NeckDisc:
    _, top_y, top_z = above.frame.world(0.0, -above.height / 2)
    _, end_y, end_z = below.frame.world(0.0, below.height / 2)
    tilt = (above.frame.tilt + above.wedge / 2 + below.frame.tilt - below.wedge / 2) / 2
    return NeckDisc(
        name=plan.name,
        label=disc_label(plan.name),
        frame=Frame((above.frame.x + below.frame.x) / 2, (top_y + end_y) / 2, (top_z + end_z) / 2, tilt),
        depth=(above.depth + below.depth) / 2,
        width=(above.width + below.width) / 2 + 1.0,
        height=float((top_y - end_y) * np.sin(tilt) + (top_z - end_z) * np.cos(tilt)),
        wedge=plan.wedge,
        slip=plan.slip,
        rise=above.bevel,
    )


def _nodes(
    bodies: tuple[NeckBody, ...], discs: tuple[NeckDisc, ...], plan: NeckPlan, tables: Tables
) -> list[Node]:
    """Return the nodes of the canal from below T4 up to the pons."""
    rows = np.arange(len(discs))
    sizes = {
        "half_ap": plan.dural_ap * tables.by_level("ap_share") / 2,
        "half_width": tables.by_level("dural_width") / 2,
        "bony_half_width": tables.by_level("bony_width") / 2,
        "cord_half_ap": plan.cord_scale * tables.by_level("cord_ap") / 2,
        "cord_half_width": plan.cord_scale * tables.by_level("cord_width") / 2,
    }
    gap = tables.canal["anterior_gap"]

    def node(frame: Frame, back: float, q: float, row: float, less: float = 0.0) -> Node:
        at = {name: float(np.interp(row, rows, values)) for name, values in sizes.items()}
        at["half_ap"] -= less / 2
        return Node(*frame.world(back - gap - at["half_ap"], q), **at)

    last = bodies[-1]
    nodes = [node(last.frame, last.back, -last.height / 2 - 12.0, rows[-1])]
    for row in rows[::-1]:
        body, disc = bodies[row + 1], discs[row]
        nodes.append(node(body.frame, body.back - 0.2, 0.0, min(row + 0.5, rows[-1])))
        nodes.append(node(disc.frame, disc.back, 0.0, float(row), plan.discs[row].slip_narrowing))
    c2 = bodies[0]
    nodes.append(node(c2.frame, c2.back - 0.6, 0.0, 0.0))
    return nodes + _upper_nodes(c2, nodes[-1])


def _upper_nodes(c2: NeckBody, last: Node) -> list[Node]:
    """Return the nodes behind the dens, in the foramen magnum and up to the pons; own choice."""
    top = c2.height / 2
    # q above the body, p of the middle, half AP, half width, half AP and half width of cord or medulla.
    rows = (
        (9.0, -16.0, 7.2, 10.5, 4.0, 5.8),
        (FORAMEN_MAGNUM_MM, -16.5, 9.5, 13.0, 4.6, 6.2),
        (36.0, -14.5, 9.5, 13.0, 5.8, 7.5),
        (60.0, -9.0, 9.5, 13.0, 6.5, 8.0),
    )
    return [
        Node(*c2.frame.world(p, top + q), half_ap, half_width, last.bony_half_width + 3.0, cord_ap, cord_width)
        for q, p, half_ap, half_width, cord_ap, cord_width in rows
    ]


def _press_cord(curve: CanalCurve, obstacles: tuple[Obstacle, ...], gap: float) -> Cord:
    """Push the cord away from what stands in the canal; where room is short it is flattened and gets wider."""
    front, back = curve.half_ap.copy(), -curve.half_ap
    for obstacle in obstacles:
        along = (np.arange(len(front)) - obstacle.sample) * STEP_MM
        pushes = [obstacle.from_front(along, np.array(t)) for t in (-1.5, 0.0, 1.5)]
        front = np.minimum(front, curve.half_ap - np.maximum(np.max(pushes, axis=0) - gap, 0.0))
        back = np.maximum(back, -curve.half_ap + obstacle.from_behind(along))
    room = np.maximum((front - back) / 2 - _CORD_GAP_MM, 0.8)
    half_ap = np.minimum(curve.cord_half_ap, room)
    centre = np.clip(0.0, back + _CORD_GAP_MM + half_ap, front - _CORD_GAP_MM - half_ap)
    pressed = curve.cord_half_ap / half_ap
    return Cord(
        centre=gaussian_filter1d(centre, 1.5 / STEP_MM),
        half_ap=half_ap,
        half_width=gaussian_filter1d(curve.cord_half_width * pressed**0.3, 1.5 / STEP_MM),
    )
