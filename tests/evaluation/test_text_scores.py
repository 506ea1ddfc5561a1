import json
from pathlib import Path

import pytest

from evaluation.run import evaluate
from evaluation.text import caption_scores, tokenise
from runtime import StudyError

_A = "L4-L5: severe spinal canal stenosis. There is a disc bulge at L5-S1."
_B = "No spinal canal stenosis at L4-L5. There is a disc bulge at L5-S1."


def test_levels_and_numbers_stay_whole() -> None:
    assert tokenise("At L4-L5, canal 9.8 mm.") == "at l4-l5 canal 9.8 mm"


def test_equal_corpora_score_the_maximum() -> None:
    texts = [_A, "Mild disc height loss at L3-L4 with Modic type 2 change below."]
    scores = caption_scores(texts, texts)
    assert scores["bleu_4"] == pytest.approx(1.0, abs=1e-6)
    assert scores["rouge_l"] == pytest.approx(1.0)
    assert scores["cider"] == pytest.approx(10.0, rel=1e-6)


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


def test_ids_must_agree(tmp_path: Path) -> None:
    for name, key in (("a.csv", 1), ("b.csv", 2)):
        (tmp_path / name).write_text(f"id,text\n{key},hello\n", encoding="utf-8")
    with pytest.raises(StudyError, match="is in one only"):
        evaluate("report", tmp_path / "a.csv", tmp_path / "b.csv")


def test_an_empty_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,\n", encoding="utf-8")
    with pytest.raises(StudyError, match="expected an id and a text"):
        evaluate("report", tmp_path / "a.csv", tmp_path / "a.csv")
