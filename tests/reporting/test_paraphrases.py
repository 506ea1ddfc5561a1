"""The verifier on sentences written by hand: the set is well formed, wrong ones are caught, right ones pass."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import paraphrases
from benchmarks.paraphrases import (
    FLIPS,
    HALVES,
    LABELS,
    Sentence,
    Share,
    judge,
    load_sentences,
    load_states,
    summarise,
)
from reporting.types import VerdictStatus

OTHER_GRADE = {
    "moderate": "severe", "severe": "moderate", "moderately": "severely", "severely": "moderately",
    "early": "advanced", "advanced": "early",
}  # fmt: skip
CAUGHT = {"development": 1.0, "practice": 1.0, "second": 1.0, "third": 1.0, "fourth": 1.0, "frozen": 1.0}
"""Shares of wrong sentences caught, as reached; the target is 0.95."""
FALSE_ALARMS = {
    "development": 0.0,
    "practice": 1 / 167,
    "second": 2 / 165,
    "third": 1 / 59,
    "fourth": 25 / 80,
    "frozen": 4 / 54,
}
"""Shares of correct sentences refused, as reached; the target is 0.02."""
AMBIGUOUS = {"fourth": 2}
"""Mechanical flips that may be read as true: "no A and B", made of "no A and no B", denies both for most."""


@pytest.mark.parametrize("half", HALVES)
def test_the_set_is_well_formed(half: str) -> None:
    sentences = load_sentences(half)
    kinds = {item.kind for item in sentences}
    assert kinds <= {"correct", *FLIPS, *LABELS}
    assert kinds >= {"correct", *FLIPS} | {"unsupported"}
    assert len({item.key for item in sentences}) == len(sentences)
    assert len({item.text for item in sentences}) == len(sentences)
    assert {item.state for item in sentences} <= set(load_states())


def test_the_two_halves_are_large_and_share_no_sentence() -> None:
    development, frozen = (load_sentences(half) for half in ("development", "frozen"))
    assert not {item.text for item in development} & {item.text for item in frozen}
    assert min(len(development), len(frozen)) >= 85
    assert sum(item.is_correct for item in [*development, *frozen]) >= 100
    assert {findings.protocol for findings in load_states().values()} == {"lumbar", "cervical", "sacroiliac"}
    assert len({item.state for item in [*development, *frozen]}) >= 12


def mechanical_flips(text: str) -> Iterator[str]:
    """Yield versions of a correct sentence with all sides, one grade, one number or one negation changed."""
    if re.search(r"\b(left|right)\b", text, re.IGNORECASE):
        swap = {"left": "right", "right": "left"}
        yield re.sub(r"\b(left|right)\b", lambda match: swap[match[1].lower()], text, flags=re.IGNORECASE)
    for match in re.finditer(r"\b(" + "|".join(OTHER_GRADE) + r")\b", text, re.IGNORECASE):
        yield text[: match.start()] + OTHER_GRADE[match[1].lower()] + text[match.end() :]
    for match in re.finditer(r"\d+\.\d", text):
        yield f"{text[: match.start()]}{float(match[0]) + 2:.1f}{text[match.end() :]}"
    for match in re.finditer(r"\b(no|not) ", text, re.IGNORECASE):
        if re.search(r"\bno [^,;.]*, $", text[: match.start()]):
            continue  # the second "no" of a list: without it the first still denies what follows
        yield text[: match.start()] + text[match.end() :]
    for match in re.finditer(r"\b(?:is|are) (?!not|absent)", text):
        yield f"{text[: match.end()]}not {text[match.end() :]}"


@pytest.mark.parametrize("half", HALVES)
def test_no_mechanical_flip_of_a_correct_sentence_is_supported(half: str) -> None:
    flipped = [
        Sentence(item.key, item.state, "side", text)
        for item in load_sentences(half)
        if item.is_correct
        for text in mechanical_flips(item.text)
    ]
    missed = sum(item.verdict.status is VerdictStatus.SUPPORTED for item in judge(flipped))
    assert len(flipped) >= 50
    assert missed == AMBIGUOUS.get(half, 0), (
        f"{missed} of {len(flipped)}"
    )  # counted, not listed: one half is frozen


@pytest.mark.parametrize("half", HALVES)
def test_wrong_sentences_are_caught_and_right_ones_pass_as_often_as_was_reached(half: str) -> None:
    shares = summarise(judge(load_sentences(half)))
    assert shares["all wrong"].value >= CAUGHT[half]
    assert shares["flips"].value >= CAUGHT[half]
    assert shares["false alarms"].value <= FALSE_ALARMS[half]


def test_a_flip_whose_words_are_not_in_the_sentence_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = '- {id: x1, state: classic, text: "Disc bulge at L4-L5.", flips: [[side, left, right]]}\n'
    (tmp_path / "paraphrases_frozen.yaml").write_text(row, encoding="utf-8")
    monkeypatch.setattr(paraphrases, "_FOLDER", tmp_path)
    with pytest.raises(paraphrases.ConfigError, match="paraphrase x1: expected"):
        load_sentences("frozen")


def test_the_command_prints_a_table_and_writes_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "paraphrases.json"
    monkeypatch.setattr(sys, "argv", ["paraphrases", "--half", "development", "--out", str(out)])
    paraphrases.main()
    assert "| false alarms |" in capsys.readouterr().out
    record = json.loads(out.read_text(encoding="utf-8"))["development"]
    assert record["flips"]["n"] == sum(record[kind]["n"] for kind in FLIPS)
    assert record["flips"]["low"] <= record["flips"]["value"] <= record["flips"]["high"]


def test_the_frozen_half_is_never_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "record.json")
    monkeypatch.setattr(sys, "argv", ["paraphrases", "--half", "frozen", "--differences", "--out", out])
    paraphrases.main()
    printed = capsys.readouterr().out
    assert not any(item.text in printed for item in load_sentences("frozen"))


def test_the_value_of_a_share() -> None:
    assert Share(3, 4, 0.3, 0.95).value == 0.75
