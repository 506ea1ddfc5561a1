"""The table of label conventions against facts that people of each project would check by hand."""

import csv
from pathlib import Path

import pytest

import anatomy.conventions as room
from anatomy import DISC_LEVELS, VERTEBRAE, disc_label, vertebra_label
from anatomy.conventions import LabelKind, Match, convention_families, conventions, matching_conventions
from anatomy.structures import label_codes

# (convention, their number, our number), read off the projects' own pages by hand, not from our table.
KNOWN = [
    ("spider", 1, vertebra_label("L5")),
    ("spider", 5, vertebra_label("L1")),
    ("spider", 101, vertebra_label("L5")),
    ("spider", 201, disc_label("L5-S1")),
    ("spider", 205, disc_label("L1-L2")),
    ("spider", 100, 100),
    ("totalspineseg:step2", 1, 101),
    ("totalspineseg:step2", 2, 100),
    ("totalspineseg:step2", 11, vertebra_label("C1")),
    ("totalspineseg:step2", 32, vertebra_label("T12")),
    ("totalspineseg:step2", 45, vertebra_label("L5")),
    ("totalspineseg:step2", 50, 50),
    ("totalspineseg:step2", 63, disc_label("C2-C3")),
    ("totalspineseg:step2", 71, disc_label("C7-T1")),
    ("totalspineseg:step2", 91, disc_label("T12-L1")),
    ("totalspineseg:step2", 100, disc_label("L5-S1")),
    ("totalspineseg:step1", 50, None),
    ("totalspineseg:early", 18, vertebra_label("L5")),
    ("totalspineseg:early", 92, 50),
    ("totalspineseg:early", 202, disc_label("L5-S1")),
    ("totalspineseg:early", 224, disc_label("C2-C3")),
    ("spineps:vert", 8, vertebra_label("T1")),
    ("spineps:vert", 19, vertebra_label("T12")),
    ("spineps:vert", 20, vertebra_label("L1")),
    ("spineps:vert", 24, vertebra_label("L5")),
    ("spineps:vert", 26, 50),
    ("spineps:vert", 119, disc_label("T12-L1")),
    ("spineps:vert", 124, disc_label("L5-S1")),
    ("spineps:vert", 28, None),
    ("spineps:vert", 224, None),
    ("spineps:spine", 49, None),
    ("spineps:spine", 60, 101),
    ("spineps:spine", 61, 100),
    ("totalsegmentator:vertebrae_mr", 1, 50),
    ("totalsegmentator:vertebrae_mr", 2, vertebra_label("L5")),
    ("totalsegmentator:vertebrae_mr", 25, vertebra_label("C1")),
    ("totalsegmentator:total_mr", 18, 50),
    ("totalsegmentator:total_mr", 19, None),
    ("totalsegmentator:total_mr", 21, 101),
    ("totalsegmentator:total", 25, 50),
    ("totalsegmentator:total", 26, 50),
    ("totalsegmentator:total", 27, vertebra_label("L5")),
    ("totalsegmentator:total", 50, vertebra_label("C1")),
    ("totalsegmentator:total", 79, 101),
    ("sct:discs", 3, disc_label("C2-C3")),
    ("sct:discs", 8, disc_label("C7-T1")),
    ("sct:discs", 21, disc_label("L1-L2")),
    ("sct:discs", 25, disc_label("L5-S1")),
    ("sct:discs", 60, None),
    ("sct:levels", 3, 101),
    ("sct:cord", 1, 101),
    ("sct:canal", 1, 100),
]


@pytest.mark.parametrize(("name", "theirs", "ours"), KNOWN)
def test_numbers_of_the_projects_own_pages(name: str, theirs: int, ours: int | None) -> None:
    assert conventions()[name].rules[theirs].our_label == ours


def test_every_mapped_number_is_one_of_ours_and_every_other_says_why() -> None:
    for convention in conventions().values():
        for rule in convention.rules.values():
            assert (rule.our_label is None) == (rule.match is Match.NONE), (convention.name, rule)
            assert rule.our_label is None or rule.our_label in label_codes()
            assert rule.our_label is not None or rule.note, (convention.name, rule)


def test_both_ways_are_one_to_one() -> None:
    for convention in conventions().values():
        theirs = convention.their_labels()
        assert len(set(theirs.values())) == len(theirs)
        for ours, number in theirs.items():
            assert convention.rules[number].our_label == ours


@pytest.mark.parametrize(
    ("name", "vertebrae", "discs"),
    [
        ("spider", 24, 23),
        ("totalspineseg:step2", 24, 23),
        ("totalspineseg:early", 24, 23),
        ("spineps:vert", 24, 23),
        ("totalsegmentator:vertebrae_mr", 24, 0),
        ("totalsegmentator:total", 24, 0),
        ("totalspineseg:step1", 1, 23),
    ],
)
def test_whole_spines_are_known(name: str, vertebrae: int, discs: int) -> None:
    known = set(conventions()[name].their_labels())
    assert len(known & {vertebra_label(item) for item in VERTEBRAE}) == vertebrae
    assert len(known & {disc_label(item) for item in DISC_LEVELS}) == discs


def test_a_sixth_lumbar_vertebra_changes_what_the_disc_below_l5_means() -> None:
    spineps, totalspineseg = conventions()["spineps:vert"], conventions()["totalspineseg:step2"]
    assert not spineps.rules[124].is_void({24, 26})
    assert spineps.rules[124].is_void({24, 25, 26})
    assert spineps.rules[119].is_void({28})
    assert totalspineseg.rules[100].is_void({96})
    assert not totalspineseg.rules[95].is_void({46, 96})


def test_names_stand_for_one_convention_or_a_tool() -> None:
    assert convention_families() == ("spider", "totalspineseg", "spineps", "totalsegmentator", "sct")
    assert [item.name for item in matching_conventions("spineps")] == ["spineps:vert", "spineps:spine"]
    assert [item.name for item in matching_conventions("sct:discs")] == ["sct:discs"]
    assert matching_conventions("nnunet") == ()
    assert conventions()["sct:discs"].kind is LabelKind.POINTS


def test_every_convention_cites_where_it_is_written() -> None:
    for convention in conventions().values():
        assert all("https://" in source for source in convention.sources), convention.name
        assert convention.needs <= set(convention.rules), convention.name


def test_a_table_that_contradicts_itself_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path(room.__file__).parent
    (tmp_path / "conventions.yaml").write_text((here / "conventions.yaml").read_text(encoding="utf-8"))
    with (here / "conventions.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    monkeypatch.setattr(room, "_HERE", tmp_path)
    for change, words in (([*rows, rows[1]], "spider numbers 1 twice"), (rows[:100], "differ in")):
        with (tmp_path / "conventions.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(change)
        with pytest.raises(ValueError, match=words):
            room.conventions.__wrapped__()
