"""Grades of the sacroiliac joints explained on drawn pelves: with a planted network, and with an untrained one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from anatomy import SIJ, Side, load_protocol
from grading.joints.build import build_joint_network
from grading.joints.frames import SIDES, frame_band
from grading.joints.grades import RULE, STAGE, STATUS
from grading.joints.inputs import gather_joints
from grading.joints.predict import JointGrader
from grading.saliency import Saliency, SaliencyMethod, explain_grade
from grading.saliency.randomise import randomised
from grading.types import Findings
from runtime.errors import ConfigError, NotEligibleError
from tests.grading.joints.pelves import MARROW, OEDEMA
from tests.grading.saliency.planted import AFFINE, BRIGHT, CONFIG, SHAPE, grader_of, pelvis, planted, stir_image

PROTOCOL = load_protocol("sacroiliac")


@pytest.fixture(scope="module")
def bright() -> JointGrader:
    return grader_of(planted())


@pytest.fixture(scope="module")
def untrained() -> JointGrader:
    torch.manual_seed(0)
    return grader_of(build_joint_network(CONFIG.network))


def ask(
    grader: JointGrader, scale: str, side: Side | None = None, *, mirrored: bool = False, **options: object
) -> tuple[Saliency, ...]:
    study, segmented = pelvis(mirrored=mirrored)
    findings = grader.grade(study, segmented, PROTOCOL)
    return explain_grade(grader, study, segmented, findings, id_of(findings, scale, side), **options)  # type: ignore[arg-type]


def id_of(findings: Findings, scale: str, side: Side | None = None) -> str:
    return next(item.id for item in findings.grades if (item.scale, item.side) == (scale, side))


@pytest.mark.parametrize("method", list(SaliencyMethod))
@pytest.mark.parametrize(("scale", "side"), [(STATUS, None), (STAGE, Side.LEFT)])
def test_heat_lies_on_the_bright_slice_side_and_place(
    bright: JointGrader, method: SaliencyMethod, scale: str, side: Side | None
) -> None:
    first, *others = ask(bright, scale, side, method=method)
    assert len(others) == 2
    assert (first.level, first.view, first.series_id) == (SIJ, "joint", "S1")
    assert (first.side, first.slice_index) == (Side.LEFT, BRIGHT)
    assert first.window_share == pytest.approx(1.0)
    assert all(item.map.max() == 0 and item.window_share == 0 for item in others)
    assert first.map.shape == (72, 113)
    assert first.map.max() == pytest.approx(1.0, abs=0.05)
    drawn = (stir_image()[:, :, BRIGHT] > (MARROW + OEDEMA) / 2).T
    near = binary_dilation(drawn, iterations=5)  # a cell is 4 pixels wide
    assert first.map[near].sum() > 0.95 * first.map.sum()
    assert first.target == ("log-odds of positive" if side is None else "log-odds of early")


def test_a_joint_without_heat_says_so(bright: JointGrader) -> None:
    found = ask(bright, STAGE, Side.RIGHT)
    assert {item.side for item in found} == {Side.RIGHT}
    for item in found:
        assert (item.map.max(), item.energy_share, item.window_share) == (0, None, None)
        assert item.reason == "nothing in this picture speaks for it"
        assert item.area_share is not None
    assert found[0].target == "log-odds of any step but normal"


def test_the_focused_map_is_the_heat_within_the_joints_band(bright: JointGrader) -> None:
    study, segmented = pelvis()
    item = ask(bright, STAGE, Side.LEFT)[0]
    frame = gather_joints(study, segmented, CONFIG.crops).joints[Side.LEFT].frame
    band = frame_band(frame, AFFINE, SHAPE, np.array([BRIGHT]))[:, :, 0].T
    assert item.focused_map is not None
    np.testing.assert_array_equal(item.focused_map, np.where(band, item.map, 0))
    assert item.energy_share == pytest.approx(float(item.focused_map.sum() / item.map.sum()), rel=1e-5)
    assert item.area_share is not None
    # 20 mm of 45 across, and the joint's length of 83 mm along
    assert item.area_share == pytest.approx(20 / (28 * 1.6) * min(1.0, frame.length_mm / (52 * 1.6)), rel=0.1)
    assert (item.structures, item.outlined_on, item.region) == (("joint_space_left",), "S1", "left joint ± 10 mm")
    table = item.to_dict()
    assert (table["level"], table["side"], table["view"]) == ("SIJ", "left", "joint")
    assert table["level_share"] is None


@pytest.mark.parametrize("method", list(SaliencyMethod))
@pytest.mark.parametrize("scale", [STATUS, STAGE])
def test_a_mirrored_pelvis_has_its_maps_mirrored(
    untrained: JointGrader, method: SaliencyMethod, scale: str
) -> None:
    left, right = (None, None) if scale == STATUS else SIDES
    found = ask(untrained, scale, left, method=method, slices=20)
    turned = ask(untrained, scale, right, method=method, slices=20, mirrored=True)
    assert max(float(item.map.max()) for item in found) > 0.9
    by_place = {(item.side, item.slice_index): item for item in turned}
    assert len(by_place) == len(found) == (14 if scale == STATUS else 7)
    for item in found:
        other = by_place[SIDES[1 - SIDES.index(item.side)] if item.side else None, item.slice_index]
        np.testing.assert_allclose(item.map, other.map[:, ::-1], atol=2e-3)
        assert item.window_share == pytest.approx(other.window_share, abs=1e-3)
        assert item.energy_share == pytest.approx(other.energy_share, abs=5e-3)


def test_the_evidence_slice_comes_first_and_then_the_hottest(untrained: JointGrader) -> None:
    study, segmented = pelvis()
    findings = untrained.grade(study, segmented, PROTOCOL)
    grade = next(item for item in findings.grades if (item.scale, item.side) == (STAGE, Side.LEFT))
    assert grade.evidence is not None

    def shares(slices: int) -> list[tuple[int, float]]:
        found = explain_grade(untrained, study, segmented, findings, grade.id, slices=slices)
        return [(item.slice_index, item.window_share or 0.0) for item in found]

    every = shares(20)
    assert every[0][0] == grade.evidence.slice_index
    assert [share for _, share in every[1:]] == sorted((share for _, share in every[1:]), reverse=True)
    assert sum(share for _, share in every) == pytest.approx(1.0)
    assert shares(2) == every[:2]


def test_without_t1_there_are_maps_too(untrained: JointGrader) -> None:
    study, segmented = pelvis(with_t1=False)
    findings = untrained.grade(study, segmented, PROTOCOL)
    found = explain_grade(untrained, study, segmented, findings, id_of(findings, STATUS))
    assert max(float(item.map.max()) for item in found) > 0


def test_what_cannot_be_explained(untrained: JointGrader) -> None:
    study, segmented = pelvis()
    findings = untrained.grade(study, segmented, PROTOCOL)
    with pytest.raises(ConfigError, match=r"sacroiliitis at the patient\) has no saliency: no network gave it"):
        explain_grade(untrained, study, segmented, findings, id_of(findings, RULE))
    alone = replace(study, series=study.series[1:])
    unread = untrained.grade(alone, segmented, PROTOCOL)
    with pytest.raises(NotEligibleError, match=r"sacroiliitis at SIJ left\) could not be given: needs a coronal"):
        explain_grade(untrained, alone, segmented, unread, id_of(unread, STAGE, Side.LEFT))


def test_the_cascade_of_new_weights_serves_the_joints_too(untrained: JointGrader) -> None:
    torch.manual_seed(7)
    fresh = build_joint_network(CONFIG.network)
    drawn = randomised(untrained.network, fresh, "and pooling").state_dict()
    before = untrained.network.state_dict()
    for name in ("encoder.pooling.project.weight", "lesions.weight", "place.0.weight"):
        assert not torch.equal(drawn[name], before[name])
        assert torch.equal(drawn[name], fresh.state_dict()[name])
    assert torch.equal(drawn["encoder.trunk.stem.weight"], before["encoder.trunk.stem.weight"])
