"""The first cervical vertebra: a ring around the dens that no disc separates from C2.

Everything above the C2-C3 disc is numbered C2 at first. Its body reaches about 1.3 pitches up and the dens, in the
middle slices, 2.1; the ring of C1 begins at 1.3 to 1.5 (in the drawn necks, per slice). So pieces of C2 that lie
wholly above ``FROM`` pitches are C1. A ring that touches the dens in the outline stays part of C2.
"""

import numpy as np
from scipy import ndimage

from anatomy import DISC_LEVELS, vertebra_label
from segmentation.frame import SliceFrame, caudal_normal
from segmentation.types import LabelArray
from segmentation.vertebrae import DiscPlane

FROM = 1.15
"""Lowest point of a piece of C1 above the C2-C3 disc, in pitches (own choice, half-way between the tops of C2's
articular processes and the ring in drawn necks)."""


def number_atlas(labels: LabelArray, top: DiscPlane, pitch: float, frame: SliceFrame) -> LabelArray:
    """Number C1 in a label map whose highest named disc is C2-C3; others are returned as they are.

    Args:
        labels: (I, J, K) label numbers; changed in place.
        top: The highest named disc of the middle slice.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slices' plane.
    """
    if top.level != DISC_LEVELS[0]:
        return labels
    axis, atlas = vertebra_label("C2"), vertebra_label("C1")
    up = -caudal_normal(top.axis)
    for k in range(labels.shape[2]):
        pieces, count = ndimage.label(labels[:, :, k] == axis)
        for index in range(1, count + 1):
            x, y = np.nonzero(pieces == index)
            heights = (frame.to_plane(np.stack([x, y], axis=1)) - top.centre) @ up
            if heights.min() > FROM * pitch:
                labels[x, y, k] = atlas
    return labels
