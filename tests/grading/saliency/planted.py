"""A planted sacroiliac network whose answer is known, and the drawn pelvis it reads, for the saliency tests."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grading.calibration import HeadCalibration
from grading.joints.config import JointCropGeometry, JointGraderConfig, JointNetworkConfig
from grading.joints.grades import STAGE, STATUS
from grading.joints.model import LESIONS, JointNetwork
from grading.joints.predict import JointGrader
from grading.joints.storage import StoredJointGrader
from grading.storage import HeadTuning
from imaging.types import Sequence, Study
from segmentation.types import LabelArray, SegmentedStudy
from tests.grading.joints.pelves import affine_of, draw_labels, draw_stir, segmented_of, series_of, study_of

SHAPE = (113, 72, 9)  # an odd number of columns: joints are located on every second one
AFFINE = affine_of(shape=SHAPE)
CONFIG = JointGraderConfig(
    JointCropGeometry(pixel_mm=1.6, rows=28, columns=52, reach_mm=13.0, slices=8),
    JointNetworkConfig(widths=(4, 8, 8), token_width=16, heads=2, layers=1),
)
BRIGHT = 5
"""Slice that shows oedema, on the left only."""


class _Trunk(nn.Module):
    """Means of 4 by 4 pixels of STIR, as far as they are brighter than marrow."""

    def forward(self, crops: Tensor) -> Tensor:
        return torch.relu(nn.functional.avg_pool2d(crops[:, :1], 4) - 0.6)


class _BrightEncoder(nn.Module):
    """Its first feature is the sum of the trunk."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.trunk, self.width = _Trunk(), width

    def forward(self, crops: Tensor) -> Tensor:
        first = self.trunk(crops).sum(dim=(1, 2, 3))
        return nn.functional.pad(first[:, None], (0, self.width - 1))


class _Apart(nn.Module):
    """Every slice for itself."""

    def forward(self, tokens: Tensor, src_key_padding_mask: Tensor) -> Tensor:
        return tokens


def planted() -> JointNetwork:
    """Return a network that looks at the brightest slice, and calls a joint oedematous as far as it is bright."""
    network = JointNetwork(_BrightEncoder(16), _Apart(), width=16)  # type: ignore[arg-type]
    active = LESIONS.index("active")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.lesions.look[0].weight[0, 0] = 1.0
        network.lesions.look[2].weight[active, 0] = 10.0
        network.lesions.weight[active, 0] = 1.0
        network.lesions.bias[:] = -4.0
        network.lesions.bias[active] = -2.0
    return network.eval()


def grader_of(network: JointNetwork) -> JointGrader:
    """Return a grader of a network, without calibration."""
    tuning = {
        STATUS: HeadTuning(HeadCalibration(1.0, (0.0,)), (0.6, 0.6)),
        STAGE: HeadTuning(HeadCalibration(1.0, (0.0,) * 4), (0.7, 0.7, 0.7, None)),
    }
    stored = StoredJointGrader(CONFIG, network, dict.fromkeys(("stir+t1", "stir"), tuning))
    return JointGrader(stored, checksum="made up", device=torch.device("cpu"))


def stir_image() -> NDArray[np.float32]:
    """Draw oedema of the left ilium on one slice."""
    image = draw_stir(AFFINE, SHAPE)
    image[:, :, BRIGHT] = draw_stir(AFFINE, SHAPE, oedema_at_x=-1.0)[:, :, BRIGHT]
    return image


def pelvis(*, mirrored: bool = False, with_t1: bool = True) -> tuple[Study, SegmentedStudy]:
    """Return the drawn pelvis with its outlines, or its mirror image."""
    images, labels = [stir_image(), draw_stir(AFFINE, SHAPE)], draw_labels(AFFINE, SHAPE)
    if mirrored:
        images, labels = [image[::-1] for image in images], _mirror_labels(labels)
    stir, t1 = (
        series_of(np.ascontiguousarray(image), AFFINE, series_id=name, sequence=sequence)
        for image, name, sequence in zip(images, ("S1", "S2"), (Sequence.STIR, Sequence.T1), strict=True)
    )
    study = study_of(stir, t1) if with_t1 else study_of(stir)
    return study, segmented_of(study, {series.id: labels for series in study.series})


def _mirror_labels(labels: LabelArray) -> LabelArray:
    names = np.arange(256, dtype=np.uint8)
    names[[51, 52, 53, 54]] = [52, 51, 54, 53]
    return np.ascontiguousarray(names[labels][::-1])
