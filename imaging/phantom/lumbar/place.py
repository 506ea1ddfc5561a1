"""From a plan to shapes in the world: bodies and discs stacked from the sacrum upwards, the canal behind them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import disc_label, vertebra_label
from imaging.phantom.lumbar.arch import Arch, build_arch
from imaging.phantom.lumbar.canal import CanalCurve, build_curve
from imaging.phantom.lumbar.plan import BodyPlan, DiscPlan, SpinePlan
from imaging.phantom.lumbar.tables import Tables
from imaging.phantom.shapes import Body, Bulges, Disc, Frame

SACRUM_LABEL = 50
_MEAN_BOWL = 0.96  # mean depth of a bowl over its middle third, a share of its deepest
# The sacrum below S1: height, depth, width in mm and the turn against the segment above in degrees. Own choice.
_SACRUM = (
    ("S1", 29.0, 33.0, 48.0, 8.0),
    ("S2", 24.0, 22.0, 42.0, 4.0),
    ("S3", 20.0, 16.0, 36.0, -14.0),
    ("S4", 17.0, 12.0, 30.0, -16.0),
    ("S5", 14.0, 9.0, 24.0, -18.0),
)


@dataclass(frozen=True)
class Spine:
    """A placed spine.

    Attributes:
        plan: What was drawn.
        tables: Norms it was drawn from.
        bodies: S5 ... S1, L5, then upwards.
        discs: L5-S1, then upwards.
        curve: The canal.
        flavum: Level -> mm by which the ligamentum flavum pushes into the sac.
        pedicle_t: Vertebra -> distance of its pedicles from the midline, mm.
        arches: Vertebra or S1 -> its posterior elements.
    """

    plan: SpinePlan
    tables: Tables
    bodies: tuple[Body, ...]
    discs: tuple[Disc, ...]
    curve: CanalCurve
    flavum: dict[str, float]
    pedicle_t: dict[str, float]
    arches: dict[str, Arch]

    def body(self, name: str) -> Body:
        """Return a body by name."""
        return next(body for body in self.bodies if body.name == name)

    def disc(self, name: str) -> Disc:
        """Return a disc by name."""
        return next(disc for disc in self.discs if disc.name == name)

    def around(self, disc: Disc) -> tuple[Body, Body]:
        """Return the bodies above and below a disc."""
        above, below = disc.name.split("-")
        return self.body(above), self.body(below)


def place_spine(plan: SpinePlan, tables: Tables) -> Spine:
    """Stack a plan's bodies and discs and lay the canal behind them."""
    sacrum = _sacrum(plan)
    bodies: list[Body] = list(sacrum)
    discs: list[Disc] = []
    pedicles = _pedicles(plan, tables)
    bowls = [_concavity(disc) for disc in plan.discs]
    for index, (disc_plan, body_plan) in enumerate(zip(plan.discs, plan.bodies, strict=True)):
        below = bodies[-1]
        around = bowls[index], bowls[min(index + 1, len(bowls) - 1)]
        body = _stack(below, disc_plan, body_plan, around, _sway(plan, index))
        bodies.append(body)
        discs.append(_disc_between(body, below, disc_plan, tables, plan.sac_ap, pedicles[body.name]))
    curve = _canal(bodies, discs, plan, tables)
    flavum = {
        disc.name: _flavum(disc, disc_plan, plan.sac_ap, tables)
        for disc, disc_plan in zip(discs, plan.discs, strict=True)
    }
    return Spine(
        plan, tables, tuple(bodies), tuple(discs), curve, flavum, pedicles, _arches(bodies, discs, pedicles, plan)
    )


def by_node(table: dict[str, float], names: list[str]) -> NDArray[np.float64]:
    """Spread a table by level over a list of names; between rows linear, past the ends constant."""
    known = [names.index(name) for name in table if name in names]
    order = np.argsort(known)
    values = np.array([table[name] for name in table if name in names])
    return np.asarray(np.interp(np.arange(len(names)), np.array(known)[order], values[order]))


def _sway(plan: SpinePlan, index: int) -> float:
    return float(plan.sway * np.sin(np.pi * index / 8.0))


def _concavity(disc: DiscPlan) -> float:
    """Return the depth of the bowls around a disc: up to 1.6 mm in a high disc, none in a collapsed one."""
    return float(np.clip(0.16 * disc.height - 0.3, 0.0, 1.6))


