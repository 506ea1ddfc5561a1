"""Every part that states findings is verified; what does not hold becomes the composer's sentence or goes."""

from tests.vlm.chat.readings import finding_id, make_reading
from vlm.chat.checked import give_answer
from vlm.chat.facts import Facts
from vlm.chat.say import say_rows
from vlm.chat.types import Part, PartKind, Topic

READING = make_reading("degenerate")
FACTS = Facts(READING)


def test_a_wrong_part_becomes_the_composers_words() -> None:
    key = finding_id(READING, "L4-L5 spinal_canal_stenosis")
    wrong = Part("L4-L5: Mild spinal canal stenosis.", (key,), PartKind.FINDING)
    answer = give_answer([wrong], FACTS, Topic())
    assert answer.text == "L4-L5: Severe spinal canal stenosis (canal AP diameter 7.9 mm)."
    assert answer.finding_ids == (key,)


def test_a_wrong_part_on_nothing_is_left_out() -> None:
    parts = [Part("Read.", ()), Part("L1-L2: Disc herniation.", (), PartKind.FINDING)]
    assert give_answer(parts, FACTS, Topic()).text == "Read."


def test_everything_that_can_be_said_passes() -> None:
    """No grade or gap of any reading is lost by the check: each is cited by the answer that says it."""
    for name in ("normal", "degenerate", "no_t1", "cervical", "sacroiliac", "smuggled", "followup"):
        facts = Facts(make_reading(name))
        for row in facts.grades:
            assert give_answer(say_rows([row], facts), facts, Topic()).finding_ids == (row["id"],)
