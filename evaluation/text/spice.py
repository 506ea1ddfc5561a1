"""SPICE by the Java program that pycocoevalcap carries, where the user has the CoreNLP models it parses with.

pycocoevalcap downloads those (half a gigabyte) the first time; this never does. Source: Anderson et al., "SPICE:
semantic propositional image caption evaluation", ECCV 2016. Page: docs/metrics/spice.md.
"""

import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.text.base import MetricUnavailable, TextScores, means_of
from evaluation.text.corpus import corpus_of_texts
from evaluation.text.java import find_jar, find_java, run_java
from runtime.settings import load_settings

CORENLP = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
_START_S, _EACH_S = 600.0, 5.0


class Spice:
    """SPICE, the mean F-measure over reports, with one run of Java a call.

    Args:
        limit_s: Seconds after which Java is ended; None allows ten minutes and five seconds a report.

    Raises:
        MetricUnavailable: If Java, pycocoevalcap or the CoreNLP models are missing.
    """

    names = ("spice",)

    def __init__(self, *, limit_s: float | None = None) -> None:
        find_java("spice")
        jar = find_jar("spice", "spice-1.0.jar")
        self._classes = [jar, *_find_models(jar.parent / "lib"), *sorted((jar.parent / "lib").glob("*.jar"))]
        self._limit_s = limit_s

    def score(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> TextScores:
        """Score N texts.

        Raises:
            StudyError: If there is no report, the numbers differ, or a report has no reference.
            MetricUnavailable: If Java fails or passes the limit.
        """
        corpus = corpus_of_texts(predictions, references)
        pairs = zip(corpus.predictions, corpus.references, strict=True)
        told = [
            {"image_id": place, "test": text, "refs": list(texts)} for place, (text, texts) in enumerate(pairs)
        ]
        limit_s = _START_S + _EACH_S * len(told) if self._limit_s is None else self._limit_s
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "in.json").write_text(json.dumps(told), encoding="utf-8")
            options = ["-Xmx8G", "-cp", os.pathsep.join(map(str, self._classes)), "edu.anu.spice.SpiceScorer"]
            run_java(
                "spice", [*options, "in.json", "-out", "out.json", "-subset", "-silent"], limit_s=limit_s,
                folder=folder,
            )  # fmt: skip
            found = {row["image_id"]: _f_measure(row) for row in json.loads((folder / "out.json").read_text())}
        if set(found) != set(range(len(told))):
            raise MetricUnavailable(f"spice: expected scores of {len(told)} reports from Java, got {len(found)}")
        return means_of({"spice": np.asarray([found[place] for place in range(len(told))], dtype=np.float64)})


def _f_measure(row: dict[str, dict[str, dict[str, float | None]]]) -> float:
    value = row["scores"]["All"]["f"]
    return math.nan if value is None else float(value)


def _find_models(library: Path) -> list[Path]:
    """Return the CoreNLP jars, from SPINESCRIBE_CORENLP or from pycocoevalcap's own folder."""
    own = load_settings().corenlp_dir
    for folder in [Path(own)] if own else [library]:
        files = [folder / name for name in CORENLP]
        if all(file.is_file() for file in files):
            return files
    raise MetricUnavailable(
        f"spice: expected {' and '.join(CORENLP)} in {own or library}, found none; fetch Stanford CoreNLP 3.6.0 "
        "yourself and name its folder in SPINESCRIBE_CORENLP, or leave this metric out"
    )
