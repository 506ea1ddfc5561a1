"""What is measured on the cord in its canal: diameters, the space around it, compression ratios.

Compression is told as a share of the mean of the same diameter behind the middles of the bodies above and below,
which are taken as not compressed: 1 - d / ((d_above + d_below) / 2). For the canal it is the maximum canal
compromise (MCC), for the cord the maximum spinal cord compression (MSCC).
Source: Fehlings MG et al., Spine 1999;24:605 (mid-sagittal, normal levels above and below); which places count as
normal is own choice, the middles of the neighbouring bodies.
"""

from collections.abc import Iterator

import numpy as np

from segmentation.measure.canal import narrowest
from segmentation.measure.found import Found, between_slices, missing
from segmentation.measure.labels import CORD, beside
from segmentation.measure.sagittal import NO_CANAL, Row, canal_width, from_canal
from segmentation.measure.spine import SagittalSpine

NO_CORD = "the spinal cord is not outlined at this level"
NO_REFERENCE = "the diameter is not known behind a neighbouring vertebral body"


def measure_cord(spine: SagittalSpine, level: str) -> Iterator[Row]:
    """Yield the quantities of the cord at one level."""
    around = spine.middle(level).alone
    yield "cord_ap_diameter", between_slices(around, lambda k: _cord_width(spine, level, k))
    yield "subarachnoid_space", between_slices(around, lambda k: _space(spine, level, k))
    yield "maximum_canal_compromise", between_slices(around, lambda k: _loss(spine, level, k, of_cord=False))
    yield "maximum_cord_compression", between_slices(around, lambda k: _loss(spine, level, k, of_cord=True))


def has_cord(spine: SagittalSpine) -> bool:
    """Return whether any slice outlines the cord."""
    return bool((spine.stack.labels == CORD).any())


def _cord_width(spine: SagittalSpine, name: str, k: int) -> Found:
    cord = spine.cord(name, k)
    if cord is None or cord.reason is not None:
        return missing(NO_CORD)
    return from_canal(narrowest(cord, spine.frame))


def _space(spine: SagittalSpine, level: str, k: int) -> Found:
    canal, cord = spine.stretch(level, k), spine.cord(level, k)
    if canal is None or canal.reason is not None:
        return missing(NO_CANAL)
    if cord is None or cord.reason is not None:
        return missing(NO_CORD)
    return Found(float(np.min(canal.widths() - cord.widths())))


def _loss(spine: SagittalSpine, level: str, k: int, *, of_cord: bool) -> Found:
    width = _cord_width if of_cord else canal_width
    here = width(spine, level, k)
    if here.value is None:
        return here
    ends = [width(spine, name, k).value for name in beside(level)]
    known = [end for end in ends if end is not None]
    if len(known) < 2:
        return missing(NO_REFERENCE)
    return Found(1.0 - here.value / float(np.mean(known)), None, here.line_px)
