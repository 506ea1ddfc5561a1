import json
import math
from pathlib import Path

import pytest

from evaluation.run import evaluate
from evaluation.text.facts import score_facts
from reporting import parse_report
from runtime import StudyError

_A = "L4-L5: severe spinal canal stenosis. There is a disc bulge at L5-S1."
_B = "No spinal canal stenosis at L4-L5. There is a disc bulge at L5-S1."


def test_a_flipped_negation_loses_the_fact() -> None:
    same = score_facts(parse_report(_A), parse_report(_A))
    flipped = score_facts(parse_report(_B), parse_report(_A))
    assert same.f1 == 1.0
    assert flipped.f1 == pytest.approx(0.5)


def test_one_command_scores_reports(tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"
    told.write_text(
        "\n".join(json.dumps({"id": k, "text": t}) for k, t in (("1", _A), ("2", _B))), encoding="utf-8"
    )
    truth = tmp_path / "truth.csv"
    truth.write_text(f'id,text\n1,"{_A}"\n2,"{_A}"\n', encoding="utf-8")
    result = evaluate("report", told, truth)
    assert result["reports"] == 2
    assert 0.5 < result["spinefact_f1"] < 1.0
    assert {"bleu_1", "bleu_4", "rouge_l", "cider"} < result.keys()
    first, second = result["per_report"]
    assert first["rouge_l"] == 1.0
    assert second["rouge_l"] < 1.0
    assert all(math.isfinite(value) for value in result.values() if isinstance(value, float))


def test_ids_must_agree(tmp_path: Path) -> None:
    for name, key in (("a.csv", 1), ("b.csv", 2)):
        (tmp_path / name).write_text(f"id,text\n{key},hello\n", encoding="utf-8")
    with pytest.raises(StudyError, match="are in one only"):
        evaluate("report", tmp_path / "a.csv", tmp_path / "b.csv")
