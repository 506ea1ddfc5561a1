"""Records of what the sacroiliac network saw: at each joint, and of the patient. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import Side
from grading.joints.inputs import JointStack
from grading.joints.rule import RuleResult


@dataclass(frozen=True, eq=False)
class JointReading:
    """What was seen at one joint.

    Attributes:
        stack: Its crops.
        stages: (4,) calibrated probabilities of the steps of ``as_stage``.
        lesions: Lesion of ``grading.joints.model.LESIONS`` -> the network's probability, not calibrated.
        items: (L, 13) probabilities of ``grading.joints.model.SLICE_ITEMS`` on each slice, not calibrated.
        attention: Lesion -> (L,) what its answer weighed the slices with.
    """

    stack: JointStack
    stages: NDArray[np.float64]
    lesions: Mapping[str, float]
    items: NDArray[np.float64]
    attention: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class PelvisReading:
    """What was seen at both joints.

    Attributes:
        joints: Side -> reading; sides that could not be read are left out.
        status: (2,) calibrated probabilities of the steps of ``as_status``.
        rule: What the rules say of the slices.
        at_hand: Sequences that were read, ``stir+t1`` or ``stir``.
    """

    joints: Mapping[Side, JointReading]
    status: NDArray[np.float64]
    rule: RuleResult
    at_hand: str