def _sacrum(plan: SpinePlan) -> list[Body]:
    """Return S5 to S1; the middle of the S1 endplate is the world's origin."""
    segments: list[Body] = []
    top_y, top_z, tilt = 0.0, 0.0, plan.sacral_slope
    concavity = _concavity(plan.discs[0])
    for index, (name, height, depth, width, turn) in enumerate(_SACRUM):
        tilt += float(np.radians(turn)) if index else 0.0
        wedge = float(np.radians(8.0)) if index == 0 else 0.0
        mid_tilt = tilt + wedge / 2
        centre = Frame(0.0, top_y, top_z, mid_tilt).world(0.0, -height / 2)
        segments.append(
            Body(
                name=name,
                label=SACRUM_LABEL,
                frame=Frame(0.0, centre[1], centre[2], mid_tilt),
                depth=depth,
                width=width,
                height=height,
                wedge=wedge,
                concavity_top=concavity if index == 0 else 0.0,
                concavity_bottom=0.0,
            )
        )
        tilt = mid_tilt + wedge / 2
        _, top_y, top_z = segments[-1].frame.world(-0.15 * depth, -height / 2 - 1.5)
    return segments[::-1]


def _stack(below: Body, disc: DiscPlan, plan: BodyPlan, bowls: tuple[float, float], x: float) -> Body:
    """Place a body on the disc above another body; ``bowls`` are those of its lower and upper endplate, mm."""
    _, end_y, end_z = below.frame.world(0.0, below.height / 2)
    end_tilt = below.frame.tilt - below.wedge / 2
    rim = _rim_height(disc, bowls[0])
    _, y, z = Frame(x, end_y, end_z, end_tilt - disc.wedge / 2).world(0.0, rim)
    _, y, z = Frame(x, y, z, end_tilt).world(disc.slip, 0.0)
    tilt = end_tilt - disc.wedge - plan.wedge / 2
    _, y, z = Frame(x, y, z, tilt).world(0.0, plan.height / 2)
    return Body(
        name=plan.name,
        label=vertebra_label(plan.name),
        frame=Frame(x, y, z, tilt),
        depth=plan.depth,
        width=plan.width,
        height=plan.height,
        wedge=plan.wedge,
        concavity_top=bowls[1],
        concavity_bottom=bowls[0],
    )


def _rim_height(disc: DiscPlan, concavity: float) -> float:
    """Return the rim-to-rim height of a disc whose middle third has the planned height."""
    return max(disc.height - 2 * _MEAN_BOWL * concavity, 0.8)


def _disc_between(
    above: Body, below: Body, plan: DiscPlan, tables: Tables, sac_ap: float, pedicle_t: float
) -> Disc:
    _, top_y, top_z = above.frame.world(0.0, -above.height / 2)
    _, end_y, end_z = below.frame.world(0.0, below.height / 2)
    tilt = (above.frame.tilt + above.wedge / 2 + below.frame.tilt - below.wedge / 2) / 2
    diffuse, focal = _midline_bulges(plan, _gap(plan.name, tables) + sac_ap, tables)
    return Disc(
        name=plan.name,
        label=disc_label(plan.name),
        frame=Frame((above.frame.x + below.frame.x) / 2, (top_y + end_y) / 2, (top_z + end_z) / 2, tilt),
        depth=(above.depth + below.depth) / 2,
        width=(above.width + below.width) / 2 if below.label != SACRUM_LABEL else above.width,
        # Along the disc's normal only: a slip does not make it higher.
        height=float((top_y - end_y) * np.sin(tilt) + (top_z - end_z) * np.cos(tilt)),
        wedge=plan.wedge,
        slip=plan.slip,
        bulges=Bulges(
            diffuse=diffuse,
            focal=focal,
            focal_t=plan.focal_t,
            focal_spread=5.0,
            lateral=(_lateral(plan.foramen_width[0]), _lateral(plan.foramen_width[1])),
            lateral_t=pedicle_t,
        ),
    )


