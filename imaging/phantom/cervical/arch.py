"""Posterior elements of cervical vertebrae: pedicles, pillars, laminae, spinous and transverse processes.

Sizes are own choice, to look like a cervical MRI, except: a pillar stands behind the uncinate process by the
drawn width of the foramen, and a spinous process of C3 to C5 is 15 mm long (15.3 +/- 4.3 mm, Eur J Anat 2020). The
joints between pillars lean 45 degrees, as cervical facets do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.cervical.place import Neck
from imaging.phantom.cervical.shapes import NeckBody
from imaging.phantom.shapes import Values

FORAMEN_MM = 5.6  # healthy width of a foramen between uncus and facet; own choice, roots of 3.4 to 4.4 mm pass
FORAMEN_T_MM = 11.2  # how far from the midline it is measured
UNCUS_BACK_MM = 1.0  # the uncinate process ends this far in front of the back wall

_SLANT = 0.85  # of the joints: mm down for each mm to the back
_SPINOUS_MM = {"C2": 17.0, "C3": 14.0, "C4": 15.0, "C5": 16.0, "C6": 21.0, "C7": 31.0}
_BIFID = ("C2", "C3", "C4", "C5", "C6")
_PILLAR_TOP_MM = 0.8  # height of the joint's middle above the upper endplate

Inside = Callable[[Values, Values, Values, float], NDArray[np.bool_]]
"""Where local (p, q, t) lies inside a bone grown by some mm; a negative growth leaves the cortex out."""


class Extent(NamedTuple):
    """A box around a bone in its body's frame: from and to, mm; t goes to both sides."""

    p_from: float
    p_to: float
    q_from: float
    q_to: float
    t_to: float


@dataclass(frozen=True)
class Arch:
    """Where the posterior elements of a vertebra lie in its own frame, mm.

    Attributes:
        name: Of the vertebra.
        half: Half the height of the body.
        back: p of the back wall.
        inner: Half the width of the bony canal.
        roof: Distance from the back wall to the front of the laminae at the midline.
        fronts: p of the front of the (left, right) pillar at the foramen above.
        pitch: Distance to the joint below, along q.
    """

    name: str
    half: float
    back: float
    inner: float
    roof: float
    fronts: tuple[float, float]
    pitch: float


def build_arch(neck: Neck, body: NeckBody) -> Arch:
    """Return the posterior elements of C2 to T4."""
    index = neck.bodies.index(body)
    closed = (0.0, 0.0) if index == 0 else neck.plan.discs[index - 1].facet
    healthy = body.back + UNCUS_BACK_MM - FORAMEN_MM
    below = neck.bodies[index + 1] if index + 1 < len(neck.bodies) else None
    pitch = body.height + 4.0 if below is None else _distance(body, below)
    _, y, z = body.frame.world(body.back, 0.0)
    sample = neck.curve.nearest(y, z)
    return Arch(
        name=body.name,
        half=body.height / 2,
        back=body.back,
        inner=float(neck.curve.bony_half_width[sample]),
        roof=2 * float(neck.curve.half_ap[sample]) + neck.tables.canal["anterior_gap"] + 1.6,
        fronts=(healthy + closed[0], healthy + closed[1]),
        pitch=pitch,
    )


def arch_parts(arch: Arch) -> tuple[tuple[Inside, Extent], ...]:
    """Return the posterior elements, each with a box around it, in the order of painting."""
    low = arch.half + _PILLAR_TOP_MM - arch.pitch - 6.0
    roof = arch.back - arch.roof
    length = _spinous_length(arch.name)
    return (
        (_spinous(arch), Extent(roof - length - 4, roof + 2, -0.9 * length - 10, 5, 7)),
        (_laminae(arch), Extent(roof - 7, arch.back - 2, -arch.half - 5, 4, arch.inner + 7)),
        (_transverse(arch), Extent(arch.back - 8, 5, -5, 7, 34)),
        (_pillars(arch), Extent(arch.back - 18, max(arch.fronts) + 2, low, arch.half + 12, arch.inner + 10)),
        (_pedicles(arch), Extent(arch.back - 8, arch.back + 4, -3, 7, arch.inner + 4)),
    )


def uncus_part(arch: Arch, spurs: tuple[float, float]) -> tuple[Inside, Extent]:
    """Return the back of the uncinate processes with their spurs into the (left, right) foramen."""

    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        spur = np.where(t < 0, np.float32(spurs[0]), np.float32(spurs[1]))
        edge = arch.back + UNCUS_BACK_MM
        found: NDArray[np.bool_] = (
            (np.abs(np.abs(t) - 10.4) <= 2.4 + grow)
            & (p >= edge - spur - grow)
            & (p <= edge + 3.0)
            & (q >= arch.half - 3.0)
            & (q <= arch.half + 3.4 + grow - 0.12 * (edge - p) ** 2)
        )
        return found

    return inside, Extent(arch.back - max(spurs) - 2, arch.back + 5, arch.half - 4, arch.half + 5, 14)


