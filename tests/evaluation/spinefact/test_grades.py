"""Steps of grades: which are the same, which are normal, how far apart they lie."""

import pytest
import yaml

from anatomy import SCALES, Condition
from evaluation.spinefact import grades
from evaluation.spinefact.grades import is_abnormal, ladders_of, same_grade, split_zero_steps, steps_apart
from reporting.types import Fact


def fact(condition: Condition, grade: str | None, *, negated: bool = False) -> Fact:
    return Fact("L4-L5", None, condition, grade, negated, False, "")


CANAL, PFIRRMANN, MODIC = (
    Condition.SPINAL_CANAL_STENOSIS,
    Condition.DISC_DEGENERATION,
    Condition.MODIC,
)


@pytest.mark.parametrize(
    ("condition", "first", "second", "apart"),
    [
        (PFIRRMANN, "I", "V", 4.0),
        (PFIRRMANN, "III|IV", "IV", 0.5),
        (PFIRRMANN, "III|IV", "IV|III", 0.0),
        (PFIRRMANN, "II|III|IV", "III", 2 / 3),
        (CANAL, "mild", "severe", 2.0),
        (CANAL, "A", "C", 2.0),
        (Condition.CORD_COMPRESSION, "1", "3", 2.0),
        (Condition.SPONDYLOLISTHESIS, "I", "III", 2.0),
        (Condition.NEURAL_FORAMINAL_NARROWING, "1", "2", 1.0),
        (Condition.SACROILIITIS, "early", "advanced", 2.0),
        (Condition.DISC_BULGING, "mild", "moderate", 1.0),
    ],
)
def test_steps_apart_by_hand(condition: Condition, first: str, second: str, apart: float) -> None:
    pair = fact(condition, first), fact(condition, second)
    assert steps_apart(*pair) == pytest.approx(apart)
    assert steps_apart(*reversed(pair)) == pytest.approx(apart)


@pytest.mark.parametrize(
    ("condition", "first", "second"),
    [
        (MODIC, "1", "2"),
        (CANAL, "severe", None),
        (CANAL, "severe", "C"),
        (PFIRRMANN, None, None),
    ],
)
def test_no_distance_without_one_ordered_ladder(condition: Condition, first: str, second: str | None) -> None:
    assert steps_apart(fact(condition, first), fact(condition, second)) is None


def test_the_same_steps_in_any_order_are_the_same_grade() -> None:
    assert same_grade(fact(CANAL, "moderate|severe"), fact(CANAL, "severe|moderate"))
    assert same_grade(fact(CANAL, None), fact(CANAL, None))
    assert not same_grade(fact(CANAL, None), fact(CANAL, "mild"))


def test_what_is_abnormal() -> None:
    assert is_abnormal(fact(PFIRRMANN, "III"))
    assert is_abnormal(fact(PFIRRMANN, "II|III"))
    assert is_abnormal(fact(CANAL, "mild"))
    assert not is_abnormal(fact(PFIRRMANN, "I|II"))
    assert not is_abnormal(fact(CANAL, None, negated=True))


def test_the_only_normal_step_of_a_scale_is_told_apart() -> None:
    assert split_zero_steps(fact(MODIC, "0")) == (("0",), ())
    assert split_zero_steps(fact(CANAL, "normal_mild|moderate")) == (("normal_mild",), ("moderate",))
    assert split_zero_steps(fact(PFIRRMANN, "I")) == ((), ("I",))
    assert split_zero_steps(fact(CANAL, "severe", negated=True)) == ((), ())


def test_every_condition_has_ladders_and_scales_are_those_of_anatomy() -> None:
    file = grades.__file__.replace("grades.py", "ladders.yaml")
    with open(file, encoding="utf-8") as stream:
        table = yaml.safe_load(stream)
    assert set(table["conditions"]) <= {condition.value for condition in Condition}
    assert {row["scale"] for row in table["ladders"].values() if "scale" in row} <= set(SCALES)
    assert all(row.get("source") for row in table["ladders"].values() if "steps" in row)
    assert all(ladders_of(condition)[-1].steps == ("mild", "moderate", "severe") for condition in Condition)
