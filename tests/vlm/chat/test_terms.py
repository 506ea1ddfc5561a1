"""General knowledge: every entry has a source, is found by its terms and by like words, and is kept apart."""

import pytest

from tests.vlm.chat.readings import make_reading
from vlm.chat import answer_question
from vlm.chat.terms import find_entries, load_entries, named_entries


def test_every_entry_has_a_source_and_terms_of_its_own() -> None:
    entries = load_entries()
    assert len(entries) >= 50
    assert len({entry.id for entry in entries}) == len(entries)
    assert all(entry.source and entry.text and entry.terms for entry in entries)
    terms = [term for entry in entries for term in entry.terms]
    assert len(terms) == len(set(terms))


def test_every_term_finds_its_entry() -> None:
    for entry in load_entries():
        for term in entry.terms:
            assert entry in named_entries(f"What is {term}?"), term


@pytest.mark.parametrize(
    ("words", "entry"),
    [
        ("quarters of the endplate of the vertebra below", "meyerding"),
        ("opening through which the root leaves the canal", "foramen"),
        ("fusion of a joint by bone", "ankylosis"),
        ("forward slip of a vertebra on the one below", "spondylolisthesis"),
    ],
)
def test_like_words_find_an_entry(words: str, entry: str) -> None:
    assert find_entries(words)[0].id == entry


def test_words_like_no_entry_find_none() -> None:
    assert find_entries("recipe for apple pie") == []
    assert answer_question(make_reading("normal"), "What is a gluon?").refused


def test_a_definition_in_unknown_words_is_looked_up() -> None:
    answer = answer_question(
        make_reading("normal"), "What is the jargon for oedema seen beneath the surface of a joint?"
    )
    assert answer.sources[0].startswith("Rudwaleit et al.")


def test_knowledge_is_quoted_with_its_source_and_cites_no_finding() -> None:
    answer = answer_question(make_reading("normal"), "What is the thecal sac?")
    assert answer.finding_ids == ()
    assert answer.sources == ("Gray's Anatomy, 42nd edition",)
    assert answer.text == f"{answer.passages[0]} Source: Gray's Anatomy, 42nd edition."
