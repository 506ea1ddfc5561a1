"""Eighty real notes labelled by hand: the labels are well formed, and the parser agrees with them as measured."""

import re
from pathlib import Path

import pytest

from anatomy import DISC_LEVELS, Condition, Side
from benchmarks import notes_draw
from benchmarks.notes import HALVES, SOURCE, Label, NoteResult, differences, f1_of, read_facts, read_labels, score

F1_FROZEN = 0.988
"""Strict F1 on the frozen half, cut after three digits; ``python -m benchmarks.notes`` prints it."""

F1_TARGET = 0.90
"""What issue 6 asks of it."""

_GRADE = re.compile(r"|mild|moderate|severe|[1-3]|I|II|III|IV|V")


@pytest.fixture(scope="module")
def notes(data_dir: Path) -> dict[str, str]:
    file = data_dir / SOURCE
    if not file.is_file():
        pytest.skip(f"no {SOURCE} in {data_dir} (SPINESCRIBE_DATA)")
    return notes_draw.read_notes(file)


@pytest.mark.parametrize("half", HALVES)
def test_labels_are_well_formed(half: str) -> None:
    labels = read_labels(half)
    assert len(labels) == 40
    facts = [fact for known in labels.values() for fact in known]
    assert len(facts) > 200
    for fact in facts:
        assert fact.level in {"", *DISC_LEVELS}
        assert fact.side in {"", *(side.value for side in Side)}
        assert fact.condition in {condition.value for condition in Condition}
        assert _GRADE.fullmatch(fact.grade)
        assert not (fact.negated and (fact.uncertain or fact.grade))


def test_halves_share_no_note() -> None:
    assert not read_labels("development").keys() & read_labels("frozen").keys()


def test_labelled_notes_are_those_of_the_draw(notes: dict[str, str]) -> None:
    development, frozen = notes_draw.draw(notes)
    assert development == sorted(read_labels("development"), key=int)
    assert frozen == sorted(read_labels("frozen"), key=int)


def test_draw_takes_no_two_notes_alike() -> None:
    alike = {str(index): "possible disc bulge with annular tear at L4-L5" for index in range(100)}
    with pytest.raises(ValueError, match=r"'hedge': expected 6 distinct notes, found 1"):
        notes_draw.draw(alike)


def test_scores_by_hand() -> None:
    bulge = Label("L4-L5", "", "disc_bulging", "mild", negated=False, uncertain=False)
    ungraded = Label("L4-L5", "", "disc_bulging", "", negated=False, uncertain=False)
    tear = Label("L4-L5", "", "annular_tear", "", negated=False, uncertain=False)
    results = [NoteResult("1", frozenset({bulge, tear}), frozenset({ungraded}))]
    strict, core = score(results), score(results, core=True)
    assert (strict["precision"].value, strict["recall"].value, strict["f1"].value) == (0, 0, 0)
    assert (core["precision"].value, core["recall"].value) == (1, 0.5)
    assert core["f1"].value == pytest.approx(2 / 3)
    assert score(results, core=True, condition="annular_tear")["recall"].value == 0


def test_every_note_parses(notes: dict[str, str]) -> None:
    assert len(notes) == 417
    assert sum(bool(read_facts(note)) for note in notes.values()) > 400


def test_parser_agrees_with_the_frozen_half(notes: dict[str, str]) -> None:
    assert f1_of("frozen", notes) >= F1_FROZEN >= F1_TARGET


def test_differences_show_the_development_half_only(notes: dict[str, str]) -> None:
    shown = {line.split()[0] for line in differences(notes)}
    assert shown <= read_labels("development").keys()
