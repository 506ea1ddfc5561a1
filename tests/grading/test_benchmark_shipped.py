"""The short form of the grading benchmark: the shipped grader on patients it has not seen."""

import pytest
import torch

from benchmarks.grading import grade_as_in_use, judge_shipped
from benchmarks.grading_figures import coverage_text, macro_text
from grading.build import build_network
from grading.config import GraderConfig
from grading.storage import StoredGrader
from runtime.errors import ConfigError


def test_a_mean_of_folds_is_not_judged_on_patients_it_has_seen() -> None:
    torch.manual_seed(0)
    network = build_network(GraderConfig()).eval()
    with pytest.raises(ConfigError, match="expected the members of one fold, got networks that saw every patient"):
        judge_shipped(StoredGrader(GraderConfig(), (network, network), {}, ("L4-L5",)))


def test_conditions_are_graded_with_all_they_are_read_from_and_no_less() -> None:
    config = GraderConfig()
    modic = next(head for head in config.heads if head.key == "modic")
    asked: list[str] = []

    def grade(at_hand: str) -> None:
        asked.append(at_hand)
        raise LookupError

    with pytest.raises(LookupError):
        grade_as_in_use(("t1", "t2", "t2+t1"), grade, modic, config)  # type: ignore[arg-type]
    assert asked == ["t2+t1"]
    with pytest.raises(ValueError, match="at least one array"):
        grade_as_in_use(("t1", "t2"), grade, modic, config)  # type: ignore[arg-type]


def test_macro_figures_are_told_for_ordered_grades_only() -> None:
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    rows = {"disc_degeneration": dict.fromkeys(("macro_f1", "accuracy", "within_one"), figure), "modic": {}}
    assert macro_text(rows) == (
        "disc_degeneration: macro F1 0.500 (0.400 to 0.600), exact 0.500 (0.400 to 0.600), within one step "
        "0.500 (0.400 to 0.600)."
    )


def test_coverage_is_judged_by_its_interval() -> None:
    def figure(low: float, high: float) -> dict[str, float]:
        return {"value": (low + high) / 2, "low": low, "high": high}

    row = {
        "nominal_coverage": 0.9,
        "steps": {"absent": 80, "present": 60},
        "coverage_intervals": {"absent": figure(0.86, 0.94), "present": figure(0.6, 0.8)},
    }
    lines = coverage_text({"disc_bulging": row}).splitlines()
    assert lines[-2] == "| disc_bulging | absent | 80 | 0.90 | 0.900 (0.860 to 0.940) | yes |"
    assert lines[-1] == "| disc_bulging | present | 60 | 0.90 | 0.700 (0.600 to 0.800) | no |"
