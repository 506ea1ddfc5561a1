"""Scores of report text: BLEU, ROUGE-L and CIDEr by pycocoevalcap, facts by ``evaluation.spinefact``.

The tokeniser is ours (lower case, words and numbers, level names kept whole), so that no Java is needed; figures
therefore differ a little from pycocoevalcap's own Penn Treebank tokenisation. Issue 7 closes that gap.
CIDEr needs a corpus: on one report it is 0 by construction.
"""

import csv
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runtime.errors import StudyError

_TOKEN = re.compile(r"[a-z]+\d+(?:-[a-z]*\d+)?|\d+(?:\.\d+)?|[a-z]+", re.IGNORECASE)


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


def evaluate_report(predictions: Path, references: Path) -> dict[str, Any]:
    """Score reports against references: CSV with columns ``id,text`` or JSONL with the same keys.

    Raises:
        StudyError: If files, columns or ids do not match, or a text is empty.
    """
    from evaluation.spinefact import SpineFact

    told, truth = read_texts(predictions), read_texts(references)
    if told.keys() != truth.keys():
        odd = sorted(told.keys() ^ truth.keys())
        raise StudyError(f"{predictions.name}: expected the ids of {references.name}; {odd[0]!r} is in one only")
    ids = sorted(truth)
    facts = SpineFact().score([told[key] for key in ids], [[truth[key]] for key in ids])
    per_report = [
        {"id": key, **{name: _known(values[row]) for name, values in facts.per_report.items()}}
        for row, key in enumerate(ids)
    ]
    return {
        "reports": len(ids),
        **caption_scores([told[key] for key in ids], [truth[key] for key in ids]),
        **{name: _known(value) for name, value in facts.corpus.items()},
        "per_report": per_report,
    }


def _known(value: float) -> float | None:
    """Return a figure for JSON: None where it is not defined."""
    return None if math.isnan(value) else float(value)


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
