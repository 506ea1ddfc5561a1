from dataclasses import replace

import numpy as np
import pytest

from anatomy import load_protocol
from imaging.acquisition import SequenceFinding
from imaging.body_region import choose_protocol
from imaging.roles import Candidate, assign_roles
from imaging.types import Plane, Sequence, Series, Spacing, Volume
from runtime.errors import NotEligibleError

LUMBAR = load_protocol("lumbar")


def candidate(
    plane: Plane,
    sequence: Sequence,
    *,
    number: int = 1,
    slices: int = 5,
    pixel_mm: float = 0.7,
    uid: str | None = None,
    height_mm: float = 0.0,
    regions: tuple[str, ...] = (),
    **traits: bool,
) -> Candidate:
    affine = np.eye(4)
    affine[2, 3] = height_mm
    volume = Volume(
        np.zeros((4, 4, slices), dtype=np.float32), Spacing(pixel_mm, pixel_mm, 4.0), affine, (4, 4, slices)
    )
    series = Series(f"S{number}", None, plane, sequence, volume, series_instance_uid=uid)
    return Candidate(series, SequenceFinding(sequence, (), **traits), regions)


def roles(*candidates: Candidate) -> list[str | None]:
    numbered = [
        replace(item, series=replace(item.series, id=f"S{n}")) for n, item in enumerate(candidates, start=1)
    ]
    return [series.role for series in assign_roles(numbered, LUMBAR)[0]]


def test_plane_and_sequence_give_the_role() -> None:
    found = roles(
        candidate(Plane.SAGITTAL, Sequence.T1),
        candidate(Plane.AXIAL, Sequence.T2),
        candidate(Plane.SAGITTAL, Sequence.T2),
        candidate(Plane.SAGITTAL, Sequence.STIR),
        candidate(Plane.CORONAL, Sequence.T2),
    )
    assert found == ["sagittal_t1", "axial_t2", "sagittal_t2", "sagittal_stir", None]


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"has_contrast": True}, {}),
        ({"is_gradient_echo": True}, {}),
        ({"is_reformatted": True}, {}),
        ({"slices": 1}, {"slices": 5}),
        ({"pixel_mm": 0.9}, {"pixel_mm": 0.6}),
        ({"has_contrast": True, "pixel_mm": 0.4}, {}),
    ],
)
def test_the_plainer_and_finer_series_takes_the_role(worse: dict[str, bool], better: dict[str, bool]) -> None:
    first = candidate(Plane.SAGITTAL, Sequence.T2, **worse)  # type: ignore[arg-type]
    second = candidate(Plane.SAGITTAL, Sequence.T2, **better)  # type: ignore[arg-type]
    assert roles(first, second) == [None, "sagittal_t2"]
    assert roles(second, first) == ["sagittal_t2", None]


def test_tilted_blocks_of_one_series_share_the_role() -> None:
    blocks = [candidate(Plane.AXIAL, Sequence.T2, uid="1.2") for _ in range(3)]
    assert roles(*blocks, candidate(Plane.AXIAL, Sequence.T2, uid="1.3", pixel_mm=0.9)) == ["axial_t2"] * 3 + [
        None
    ]


def test_reasons_tell_who_won_and_why() -> None:
    first = candidate(Plane.SAGITTAL, Sequence.T1)
    second = replace(first, finding=replace(first.finding, has_contrast=True))
    second = replace(second, series=replace(second.series, id="S2"))
    series, _ = assign_roles([first, second], LUMBAR)
    assert series[0].reasons[-1] == "role sagittal_t1: plane and sequence fit, chosen or shared among 2 that do"
    assert series[1].reasons[-1] == "no role: S1 has sagittal_t1; this one is after contrast medium"


def test_of_equal_series_the_later_one_is_read() -> None:
    again = [candidate(Plane.SAGITTAL, Sequence.T2, slices=n) for n in (15, 15)]
    assert roles(*again) == [None, "sagittal_t2"]
    more = candidate(Plane.SAGITTAL, Sequence.T2, slices=17)
    assert roles(more, *again) == ["sagittal_t2", None, None]


def test_fat_suppressed_t2_stands_in_for_stir_only_when_there_is_none() -> None:
    plain = candidate(Plane.SAGITTAL, Sequence.T2)
    suppressed = candidate(Plane.SAGITTAL, Sequence.T2, is_fat_suppressed=True)
    stir = candidate(Plane.SAGITTAL, Sequence.STIR)
    assert roles(plain, suppressed) == ["sagittal_t2", "sagittal_stir"]
    assert roles(plain, suppressed, stir) == ["sagittal_t2", None, "sagittal_stir"]
    assert roles(suppressed) == ["sagittal_t2"]
    series, notices = assign_roles([plain, suppressed], LUMBAR)
    assert series[1].sequence is Sequence.T2
    assert "T2 with fat suppression, is read as sagittal STIR" in notices[0]


