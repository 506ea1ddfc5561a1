"""Whole studies of every body region on a phantom's truth: what comes out must be the truth."""

from dataclasses import replace

import numpy as np
import pytest

from anatomy import SIJ, Side, load_protocol
from imaging.types import Plane, Series, Study
from runtime.errors import ConfigError, NotEligibleError
from segmentation.classes import CORD, class_map, kinds_of
from segmentation.explain import explain_slice, region_attention
from segmentation.joints import LEAST_SACRUM_CM2
from segmentation.study import Segmenter
from segmentation.types import SegmentedStudy
from tests.segmentation.truth_network import (
    PROMPTS,
    STRUCTURES,
    TruthNetwork,
    agreement,
    phantom_of,
    truth_study,
    with_series,
)

LUMBAR_DISCS, NECK_DISCS = range(201, 210), range(215, 224)


def read(study: Study, network: TruthNetwork | None = None) -> SegmentedStudy:
    network = network or TruthNetwork()
    return Segmenter(network, axial=TruthNetwork(checksum="axial")).segment_study(
        study, load_protocol(study.protocol)
    )


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the measurements, which have tests of their own; the studies of a whole module are measured."""
    monkeypatch.setattr("segmentation.study.measure_study", lambda *args: ())


@pytest.fixture(scope="module")
def lumbar() -> SegmentedStudy:
    return read(truth_study("lumbar", roles=("sagittal_t2", "axial_t2")))


@pytest.fixture(scope="module")
def neck() -> SegmentedStudy:
    return read(truth_study("cervical", roles=("sagittal_t2", "axial_t2")))


@pytest.fixture(scope="module")
def joints() -> SegmentedStudy:
    return read(truth_study("sacroiliac"))


def truth_of(protocol: str, role: str) -> np.ndarray:
    return phantom_of(protocol).series_by_role(role).label_array


def map_of(done: SegmentedStudy, series_id: str) -> np.ndarray:
    found = done.label_map(series_id)
    assert found is not None
    return found.array


def series_of(study: Study, plane: Plane) -> Series:
    return next(series for series in study.series if series.plane is plane)


def test_a_lumbar_study_has_the_truths_discs_canal_and_sacrum_on_both_planes(lumbar: SegmentedStudy) -> None:
    study = truth_study("lumbar", roles=("sagittal_t2", "axial_t2"))
    assert [item.series_id for item in lumbar.label_maps] == [
        series_of(study, Plane.SAGITTAL).id,
        series_of(study, Plane.AXIAL).id,
    ]
    for plane, role in ((Plane.SAGITTAL, "sagittal_t2"), (Plane.AXIAL, "axial_t2")):
        found, truth = map_of(lumbar, series_of(study, plane).id), truth_of("lumbar", role)
        for label in (50, 100, *LUMBAR_DISCS):
            if (truth == label).any():
                assert agreement(found, truth, label) > 0.995, (role, label)
        assert set(np.unique(found)) <= set(np.unique(truth)), role


def test_axial_levels_lie_where_the_truth_says(lumbar: SegmentedStudy) -> None:
    phantom, study = phantom_of("lumbar"), truth_study("lumbar", roles=("axial_t2",))
    axial = study.series[0]
    assert axial.volume.affine is not None
    levels = lumbar.series_levels[axial.id]
    assert [level.name for level in levels] == ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
    inverse = np.linalg.inv(axial.volume.affine)
    for level in levels:
        i, j, k, _ = inverse @ [*phantom.level(level.name).centre_ras_mm, 1.0]
        assert level.slice_index == round(k)
        # The sagittal middle slice need not be the disc's middle: up to half a slice spacing across.
        assert abs(level.centre_px[0] - i) * 0.7 < 3.0
        assert abs(level.centre_px[1] - j) * 0.7 < 3.0
        assert level.posterior_px[1] > level.centre_px[1]  # rows run to the back
        if abs(k - round(k)) < 0.25:  # the slice runs through the disc, not beside it
            here = truth_of("lumbar", "axial_t2")[:, :, level.slice_index]
            assert here[tuple(np.round(level.centre_px).astype(int))] == 200 + 6 - int(level.name[1])


def test_axial_regions_hold_the_axial_networks_tokens_and_a_box_around_disc_and_canal(
    lumbar: SegmentedStudy,
) -> None:
    axial_id = next(item.series_id for item in lumbar.label_maps[1:])
    regions = [region for region in lumbar.regions if region.series_id == axial_id]
    assert [region.level for region in regions] == [level.name for level in lumbar.series_levels[axial_id]]
    assert {region.network for region in regions} == {"axial"}
    assert {region.network for region in lumbar.regions if region.series_id != axial_id} == {"truth"}
    truth = truth_of("lumbar", "axial_t2")
    for region in regions:
        own = [PROMPTS.index(name) for name in (region.level, "disc", "vertebra", "spinal_canal")]
        assert region.embedding[:, 0].tolist() == own
        x0, y0, x1, y1 = region.box_px
        here = truth[:, :, region.slice_index]
        disc = np.argwhere(here == 200 + 6 - int(region.level[1]))
        assert (disc.min(axis=0) >= np.array([x0, y0]) - 2).all(), region.level
        assert (disc.max(axis=0) <= np.array([x1, y1]) + 2).all(), region.level
        canal = np.argwhere(here == 100).mean(axis=0)
        assert x0 < canal[0] < x1
        assert y0 < canal[1] < y1


def test_a_neck_has_the_truths_vertebrae_discs_canal_and_cord(neck: SegmentedStudy) -> None:
    study = truth_study("cervical", roles=("sagittal_t2", "axial_t2"))
    assert [level.name for level in neck.levels] == list(load_protocol("cervical").levels)
    assert all(level.doubt is None for level in neck.levels)
    for plane, role in ((Plane.SAGITTAL, "sagittal_t2"), (Plane.AXIAL, "axial_t2")):
        found, truth = map_of(neck, series_of(study, plane).id), truth_of("cervical", role)
        for label in (100, 101, *NECK_DISCS):
            if (truth == label).any():
                assert agreement(found, truth, label) > 0.995, (role, label)
        for label in range(16, 23):  # C3 to T2
            if (truth == label).any():
                assert agreement(found, truth, label) > 0.99, (role, label)
    sagittal = map_of(neck, series_of(study, Plane.SAGITTAL).id)
    truth = truth_of("cervical", "sagittal_t2")
    assert agreement(sagittal, truth, 24) > 0.9  # C1: the ring is told from C2 without a disc between them
    assert agreement(sagittal, truth, 23) > 0.95


def test_sacroiliac_joints_have_the_truths_bones_and_spaces_on_the_patients_sides(joints: SegmentedStudy) -> None:
    study = truth_study("sacroiliac")
    assert [item.series_id for item in joints.label_maps] == ["S2", "S1"]  # STIR is the primary series
    for series in study.series:
        assert series.role is not None
        truth = truth_of("sacroiliac", series.role)
        for label in (50, 51, 52, 53, 54):
            assert agreement(map_of(joints, series.id), truth, label) == 1.0, (series.role, label)
    (level,) = joints.levels
    assert level.name == SIJ
    assert level.doubt is None
    assert level.confidence == pytest.approx(0.95)
    assert level.centre_ras_mm is not None
    assert abs(level.centre_ras_mm[0]) < 5.0


def test_each_joint_is_a_region_on_its_own_side_of_every_series(joints: SegmentedStudy) -> None:
    assert [(region.series_id, region.side) for region in joints.regions] == [
        ("S2", Side.LEFT), ("S2", Side.RIGHT), ("S1", Side.LEFT), ("S1", Side.RIGHT),
    ]  # fmt: skip
    wanted = [STRUCTURES.index(name) for name in ("joint_space", "sacrum", "ilium")]
    for region in joints.regions:
        assert region.level == SIJ
        assert region.embedding[:, 0].tolist() == wanted
        x0, y0, x1, y1 = region.box_px
        label = 53 if region.side is Side.LEFT else 54
        inside = np.argwhere(truth_of("sacroiliac", "coronal_stir")[:, :, region.slice_index] == label)
        assert (inside >= [x0, y0]).all()
        assert (inside <= [x1, y1]).all()


def test_a_mirrored_picture_keeps_the_patients_sides() -> None:
    study = truth_study("sacroiliac", roles=("coronal_stir",))
    (series,) = study.series
    assert series.volume.affine is not None
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = series.volume.shape[0] - 1
    volume = replace(series.volume, array=series.volume.array[::-1].copy(), affine=series.volume.affine @ flip)
    done = read(with_series(study, replace(series, volume=volume)))
    found = map_of(done, series.id)[::-1]
    assert agreement(found, truth_of("sacroiliac", "coronal_stir"), 51) == 1.0
    assert agreement(found, truth_of("sacroiliac", "coronal_stir"), 54) == 1.0


def test_a_patient_off_the_middle_keeps_the_sides() -> None:
    study = truth_study("sacroiliac", roles=("coronal_stir",))
    (series,) = study.series
    assert series.volume.affine is not None
    moved = series.volume.affine.copy()
    moved[0, 3] += 60.0
    done = read(with_series(study, replace(series, volume=replace(series.volume, affine=moved))))
    assert agreement(map_of(done, series.id), truth_of("sacroiliac", "coronal_stir"), 53) == 1.0


def test_a_joint_without_a_space_is_doubted_and_still_has_a_region() -> None:
    study = truth_study("sacroiliac", roles=("coronal_stir",))
    (series,) = study.series
    array = series.volume.array.copy()
    array[array == 53] = 0
    done = read(with_series(study, replace(series, volume=replace(series.volume, array=array))))
    assert done.levels[0].doubt == "no joint space was outlined on the left: fused, or not seen"
    left = next(region for region in done.regions if region.side is Side.LEFT)
    truth = np.argwhere(truth_of("sacroiliac", "coronal_stir")[:, :, left.slice_index] == 53).mean(axis=0)
    assert left.box_px[0] < truth[0] < left.box_px[2]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ("no pelvis", "no_sacroiliac_joints_found", f"at least {LEAST_SACRUM_CM2:g} and 6 cm2 are needed"),
        ("no joints", "no_sacroiliac_joints_found", "no joint space is seen, and no ilium lies beside"),
        ("no position", "no_position", "which joint is the patient's left one"),
        ("no coronal", "no_coronal_series", "no coronal series was found"),
    ],
)
def test_what_shows_no_joints_is_refused(change: str, code: str, words: str) -> None:
    study = truth_study("sacroiliac", roles=("coronal_stir",))
    (series,) = study.series
    volume = series.volume
    changed = {
        "no pelvis": replace(series, volume=replace(volume, array=np.zeros_like(volume.array))),
        "no joints": replace(series, volume=replace(volume, array=_apart(volume.array))),
        "no position": replace(series, volume=replace(volume, affine=None)),
        "no coronal": replace(series, plane=Plane.AXIAL),
    }[change]
    with pytest.raises(NotEligibleError, match=words) as caught:
        read(with_series(study, changed))
    assert caught.value.code == code


def _apart(array: np.ndarray) -> np.ndarray:
    """A pelvis whose ilia lie at the edges of the picture, far from the sacrum, and no joints."""
    apart = np.where(array == 50, array, 0)
    apart[:25] = 52
    apart[-25:] = 51
    return apart


def test_weights_that_do_not_know_a_structure_never_show_it() -> None:
    study = truth_study("lumbar", roles=("sagittal_t2",))
    done = read(study, TruthNetwork(structures=("disc", "vertebra", "spinal_canal")))
    assert 50 not in map_of(done, study.series[0].id)
    assert len(done.levels) == 7


def test_structures_compete_and_the_cord_lies_in_the_canal() -> None:
    probabilities = np.zeros((len(STRUCTURES), 1, 4), dtype=np.float32)
    probabilities[STRUCTURES.index("spinal_canal"), 0, :2] = 0.9
    probabilities[STRUCTURES.index("spinal_cord"), 0, :3] = 0.6
    probabilities[STRUCTURES.index("vertebra"), 0, 2:] = 0.7
    probabilities[STRUCTURES.index("ilium"), 0, 3] = 0.8
    classes = class_map(STRUCTURES, probabilities)
    assert classes.tolist() == [[CORD, CORD, 2, 6]]
    lumbar = class_map(STRUCTURES, probabilities, kinds_of(load_protocol("lumbar")))
    assert lumbar.tolist() == [[3, 3, 2, 0]]  # no cord asked for: canal; an ilium never becomes a vertebra


def test_slices_are_read_with_their_neighbours_and_a_single_slice_alone() -> None:
    study = truth_study("lumbar", roles=("sagittal_t2",))
    network = TruthNetwork()
    read(study, network)
    assert all(network.had_neighbours)
    (series,) = study.series
    one = replace(series.volume, array=series.volume.array[:, :, 7:8])
    network = TruthNetwork()
    read(with_series(study, replace(series, volume=one)), network)
    assert not any(network.had_neighbours)


def test_an_axial_series_elsewhere_in_the_body_is_outlined_but_not_named() -> None:
    study = truth_study("lumbar", roles=("sagittal_t2", "axial_t2"))
    sagittal, axial = study.series_by_role("sagittal_t2"), study.series_by_role("axial_t2")
    assert sagittal is not None
    assert axial is not None
    assert axial.volume.affine is not None
    moved = axial.volume.affine.copy()
    moved[2, 3] += 600.0
    far = replace(axial, volume=replace(axial.volume, affine=moved))
    done = read(with_series(study, sagittal, far))
    assert done.series_levels[axial.id] == ()
    assert set(np.unique(map_of(done, axial.id))) <= {0, 50}
    assert f"Axial series {axial.id} cross no named level." in done.notices


def test_an_axial_series_without_position_is_said() -> None:
    study = truth_study("lumbar", roles=("sagittal_t2", "axial_t2"))
    axial = study.series_by_role("axial_t2")
    assert axial is not None
    lost = replace(axial, volume=replace(axial.volume, affine=None))
    done = read(with_series(study, *(item for item in study.series if item is not axial), lost))
    assert f"Axial series {axial.id} not outlined: no position is known of {axial.id}." in done.notices
    assert done.label_map(axial.id) is None


class ExplainingNetwork(TruthNetwork):
    """Looks where its structures are."""

    prompt_names = PROMPTS

    def attention_maps(self, images: np.ndarray, spacing: object, neighbours: object = None) -> np.ndarray:
        maps = np.zeros((len(images), len(PROMPTS), *images.shape[1:]), dtype=np.float32)
        maps[:, 0] = images > 200
        return maps


def test_the_attention_of_every_prompt_is_offered_for_the_slice_of_the_levels(lumbar: SegmentedStudy) -> None:
    study = truth_study("lumbar", roles=("sagittal_t2",))
    network = ExplainingNetwork()
    found = Segmenter(network).explain(study, lumbar)
    series = study.series[0]
    assert (found.series_id, found.slice_index) == (series.id, lumbar.levels[0].slice_index)
    assert found.prompt_names == PROMPTS
    truth = truth_of("lumbar", "sagittal_t2")[:, :, found.slice_index].T
    assert (found.of("disc") == (truth > 200)).all()
    with pytest.raises(KeyError, match="expected one of disc, vertebra"):
        found.of("brain")
    region = next(region for region in lumbar.regions if region.level == "L4-L5")
    part = region_attention(found, region)
    x0, y0, x1, y1 = (round(value) for value in region.box_px)
    assert part["disc"].shape == (y1 - y0 + 1, x1 - x0 + 1)
    assert part["disc"].any()
    with pytest.raises(ValueError, match=r"region L4-L5: expected one on .* slice"):
        region_attention(found, replace(region, slice_index=region.slice_index + 1))
    with pytest.raises(ConfigError, match="no attention maps"):
        explain_slice(TruthNetwork(), study, lumbar)
