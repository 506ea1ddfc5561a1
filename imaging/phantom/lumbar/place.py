"""From a plan to shapes in the world: bodies and discs stacked from the sacrum upwards, the canal behind them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anatomy import disc_label, vertebra_label
from imaging.phantom.lumbar.arch import Arch, build_arch
from imaging.phantom.lumbar.canal import CanalCurve, build_curve
from imaging.phantom.lumbar.courses import Course, root_courses
from imaging.phantom.lumbar.facets import Joint, build_joints, foramen_w
from imaging.phantom.lumbar.plan import BodyPlan, DiscPlan, SpinePlan
from imaging.phantom.lumbar.posture import body_leans
from imaging.phantom.lumbar.sacrum import SACRUM_LABEL, place_sacrum
from imaging.phantom.lumbar.tables import Tables
from imaging.phantom.shapes import Body, Bulges, Disc, Frame
from imaging.phantom.tables import by_level

_MEAN_BOWL = 0.96  # mean depth of a bowl over its middle third, a share of its deepest


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
        arches: Vertebra -> its posterior elements.
        joints: Level -> its (left, right) facet joint.
        conus: Sample of the curve where the cord ends.
        roots: Level -> the (left, right) root that leaves through its foramen.
    """

    plan: SpinePlan
    tables: Tables
    bodies: tuple[Body, ...]
    discs: tuple[Disc, ...]
    curve: CanalCurve
    flavum: dict[str, float]
    pedicle_t: dict[str, float]
    arches: dict[str, Arch]
    joints: dict[str, tuple[Joint, Joint]]
    conus: int
    roots: dict[str, tuple[Course, Course]]

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

    def near(self, disc: Disc) -> "Spine":
        """Return the spine with only the discs and bodies that reach a disc's own planes."""
        index = self.discs.index(disc)
        first = self.bodies.index(self.around(disc)[1])
        return replace(
            self,
            discs=self.discs[max(index - 1, 0) : index + 2],
            bodies=self.bodies[max(first - 1, 0) : first + 3],
        )

    @property
    def vertebrae(self) -> tuple[Body, ...]:
        """Return the bodies without the sacrum, L5 first."""
        return tuple(body for body in self.bodies if body.label != SACRUM_LABEL)


def place_spine(plan: SpinePlan, tables: Tables) -> Spine:
    """Stack a plan's bodies and discs and lay the canal behind them."""
    bowls = [_concavity(disc) for disc in plan.discs]
    bodies: list[Body] = list(place_sacrum(plan, tables, bowls[0]))
    discs: list[Disc] = []
    pedicles = _pedicles(plan, tables)
    leans = body_leans(plan, tables)
    for index, (disc_plan, body_plan) in enumerate(zip(plan.discs, plan.bodies, strict=True)):
        below = bodies[-1]
        around = bowls[index], bowls[min(index + 1, len(bowls) - 1)]
        lips = disc_plan.lip, plan.discs[min(index + 1, len(bowls) - 1)].lip
        body = _stack(below, disc_plan, body_plan, around, leans[index])
        bodies.append(replace(body, lip_bottom=lips[0], lip_top=lips[1]))
        discs.append(_disc_between(body, below, disc_plan, plan, tables, pedicles[body.name]))
    joints = {
        disc.name: build_joints(disc, disc_plan, tables, foramen_w(pedicles[disc.name.split("-")[0]]))
        for disc, disc_plan in zip(discs, plan.discs, strict=True)
    }
    curve = _canal(bodies, discs, plan, tables)
    return Spine(
        plan=plan,
        tables=tables,
        bodies=tuple(bodies),
        discs=tuple(discs),
        curve=curve,
        flavum={d.name: _flavum(d, p, plan.sac_ap, tables) for d, p in zip(discs, plan.discs, strict=True)},
        pedicle_t=pedicles,
        arches=_arches(bodies, discs, joints, pedicles, plan),
        joints=joints,
        conus=_conus(bodies, curve, plan),
        roots={
            disc.name: root_courses(index, bodies, discs, joints, pedicles) for index, disc in enumerate(discs)
        },
    )


def _conus(bodies: list[Body], curve: CanalCurve, plan: SpinePlan) -> int:
    """Return the sample of the curve where the cord ends."""
    body = next(body for body in bodies if body.name == "L1")
    _, y, z = body.frame.world(-body.depth / 2, -plan.conus * (body.height + 9.0))
    return curve.nearest(y, z)


def _concavity(disc: DiscPlan) -> float:
    """Return the depth of the bowls around a disc: up to 1.6 mm in a high disc, none in a collapsed one."""
    return float(np.clip(0.16 * disc.height - 0.3, 0.0, 1.6))


def _stack(
    below: Body, disc: DiscPlan, plan: BodyPlan, bowls: tuple[float, float], lean: tuple[float, float]
) -> Body:
    """Place a body on the disc above another body; ``bowls`` are those of its lower and upper endplate, mm."""
    frame = below.frame
    end_tilt = frame.tilt - below.wedge / 2
    mean = (frame.roll + lean[0]) / 2, (frame.yaw + lean[1]) / 2
    end = frame.world(0.0, below.height / 2)
    end = Frame(*end, end_tilt - disc.wedge / 2, *mean).world(0.0, _rim_height(disc, bowls[0]))
    end = Frame(*end, end_tilt, *mean).world(disc.slip, 0.0)
    # A fracture takes from the front only: the body is lower in its middle and wedged backwards.
    lost = plan.collapse * plan.height
    wedge = plan.wedge - float(np.arctan(lost / plan.depth))
    height = plan.height - lost / 2
    tilt = end_tilt - disc.wedge - wedge / 2
    centre = Frame(*end, tilt, *lean).world(0.0, height / 2)
    return Body(
        name=plan.name,
        label=vertebra_label(plan.name),
        frame=Frame(*centre, tilt, *lean),
        depth=plan.depth,
        width=plan.width,
        height=height,
        wedge=wedge,
        concavity_top=bowls[1] + 4.0 * plan.collapse,
        concavity_bottom=bowls[0],
    )