def _midline_bulges(plan: DiscPlan, depth: float, tables: Tables) -> tuple[float, float]:
    """Return bulge and herniation as far as the drawn canal lets them.

    Without a drawn stenosis the sac keeps a little more than the limit of the rule; a herniation stays one
    (2.6 mm at least) even where that takes more of the canal than was drawn. Truth measures what is left.

    Args:
        plan: The disc.
        depth: From the back of the healthy disc to the back of the sac, mm.
        tables: Norms with the rule.
    """
    open_ap = tables.rules["canal_ap"]["moderate_at_most"] + 0.6
    room = max(depth - min(plan.canal_ap, open_ap), 0.0)
    diffuse = min(plan.bulge, room)
    if not plan.focal:
        return diffuse, 0.0
    return diffuse, max(2.6, min(plan.focal, room - diffuse) if plan.focal_t == 0 else plan.focal)


def _lateral(foramen_width: float) -> float:
    """Return the foraminal part of a disc that goes with a narrow foramen; the facet makes the rest of it."""
    return 0.0 if foramen_width >= 3.0 else 1.5


def _gap(level: str, tables: Tables) -> float:
    names = list(tables.discs)
    return float(by_node(tables.canal["anterior_gap"], names)[names.index(level)])


def _flavum(disc: Disc, plan: DiscPlan, sac_ap: float, tables: Tables) -> float:
    """Return how far the ligamentum flavum pushes in, so that sac and disc leave the drawn AP diameter."""
    front = max(-disc.margin(0.0) - disc.depth / 2 + disc.hollow - _gap(disc.name, tables), 0.0)
    return float(np.clip(sac_ap - front - plan.canal_ap, 0.0, 7.0))


def _pedicles(plan: SpinePlan, tables: Tables) -> dict[str, float]:
    """Return the distance of each vertebra's pedicles from the midline, mm."""
    names = list(tables.discs)
    bony = by_node(tables.canal["bony_width"], names)
    return {body.name: float(bony[len(names) - 1 - index] / 2 + 3.0) for index, body in enumerate(plan.bodies)}


def _arches(bodies: list[Body], discs: list[Disc], pedicles: dict[str, float], plan: SpinePlan) -> dict[str, Arch]:
    """Return the posterior elements of S1 (its facets) and of every vertebra."""
    widths = {disc.name: disc.foramen_width for disc in plan.discs}
    stack = [body for body in bodies if body.label != SACRUM_LABEL or body.name == "S1"]
    return {
        body.name: build_arch(
            body,
            above=discs[index] if index < len(discs) else None,
            below=discs[index - 1] if index else None,
            # S1 has no pedicles of its own: its facets stand in one line with those of L5.
            pedicle_t=pedicles["L5" if body.name == "S1" else body.name],
            pedicle_above_t=pedicles[stack[min(index + 1, len(stack) - 1)].name],
            sac_ap=plan.sac_ap,
            widths=widths,
        )
        for index, body in enumerate(stack)
    }


def _canal(bodies: list[Body], discs: list[Disc], plan: SpinePlan, tables: Tables) -> CanalCurve:
    """Lay the curve of the sac behind the bodies (even nodes) and discs (odd nodes)."""
    names = list(tables.discs)
    segments = [body for body in bodies if body.label == SACRUM_LABEL][-3:]
    upper = [body for body in bodies if body.label != SACRUM_LABEL]
    nodes, rows = [], []
    for index, body in enumerate(segments):
        lift = 0.5 * plan.sac_ap + (6.0 - index)
        nodes.append(body.frame.world(-body.depth / 2 - lift, 0.0)[1:])
        nodes.append(body.frame.world(-body.depth / 2 - lift, body.height / 2)[1:])
        rows += [len(names) - 1.0] * 2
    nodes.pop()
    rows.pop()
    for index, (disc, body) in enumerate(zip(discs, upper, strict=True)):
        row = len(names) - 1 - index
        offset = _gap(disc.name, tables) + 0.5 * plan.sac_ap
        nodes.append(disc.frame.world(-disc.depth / 2 + disc.hollow - offset, 0.0)[1:])
        nodes.append(body.frame.world(-body.depth / 2 + body.hollow - offset - 0.4, 0.0)[1:])
        rows += [float(row), row - 0.5]
    top = upper[-1]
    nodes.append(top.frame.world(-top.depth / 2 - 0.5 * plan.sac_ap, top.height / 2 + 6.0)[1:])
    rows.append(0.0)
    levels = np.arange(len(names))
    return build_curve(
        np.array(nodes),
        sac_ap=plan.sac_ap,
        sac_width=np.interp(rows, levels, by_node(tables.canal["sac_width"], names)),
        bony_width=np.interp(rows, levels, by_node(tables.canal["bony_width"], names)),
        sac_end=1.5,
    )