def _distance(body: NeckBody, below: NeckBody) -> float:
    """Return how far the upper endplate of the body below lies under that of a body, along q."""
    _, y, z = below.frame.world(0.0, below.height / 2)
    _, q, _ = body.frame.local(np.array([body.frame.x]), np.array([y]), np.array([z]))
    return body.height / 2 - float(q[0])


def _spinous_length(name: str) -> float:
    return _SPINOUS_MM.get(name, 31.0)


def _front(arch: Arch, t: Values) -> Values:
    return np.where(t < 0, np.float32(arch.fronts[0]), np.float32(arch.fronts[1]))


def _pillars(arch: Arch) -> Inside:
    """The articular pillars: blocks cut at the top and bottom by the slanting joints."""

    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        front = _front(arch, t)
        behind = front - p
        joint = arch.half + _PILLAR_TOP_MM - _SLANT * (behind - 4.5)
        lower = joint - arch.pitch + 1.5
        side = np.abs(t) - (arch.inner + 4.2)
        round_off = 0.05 * np.clip(side, 0.0, None) ** 2
        found: NDArray[np.bool_] = (
            (np.abs(side) <= 4.6 + grow)
            & (behind >= -grow + round_off)
            & (behind <= 10.5 + grow - round_off)
            & (q <= joint + grow)
            & (q >= lower - grow)
        )
        return found

    return inside


def _pedicles(arch: Arch) -> Inside:
    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        lean = np.abs(t) - (arch.inner + 0.6) - 0.35 * (arch.back - p)
        up = (q - 0.28 * arch.half) / (3.1 + grow)
        found: NDArray[np.bool_] = (
            ((lean / (2.4 + grow)) ** 2 + up**2 <= 1.0) & (p <= arch.back + 3) & (p >= arch.back - 6.5)
        )
        return found

    return inside


def _laminae(arch: Arch) -> Inside:
    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        across = np.abs(t)
        front = arch.back - arch.roof + 0.032 * t * t
        lean = 0.25 * (q + 0.3 * arch.half)
        found: NDArray[np.bool_] = (
            (np.abs(p - front + 1.7 - lean) <= 1.7 + grow)
            & (across <= arch.inner + 4.0 + grow)
            & (q <= 0.2 * arch.half + grow)
            & (q >= -1.25 * arch.half - grow)
        )
        return found

    return inside


def _spinous(arch: Arch) -> Inside:
    length = _spinous_length(arch.name)
    droop = 0.55 if arch.name in ("C6", "C7") else 0.42 if arch.name.startswith("C") else 0.75
    is_bifid = arch.name in _BIFID

    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        behind = arch.back - arch.roof - 1.0 - p
        middle = -0.45 * arch.half - droop * behind
        share = np.clip(behind / length, 0.0, 1.0)
        half = 3.6 + (1.4 if arch.name in ("C2", "C7") else 0.3) * share
        split = 2.6 * np.clip((share - 0.6) / 0.4, 0.0, 1.0) if is_bifid else 0.0
        tip = 3.0 * np.clip((behind - length + 4.0) / 4.0, 0.0, 1.0) ** 2
        found: NDArray[np.bool_] = (
            (behind >= -1.0)
            & (behind <= length + grow)
            & (np.abs(q - middle) <= half - tip + grow)
            & (np.abs(np.abs(t) - split) <= 2.1 + 0.6 * share + grow)
        )
        return found

    return inside


def _transverse(arch: Arch) -> Inside:
    """A ring around the vertebral artery with two tubercles for C3 to C6; a plain bar elsewhere."""
    has_ring = arch.name in ("C2", "C3", "C4", "C5", "C6")

    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        across = np.abs(t)
        if not has_ring:
            reach = 26.0 if arch.name == "C7" else 30.0
            bar: NDArray[np.bool_] = (
                (across >= arch.inner) & (across <= reach + grow)
                & (np.abs(p - arch.back + 2.0 + 0.1 * (across - arch.inner)) <= 2.6 + grow)
                & (np.abs(q - 2.0) <= 3.2 + grow)
            )  # fmt: skip
            return bar
        radius = np.hypot(across - ARTERY_T_MM, p - artery_p(arch))
        ring = np.abs(radius - 4.3) <= 1.1 + grow
        outside = (across > ARTERY_T_MM) & (across < ARTERY_T_MM + 8.0 + grow)
        bars = outside & (np.abs(np.abs(p - artery_p(arch)) - 3.8) <= 1.3 + grow)
        found: NDArray[np.bool_] = (ring | bars) & (np.abs(q - 1.0 + 0.25 * (across - ARTERY_T_MM)) <= 2.2 + grow)
        return found

    return inside


ARTERY_T_MM = 16.0  # how far from the midline the vertebral arteries run


def artery_p(arch: Arch) -> float:
    """Return p of the vertebral arteries in a body's frame, mm."""
    return arch.back + 5.5
