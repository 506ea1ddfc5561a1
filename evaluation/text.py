"""Scores of report text: BLEU, ROUGE-L and CIDEr by pycocoevalcap, and facts (SpineFact, first form).

The tokeniser is ours (lower case, words and numbers, level names kept whole), so that no Java is needed; figures
therefore differ a little from pycocoevalcap's own Penn Treebank tokenisation. Issue 7 closes that gap.
CIDEr needs a corpus: on one report it is 0 by construction.
"""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reporting import parse_report
from reporting.types import Fact
from runtime.errors import StudyError

_TOKEN = re.compile(r"[a-z]+\d+(?:-[a-z]*\d+)?|\d+(?:\.\d+)?|[a-z]+", re.IGNORECASE)

FactKey = tuple[str | None, str | None, str, bool]


@dataclass(frozen=True)
class FactScore:
    """Agreement of two sets of facts.

    Attributes:
        precision: Share of stated facts that are in the reference (level, side, condition, negation equal).
        recall: Share of the reference's facts that are stated.
        f1: Harmonic mean.
        grade_accuracy: Of matched facts graded in both, the share with the same grade; None without any.
    """

    precision: float
    recall: float
    f1: float
    grade_accuracy: float | None


def tokenise(text: str) -> str:
    """Return lower-case tokens joined by spaces."""
    return " ".join(_TOKEN.findall(text.lower()))


def caption_scores(predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Return ``bleu_1`` to ``bleu_4``, ``rouge_l`` and ``cider`` of a corpus, one reference each."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    told = {index: [tokenise(text)] for index, text in enumerate(predictions)}
    truth = {index: [tokenise(text)] for index, text in enumerate(references)}
    bleu, _ = Bleu(4).compute_score(truth, told, verbose=0)
    rouge, _ = Rouge().compute_score(truth, told)
    cider, _ = Cider().compute_score(truth, told)
    scores = {f"bleu_{n}": float(value) for n, value in enumerate(bleu, start=1)}
    return {**scores, "rouge_l": float(rouge), "cider": float(cider)}


def score_facts(predicted: Sequence[Fact], reference: Sequence[Fact]) -> FactScore:
    """Compare facts on level, side, condition and negation; grades are compared on those that match."""
    told = {_key(fact): fact for fact in predicted}
    truth = {_key(fact): fact for fact in reference}
    shared = told.keys() & truth.keys()
    precision = len(shared) / len(told) if told else float(not truth)
    recall = len(shared) / len(truth) if truth else float(not told)
    total = precision + recall
    graded = [key for key in shared if told[key].grade and truth[key].grade]
    same = sum(told[key].grade == truth[key].grade for key in graded)
    return FactScore(
        precision, recall, 2 * precision * recall / total if total else 0.0, same / len(graded) if graded else None
    )


def _key(fact: Fact) -> FactKey:
    return fact.level, None if fact.side is None else fact.side.value, fact.condition.value, fact.negated


def evaluate_report(predictions: Path, references: Path) -> dict[str, Any]:
    """Score reports against references: CSV with columns ``id,text`` or JSONL with the same keys.

    Raises:
        StudyError: If files, columns or ids do not match, or a text is empty.
    """
    told, truth = read_texts(predictions), read_texts(references)
    if told.keys() != truth.keys():
        odd = sorted(told.keys() ^ truth.keys())
        raise StudyError(f"{predictions.name}: expected the ids of {references.name}; {odd[0]!r} is in one only")
    ids = sorted(truth)
    per_report = []
    for key in ids:
        score = score_facts(parse_report(told[key]), parse_report(truth[key]))
        per_report.append({"id": key, "precision": score.precision, "recall": score.recall, "f1": score.f1})
    mean = sum(row["f1"] for row in per_report) / len(per_report)  # type: ignore[misc]
    return {
        "reports": len(ids),
        **caption_scores([told[key] for key in ids], [truth[key] for key in ids]),
        "spinefact_f1": mean,
        "per_report": per_report,
    }


def read_texts(file: Path) -> dict[str, str]:
    """Read ``id -> text`` from CSV or JSONL.

    Raises:
        StudyError: If the file is missing, has no such columns, repeats an id or holds an empty text.
    """
    if not file.is_file():
        raise StudyError(f"{file.name}: expected a CSV or JSONL file with id and text, found none")
    with file.open(encoding="utf-8", newline="") as stream:
        if file.suffix == ".jsonl":
            rows = [json.loads(line) for line in stream if line.strip()]
        else:
            rows = list(csv.DictReader(stream))
    texts: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        if "id" not in row or not str(row.get("text") or "").strip():
            raise StudyError(f"{file.name}: row {number}: expected an id and a text, got {sorted(row)}")
        if str(row["id"]) in texts:
            raise StudyError(f"{file.name}: id {row['id']!r} appears twice")
        texts[str(row["id"])] = str(row["text"])
    if not texts:
        raise StudyError(f"{file.name}: expected at least one report, found none")
    return texts