def test_like_axial_series_one_above_the_other_share_the_role() -> None:
    levels = [candidate(Plane.AXIAL, Sequence.T2, uid=f"1.{n}", height_mm=40.0 * n) for n in range(3)]
    assert roles(*levels) == ["axial_t2"] * 3
    same_place = candidate(Plane.AXIAL, Sequence.T2, uid="1.9", height_mm=41.0, pixel_mm=0.9)
    assert roles(*levels, same_place) == ["axial_t2"] * 3 + [None]
    after = candidate(Plane.AXIAL, Sequence.T2, uid="1.9", height_mm=400.0, has_contrast=True)
    assert roles(*levels, after) == ["axial_t2"] * 3 + [None]


def test_images_of_one_dixon_series_do_not_share_a_role() -> None:
    in_phase = candidate(Plane.SAGITTAL, Sequence.T2, uid="1.2")
    water = candidate(Plane.SAGITTAL, Sequence.T2, uid="1.2", is_fat_suppressed=True)
    assert roles(in_phase, water) == ["sagittal_t2", "sagittal_stir"]


def test_a_series_of_another_part_of_the_spine_takes_no_role_beside_the_right_ones() -> None:
    neck = candidate(Plane.SAGITTAL, Sequence.T1, regions=("cervical",))
    back = candidate(Plane.SAGITTAL, Sequence.T2, regions=("lumbar", "spine"))
    series, _ = assign_roles([neck, back], LUMBAR)
    assert [item.role for item in series] == [None, "sagittal_t2"]
    assert "names another part of the spine (cervical)" in series[0].reasons[-1]
    # nothing names the part to be read: then the user's choice of protocol stands
    assert roles(neck) == ["sagittal_t1"]


def test_an_unknown_sequence_is_assumed_only_when_nothing_known_has_the_role() -> None:
    unknown = candidate(Plane.SAGITTAL, Sequence.UNKNOWN)
    series, notices = assign_roles([unknown], LUMBAR)
    assert series[0].role == "sagittal_t2"
    assert series[0].sequence is Sequence.UNKNOWN
    assert "assumption" in notices[0]
    assert roles(unknown, candidate(Plane.SAGITTAL, Sequence.T2)) == [None, "sagittal_t2"]
    assert roles(unknown, unknown) == ["sagittal_t2", None]


def test_a_series_known_to_be_something_else_takes_no_role() -> None:
    series, notices = assign_roles([candidate(Plane.SAGITTAL, Sequence.UNKNOWN, is_other=True)], LUMBAR)
    assert series[0].role is None
    assert notices == ()
    assert series[0].reasons[-1].startswith("no role")


@pytest.mark.parametrize(
    ("words", "protocol"),
    [
        ("", "lumbar"),
        ("lspine mri lumbar spine", "lumbar"),
        ("spine", "lumbar"),
        ("cspine", "cervical"),
        ("mr hws nativ", "cervical"),
        ("pelvis mri sacroiliac joints", "sacroiliac"),
        ("mri si joints", "sacroiliac"),
        ("brain spine", "lumbar"),
    ],
)
def test_words_choose_the_protocol(words: str, protocol: str) -> None:
    assert choose_protocol("auto", words) == (protocol, ())


@pytest.mark.parametrize("words", ["knee", "brain mri head", "tspine", "mri thoracic spine"])
def test_another_part_of_the_body_is_not_eligible(words: str) -> None:
    with pytest.raises(NotEligibleError, match="says that the study shows") as caught:
        choose_protocol("auto", words)
    assert caught.value.code == "wrong_body_part"
    assert choose_protocol("lumbar", words)[0] == "lumbar"


def test_a_file_name_is_no_evidence_of_another_part() -> None:
    assert choose_protocol("auto", "head foot 12", is_file_name=True) == ("lumbar", ())
    with pytest.raises(NotEligibleError, match="thoracic"):
        choose_protocol("auto", "bws t2", is_file_name=True)


def test_two_regions_are_told() -> None:
    name, notices = choose_protocol("auto", "mri cervical and lumbar spine")
    assert name == "lumbar"
    assert "also name: cervical" in notices[0]
