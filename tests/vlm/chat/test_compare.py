"""Change since an earlier study: only what the table holds, and nothing without a table."""

import copy

import pytest

from tests.vlm.chat.readings import finding_id, make_reading
from vlm.chat import answer_question

READING = make_reading("followup")


@pytest.mark.parametrize(
    ("question", "words", "keys"),
    [
        ("What is new?", "new (before: absent)", ["L2-L3 disc_bulging"]),
        ("What has resolved?", "resolved, no longer seen (before: present)", ["L5-S1 disc_herniation"]),
        ("Any improvement?", "improved (better) (before: severe)", ["L4-L5 left neural_foraminal_narrowing"]),
        ("Has the canal stenosis at L4-L5 progressed?", "progressed (worse)", ["L4-L5 spinal_canal_stenosis"]),
        ("Did the Modic change progress at L4-L5?", "cannot be compared", ["L4-L5 modic"]),
        ("Has the canal diameter at L3-L4 changed?", "12.0 mm before, 11.4 mm now", ["L3-L4 canal_ap_diameter"]),
    ],
)
def test_changes_are_those_of_the_table(question: str, words: str, keys: list[str]) -> None:
    answer = answer_question(READING, question)
    assert words in answer.text
    assert {finding_id(READING, key) for key in keys} <= set(answer.finding_ids)


def test_the_answer_follows_the_table() -> None:
    changed = copy.deepcopy(READING)
    for row in changed["comparison"]["grades"]:
        row["change"] = "unchanged"
    assert answer_question(changed, "What is new?").text == "Nothing that was compared is new."


def test_a_place_without_a_grade_now_is_said_to_be_so() -> None:
    changed = copy.deepcopy(READING)
    row = next(item for item in changed["comparison"]["grades"] if item["condition"] == "modic")
    row |= {"now": None, "change": "not_comparable", "reason": "not part of this reading"}
    text = answer_question(changed, f"Has the Modic change at {row['level']} changed?").text
    assert text.startswith(f"Not graded in this reading: Modic change at {row['level']}.")
    assert "cannot be compared with the earlier study (not part of this reading)" in text


def test_without_a_table_there_is_no_comparison() -> None:
    without = {key: value for key, value in READING.items() if key != "comparison"}
    for question in ("What is new?", "Is it worse than last year?", "Is the stenosis stable?"):
        answer = answer_question(without, question)
        assert (answer.refused, answer.refusal) == (True, "no_prior")
