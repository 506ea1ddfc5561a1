"""Flip one thing in the composer's text: side, level, grade, negation, number. Every flip is caught."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest

from reporting import Checker, SentenceContext, compose_level, compose_report, verify_draft
from reporting.types import (
    Draft,
    DraftSection,
    DraftSentence,
    SentenceStatus,
    VerdictStatus,
)
from reporting.verifier import failures
from tests.reporting.factories import LUMBAR, random_findings

Flip = Callable[[str, Random], str | None]
_STEPS = ("I", "II", "III", "IV", "V")
_FEWEST = 50


def flip_side(text: str, rng: Random) -> str | None:
    if re.search(r"\b(left|right)\b", text) is None:
        return None
    return re.sub(r"\b(left|right)\b", lambda m: "right" if m[1] == "left" else "left", text)


def flip_level(text: str, rng: Random) -> str | None:
    found = re.findall(r"[TL]\d{1,2}-[LST]\d{1,2}", text)
    if not found:
        return None
    return text.replace(found[0], rng.choice([level for level in LUMBAR if level not in found]), 1)


def flip_grade(text: str, rng: Random) -> str | None:
    for pattern, names in (
        (r"(?<=Pfirrmann grade )[IV]+", _STEPS),
        (r"\b(?:moderate|severe)\b", ("moderate", "severe")),
        (r"(?<=Modic type )\d", ("1", "2", "3")),
    ):
        if match := re.search(pattern, text):
            other = rng.choice([name for name in names if name != match[0]])
            return text[: match.start()] + other + text[match.end() :]
    return None


def flip_negation(text: str, rng: Random) -> str | None:
    header, _, body = text.rpartition(": ")
    lead = f"{header}: " if header else ""
    if body.startswith("No "):
        rest = body.removeprefix("No ").replace(" or ", " and ")
        return f"{lead}{rest[:1].upper()}{rest[1:]}"
    return f"{lead}No {body[:1].lower() if body[1:2].islower() else body[:1]}{body[1:]}"


def flip_number(text: str, rng: Random) -> str | None:
    match = re.search(r"\d+\.\d", text)
    if match is None:
        return None
    changed = float(match[0]) + rng.choice((-2.0, -0.3, -0.1, 0.1, 0.3, 1.0, 10.0))
    return f"{text[: match.start()]}{changed:.1f}{text[match.end() :]}"


FLIPS: dict[str, Flip] = {
    "side": flip_side,
    "level": flip_level,
    "grade": flip_grade,
    "negation": flip_negation,
    "number": flip_number,
}


def composed(seeds: range) -> Iterator[tuple[Checker, DraftSentence, tuple[str, ...]]]:
    """Yield the composer's sentences with their checker and the levels carried to each."""
    for seed in seeds:
        findings = random_findings(Random(seed), sided=seed % 2 == 0)
        checker = Checker(findings)
        for section in compose_report(findings).sections[1:]:
            levels: tuple[str, ...] = ()
            for sentence in section.sentences:
                if "burden" not in sentence.text and "as described above" not in sentence.text:
                    yield checker, sentence, levels
                levels = checker.check(sentence.text, SentenceContext(levels)).levels


@pytest.mark.parametrize("name", FLIPS)
def test_every_flip_is_caught(name: str) -> None:
    rng = Random(1)
    flipped, missed = 0, []
    for checker, sentence, levels in composed(range(16)):
        changed = FLIPS[name](sentence.text, rng)
        if changed is None or changed == sentence.text:
            continue
        flipped += 1
        verdict = checker.check(changed, SentenceContext(levels, sentence.finding_ids))
        if verdict.status is VerdictStatus.SUPPORTED:
            missed.append((sentence.text, changed))
    assert missed == []
    assert flipped >= _FEWEST


@pytest.mark.parametrize("name", ["side", "grade", "negation", "number"])
def test_flips_are_caught_without_evidence_ids_where_the_truth_differs(name: str) -> None:
    """With no ids to compare, a flip is caught unless the flipped text happens to be true as well."""
    rng = Random(2)
    caught = 0
    for checker, sentence, levels in composed(range(12)):
        changed = FLIPS[name](sentence.text, rng)
        if changed is None or changed == sentence.text:
            continue
        verdict = checker.check(changed, SentenceContext(levels))
        if verdict.status is VerdictStatus.SUPPORTED:
            assert name == "side", f"{sentence.text} -> {changed}"
            continue
        caught += 1
    assert caught >= _FEWEST // 2


def test_unchanged_text_raises_no_alarm() -> None:
    for seed in range(60):
        findings = random_findings(Random(seed), sided=seed % 2 == 0)
        report = verify_draft(compose_report(findings), findings)
        assert all(
            item.status is SentenceStatus.SUPPORTED for section in report.sections for item in section.sentences
        )


@pytest.mark.parametrize("style", ["structured", "telegraphic", "narrative", "patient"])
def test_varied_wording_raises_no_alarm(style: str) -> None:
    for seed in range(25):
        findings = random_findings(Random(seed), sided=seed % 2 == 0)
        checker = Checker(findings)
        for level in dict.fromkeys(grade.level for grade in findings.grades):
            levels: tuple[str, ...] = ()
            for sentence in compose_level(findings, level, style=style, rng=Random(seed)):
                verdict = checker.check(sentence.text, SentenceContext(levels, sentence.finding_ids))
                levels = verdict.levels
                assert verdict.status is VerdictStatus.SUPPORTED, (sentence.text, verdict.reasons)


@pytest.mark.parametrize("name", FLIPS)
def test_a_flipped_draft_is_repaired_and_then_holds(name: str) -> None:
    rng = Random(3)
    repaired = 0
    for seed in range(12):
        findings = random_findings(Random(seed), sided=True)
        draft, changed = _flip_whole(compose_report(findings), FLIPS[name], rng)
        report = verify_draft(draft, findings)
        assert failures(report, findings) == []
        kept = {item.text for section in report.sections for item in section.sentences}
        replaced = " ".join(item.replaced_text or "" for section in report.sections for item in section.sentences)
        for text in changed:
            assert text in replaced or text in kept
            repaired += text in replaced
    assert repaired >= 20


def _flip_whole(draft: Draft, flip: Flip, rng: Random) -> tuple[Draft, list[str]]:
    """Flip two of three sentences on findings that can be flipped."""
    changed: list[str] = []
    sections: list[DraftSection] = []
    for section in draft.sections:
        sentences = []
        for index, item in enumerate(section.sentences):
            text = flip(item.text, rng) if section.name == "findings" and index % 3 != 1 else None
            if text is not None and text != item.text:
                changed.append(text)
                item = replace(item, text=text)
            sentences.append(item)
        sections.append(DraftSection(section.name, tuple(sentences)))
    return Draft(tuple(sections)), changed