def _rim_height(disc: DiscPlan, concavity: float) -> float:
    """Return the rim-to-rim height of a disc whose middle third has the planned height."""
    return max(disc.height - 2 * _MEAN_BOWL * concavity, 0.8)


def _disc_between(
    above: Body, below: Body, plan: DiscPlan, spine: SpinePlan, tables: Tables, pedicle_t: float
) -> Disc:
    top = np.array(above.frame.world(0.0, -above.height / 2))
    end = np.array(below.frame.world(0.0, below.height / 2))
    tilt = (above.frame.tilt + above.wedge / 2 + below.frame.tilt - below.wedge / 2) / 2
    lean = (above.frame.roll + below.frame.roll) / 2, (above.frame.yaw + below.frame.yaw) / 2
    x, y, z = ((top + end) / 2).tolist()
    frame = Frame(x, y, z, tilt, *lean)
    diffuse, focal = _midline_bulges(plan, _gap(plan.name, tables) + spine.sac_ap, tables)
    share = tables.transitional["rudimentary"]["depth_share"] if plan.is_rudimentary else 1.0
    return Disc(
        name=plan.name,
        label=disc_label(plan.name),
        frame=frame,
        depth=share * (above.depth + below.depth) / 2,
        width=share * ((above.width + below.width) / 2 if below.label != SACRUM_LABEL else above.width),
        # Along the disc's normal only: a slip does not make it higher.
        height=float((top - end) @ frame.axes[1]),
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
        side_wedge=below.frame.roll - above.frame.roll,
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
    return float(by_level(tables.canal["anterior_gap"], names)[names.index(level)])


def _flavum(disc: Disc, plan: DiscPlan, sac_ap: float, tables: Tables) -> float:
    """Return how far the ligamentum flavum pushes in, so that sac and disc leave the drawn AP diameter."""
    front = max(-disc.margin(0.0) - disc.depth / 2 + disc.hollow - _gap(disc.name, tables), 0.0)
    return float(np.clip(sac_ap - front - plan.canal_ap, 0.0, 7.0))


def _pedicles(plan: SpinePlan, tables: Tables) -> dict[str, float]:
    """Return the distance of each vertebra's pedicles from the midline, mm."""
    names = list(tables.discs)
    bony = by_level(tables.canal["bony_width"], names)
    return {body.name: float(bony[len(names) - 1 - index] / 2 + 3.0) for index, body in enumerate(plan.bodies)}


def _arches(
    bodies: list[Body],
    discs: list[Disc],
    joints: dict[str, tuple[Joint, Joint]],
    pedicles: dict[str, float],
    plan: SpinePlan,
) -> dict[str, Arch]:
    """Return the posterior elements of every vertebra."""
    upper = [body for body in bodies if body.label != SACRUM_LABEL]
    return {
        body.name: build_arch(
            body, below=discs[index], joints=joints[discs[index].name], pedicle_t=pedicles[body.name], plan=plan
        )
        for index, body in enumerate(upper)
    }


def _canal(bodies: list[Body], discs: list[Disc], plan: SpinePlan, tables: Tables) -> CanalCurve:
    """Lay the curve of the sac behind the bodies (even nodes) and discs (odd nodes)."""
    names = list(tables.discs)
    segments = [body for body in bodies if body.label == SACRUM_LABEL][-3:]
    upper = [body for body in bodies if body.label != SACRUM_LABEL]
    nodes, rows = [], []
    for index, body in enumerate(segments):
        lift = 0.5 * plan.sac_ap + (6.0 - index)
        nodes.append(body.frame.world(-body.depth / 2 - lift, 0.0))
        nodes.append(body.frame.world(-body.depth / 2 - lift, body.height / 2))
        rows += [len(names) - 1.0] * 2
    nodes.pop()
    rows.pop()
    for index, (disc, body) in enumerate(zip(discs, upper, strict=True)):
        row = len(names) - 1 - index
        offset = _gap(disc.name, tables) + 0.5 * plan.sac_ap
        back = (disc.depth if not plan.discs[index].is_rudimentary else body.depth) / 2
        nodes.append(disc.frame.world(-back + disc.hollow - offset, 0.0))
        nodes.append(body.frame.world(-body.depth / 2 + body.hollow - offset - 0.4, 0.0))
        rows += [float(row), row - 0.5]
    top = upper[-1]
    nodes.append(top.frame.world(-top.depth / 2 - 0.5 * plan.sac_ap, top.height / 2 + 6.0))
    rows.append(0.0)
    levels = np.arange(len(names))
    return build_curve(
        np.array(nodes),
        sac_ap=plan.sac_ap,
        sac_width=np.interp(rows, levels, _sac_widths(plan, tables, names)),
        bony_width=np.interp(rows, levels, by_level(tables.canal["bony_width"], names)),
        sac_end=1.5,
    )


def _sac_widths(plan: SpinePlan, tables: Tables, names: list[str]) -> NDArray[np.float64]:
    """Return the width of the sac at each level: its area falls with age, three quarters of it by width."""
    in_70s = by_level(tables.canal["area_in_70s"], names) ** 0.75
    return by_level(tables.canal["sac_width"], names) * (1.0 + (in_70s - 1.0) * (plan.age_years - 50.0) / 50.0)
