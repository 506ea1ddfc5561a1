"""Questions about a made-up reading with known truth: what is answered, what is cited, what is refused.

The reading: L1-L2 to L5-S1; Pfirrmann II, II, III, V (IV not excluded), IV; a disc bulge at L4-L5, not excluded at
L5-S1; severe canal stenosis at L4-L5 (9.0 mm); left foraminal narrowing moderate at L5-S1; slip 4.2 mm at L4-L5;
Modic nowhere assessable; the name of L1-L2 in doubt.
"""

import copy
import string
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from imaging.types import Spacing
from pipeline import Reading, ReadOptions, reading_to_dict, validate_document
from tests.pipeline.fakes import LEVELS, fake_reader
from vlm.chat import Answer, answer_question
from vlm.chat.lexicon import Kind, load_lexicon

CANAL_MM = (15.0, 14.0, 13.0, 9.0, 12.5)


def make_reading() -> dict[str, Any]:
    *_, reading = fake_reader().read(Path("scan.png"), ReadOptions(spacing=Spacing(0.6, 0.6)))
    assert isinstance(reading, Reading)
    document = reading_to_dict(reading)
    canals = [item for item in document["measurements"] if item["name"] == "canal_ap_diameter"]
    for item, value in zip(canals, CANAL_MM, strict=True):
        item["value"] = value
    slip = {**canals[3], "id": "m11", "name": "listhesis", "value": 4.2, "percentile": None}
    document["measurements"].append(slip)
    document["grades"][17] |= {"grade": "absent", "prediction_set": ["absent", "present"]}
    narrowing = {
        **document["grades"][18],
        "id": "g21", "condition": "neural_foraminal_narrowing", "side": "left", "grade": "moderate",
        "prediction_set": ["moderate"], "probabilities": {"moderate": 0.8}, "reason": None, "measurements": [],
    }  # fmt: skip
    other = {**narrowing, "id": "g22", "side": "right", "grade": "normal_mild", "prediction_set": ["normal_mild"]}
    other["probabilities"] = {"normal_mild": 0.95}
    document["grades"] += [narrowing, other]
    validate_document(document)
    return document


@pytest.fixture(scope="module")
def reading() -> dict[str, Any]:
    return make_reading()


TABLE = yaml.safe_load((Path(__file__).parent / "chat_questions.yaml").read_text(encoding="utf-8"))
ANSWERED = [(row["question"], row["words"], tuple(row["ids"])) for row in TABLE["answered"]]
REFUSED = [
    *((row["question"], row["words"]) for row in TABLE["refused"]),
    ("what is at L4-L5 " * 40, "too long"),
]


@pytest.mark.parametrize(("question", "words", "ids"), ANSWERED, ids=[row[0] for row in ANSWERED])
def test_answers(reading: dict[str, Any], question: str, words: str, ids: tuple[str, ...]) -> None:
    answer = answer_question(reading, question)
    assert not answer.refused, answer.text
    assert words in answer.text
    if ids:
        assert sorted(answer.finding_ids) == sorted(ids)


@pytest.mark.parametrize(("question", "words"), REFUSED, ids=[row[0][:40] for row in REFUSED])
def test_refusals(reading: dict[str, Any], question: str, words: str) -> None:
    answer = answer_question(reading, question)
    assert answer.refused, answer.text
    assert words in answer.text
    assert answer.finding_ids == ()


def test_there_are_enough_questions() -> None:
    assert len(ANSWERED) + len(REFUSED) >= 80


def test_ids_exist_and_come_once(reading: dict[str, Any]) -> None:
    known = {row["id"] for row in (*reading["grades"], *reading["measurements"])}
    for question, _, _ in ANSWERED:
        ids = answer_question(reading, question).finding_ids
        assert len(ids) == len(set(ids)), question
        assert set(ids) <= known, question


def test_same_question_same_answer(reading: dict[str, Any]) -> None:
    for question, _, _ in ANSWERED:
        assert answer_question(reading, question) == answer_question(copy.deepcopy(reading), question)


