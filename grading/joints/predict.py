"""Grade the sacroiliac joints of a study: locate, cut, run the network, calibrate, apply the rules.

``JointGrader`` is loaded once and used for many studies.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anatomy import Protocol
from grading.findings import build_findings
from grading.joints.build import CHANNELS
from grading.joints.frames import SIDES
from grading.joints.grades import STAGE, STATUS, pelvis_grades, pelvis_notices, sparcc_measurement
from grading.joints.inputs import GatheredJoints, JointStack, StackedJoints, gather_joints, stack_joints
from grading.joints.model import LESIONS, JointInputs, JointOutputs
from grading.joints.reading import JointReading, PelvisReading
from grading.joints.rule import apply_rules
from grading.joints.storage import KINDS, StoredJointGrader, read_joint_grader
from grading.probabilities import step_probabilities
from grading.types import Findings
from imaging.types import Study
from runtime.device import pick_device
from runtime.settings import load_settings
from runtime.weights import open_weights
from segmentation.types import SegmentedStudy


class JointGrader:
    """Grades sacroiliitis of the patient and the stage of each joint.

    Args:
        stored: Network, configuration and tuning.
        checksum: Of the weights, for the provenance.
        device: Torch device.

    Attributes:
        network: The network; its ``encoder.trunk`` makes the feature map that saliency looks at.
    """

    def __init__(self, stored: StoredJointGrader, *, checksum: str, device: torch.device) -> None:
        self.config, self.checksum = stored.config, checksum
        self.network = stored.network.to(device).eval()
        self._tuning, self._device = stored.tuning, device

    @classmethod
    def load(
        cls, *, weights_root: Path | None = None, name: str = "grading-sacroiliac", device: str = "auto"
    ) -> "JointGrader":
        """Load verified weights.

        Args:
            weights_root: Folder of all weights; None takes that of the settings.
            name: Folder of the model.
            device: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            WeightsError: If the weights are missing, changed or of another format.
        """
        folder = open_weights(name, load_settings().weights_dir if weights_root is None else weights_root)
        return cls(read_joint_grader(folder), checksum=folder.checksum, device=pick_device(device))

    def grade(self, study: Study, segmented: SegmentedStudy, protocol: Protocol) -> Findings:
        """Grade the patient and both joints.

        Returns:
            The Findings graph, with the SPARCC score among its measurements. A joint that cannot be graded is
            there with its reason; without a fat-suppressed series nothing is.
        """
        gathered = gather_joints(study, segmented, self.config.crops)
        reading = self.read(gathered)
        measured = None if reading is None else sparcc_measurement(reading, gathered, segmented)
        tuning = {} if reading is None else self._tuning[reading.at_hand]
        thresholds = {scale: item.thresholds for scale, item in tuning.items()}
        grades = pelvis_grades(reading, gathered, thresholds, measured)
        if measured is not None:
            segmented = replace(segmented, measurements=(*segmented.measurements, measured))
        notices = [*gathered.notices, *pelvis_notices(grades)]
        return build_findings(study, segmented, protocol, grades, notices=notices)

    def read(self, gathered: GatheredJoints) -> PelvisReading | None:
        """Run the network on located joints; None where there are none."""
        if not gathered.joints:
            return None
        stacked = stack_joints(gathered.joints, self.config.crops)
        with torch.inference_mode():
            outputs: JointOutputs = self.network(self.network_inputs(stacked))
        at_hand = "+".join(CHANNELS) if stacked.has_t1.any() else CHANNELS[0]
        joints = {}
        for side, stack in gathered.joints.items():
            row = SIDES.index(side)
            own = JointOutputs(*(item[:, row] if item.dim() > 1 else item for item in outputs))
            joints[side] = self._joint(stack, own, at_hand)
        status = self._tuning[at_hand][STATUS].calibration.apply(_numpy(outputs.status)[:, None])
        return PelvisReading(
            joints=joints,
            status=step_probabilities(status, KINDS[STATUS])[0],
            rule=apply_rules({side: (item.stack.windows.slices, item.items) for side, item in joints.items()}),
            at_hand=at_hand,
        )

    def network_inputs(self, stacked: StackedJoints) -> JointInputs:
        """Return what the network reads of one patient (B is 1)."""
        arrays = (stacked.crops, stacked.present, stacked.has_t1, stacked.places)
        return JointInputs(*(torch.from_numpy(array)[None].to(self._device) for array in arrays))

    def _joint(self, stack: JointStack, own: JointOutputs, at_hand: str) -> JointReading:
        """Calibrate the answers on one joint; ``own`` holds those of its side, batch of one."""
        count = len(stack.windows.slices)
        stages = self._tuning[at_hand][STAGE].calibration.apply(_numpy(own.stages))
        lesions, attention = _sigmoid(_numpy(own.lesions)[0]), _numpy(own.attention)[0, :, :count]
        return JointReading(
            stack=stack,
            stages=step_probabilities(stages, KINDS[STAGE])[0],
            lesions=dict(zip(LESIONS, lesions.tolist(), strict=True)),
            items=_sigmoid(_numpy(own.items)[0, :count]),
            attention=dict(zip(LESIONS, attention, strict=True)),
        )


def _numpy(tensor: torch.Tensor) -> NDArray[np.float64]:
    values: NDArray[np.float64] = tensor.double().cpu().numpy()
    return values


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = 0.5 * (1 + np.tanh(logits / 2))
    return values