def test_answer_follows_the_findings(reading: dict[str, Any]) -> None:
    """Every level, turned into the one with the bulge, is the one that is named."""
    for index, level in enumerate(LEVELS):
        changed = copy.deepcopy(reading)
        for offset in range(len(LEVELS)):
            step = "present" if offset == index else "absent"
            changed["grades"][4 * offset + 1] |= {"grade": step, "prediction_set": [step]}
        assert answer_question(changed, "Is there a bulge?").text.startswith(f"{level}: Disc bulge. ")
        counted = answer_question(changed, "How many levels have a bulge?").text
        assert counted.startswith(f"Count: 1 level ({level}). {level}: Disc bulge. ")


def test_unknown_spacing_is_said_with_its_reason() -> None:
    *_, reading = fake_reader().read(Path("scan.png"))
    assert isinstance(reading, Reading)
    document = reading_to_dict(reading)
    at_level = answer_question(document, "How wide is the canal at L4-L5?")
    assert at_level.text == "L4-L5: canal AP diameter not assessable (pixel spacing unknown)."
    assert at_level.finding_ids == ("m8",)
    everywhere = answer_question(document, "What is the disc height?")
    assert everywhere.text == "disc height: not assessable at any level (pixel spacing unknown)."
    stenosis = answer_question(document, "Is there spinal canal stenosis?")
    assert "Not assessable: spinal canal stenosis at L1-L2, L2-L3, L3-L4, L4-L5 and L5-S1." in stenosis.text
    assert "Reason: pixel spacing unknown." in stenosis.text


def test_a_normal_spine_has_no_worst_level(reading: dict[str, Any]) -> None:
    normal = copy.deepcopy(reading)
    normal["burden"] = {"score": 0.0, "category": "none", "terms": [], "formula": "burden/1"}
    best = {"pfirrmann": "I", "presence": "absent", "rsna": "normal_mild"}
    for grade in normal["grades"]:
        if grade["status"] == "graded":
            step = best[grade["scale"]]
            grade |= {"grade": step, "prediction_set": [step]}
    answer = answer_question(normal, "Which level is worst?")
    assert answer.text == "No level has an abnormal grade."
    assert not answer.refused


@given(st.text(max_size=120))
def test_any_text_gets_an_answer_or_a_refusal(text: str) -> None:
    answer = answer_question(_READING, text)
    assert isinstance(answer, Answer)
    assert answer.text


@given(st.lists(st.sampled_from(sorted({" ".join(p) for p in load_lexicon().senses} | set(LEVELS))), max_size=8))
def test_any_known_words_get_an_answer_or_a_refusal(words: list[str]) -> None:
    answer = answer_question(_READING, " ".join(words))
    known = {row["id"] for row in (*_READING["grades"], *_READING["measurements"])}
    assert answer.text
    assert set(answer.finding_ids) <= known
    assert not (answer.refused and answer.finding_ids)


_UNDERSTOOD = {"bilateral", "bilaterally", "phirrmann"}
"""Words read apart from the lexicon: both sides, and a usual misspelling of Pfirrmann."""


@given(st.text(alphabet=string.ascii_lowercase, min_size=9, max_size=14))
def test_a_word_that_means_nothing_here_is_always_refused(word: str) -> None:
    if (word,) in load_lexicon().senses or word in _UNDERSTOOD:
        return
    assert answer_question(_READING, f"Is there a {word} at L4-L5?").refused


def test_every_condition_can_be_asked_for() -> None:
    from anatomy import Condition

    named = {
        sense.value for found in load_lexicon().senses.values() for sense in found if sense.kind is Kind.CONDITION
    }
    assert named == {condition.value for condition in Condition}


def test_chat_loads_no_network() -> None:
    import subprocess

    program = "import sys, vlm.chat; print('torch' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "False"]


_READING = make_reading()


def test_the_burden_score_comes_with_its_interval_and_what_is_missing(reading: dict[str, Any]) -> None:
    known = copy.deepcopy(reading)
    known["burden"] |= {"interval": [35.2, 50.4], "upper_bound": 88.3, "completeness": 0.61}
    text = answer_question(known, "What is the burden score?").text
    assert "42 of 100 (moderate; 95 % interval 35 to 50; 61 % graded); points by level" in text
    assert "with the others at their worst it would be 88." in text
