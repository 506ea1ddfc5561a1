"""Reports: two sources of texts to text metrics, facts, baselines that saw no image, and signs of collapse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.honesty import Honesty, judge, read_embeddings
from evaluation.options import EvaluationOptions
from evaluation.result import Evaluation, Figure, Row
from evaluation.scoring import Cases, Rows, score_cases, subgroup_notices, subgroup_table
from evaluation.tasks.report_tables import against_table, baseline_table, error_table, level_groups
from evaluation.text import MetricUnavailable, TextScores, open_metric, read_pairs, read_texts
from runtime.progress import Progress

HEADLINE = ("bleu_1", "bleu_4", "rouge_l", "meteor", "cider", "spinefact_f1", "spinefact_abnormal_f1")
_SLOW = ("meteor", "spice")
"""Need a Java process a corpus: not repeated for each baseline."""


@dataclass(frozen=True)
class ScoredTexts:
    """Texts with every metric that could run.

    Attributes:
        corpus: Name -> figure.
        per_report: Name -> (N,).
        corpus_of: Places -> figures.
        skipped: Metric -> why it could not run.
    """

    corpus: Mapping[str, float]
    per_report: Mapping[str, NDArray[np.float64]]
    corpus_of: Callable[[Rows], Mapping[str, float]]
    skipped: Mapping[str, str]


def evaluate_report(predictions: Path, references: Path, options: EvaluationOptions) -> Evaluation:
    """Score reports against reports of the same ids; what a source may be: ``evaluation.text.read_texts``.

    Raises:
        StudyError: If a source cannot be read, ids differ, or a text is empty.
    """
    told, truth = read_pairs(predictions, references)
    ids = list(truth)
    patients = [options.patient_of(case) for case in ids]
    scores = score_texts(list(told.values()), list(truth.values()), options, metrics=options.metrics)
    honesty = _judge(told, truth, options)
    options.show(Progress("report", 1.0, "baselines"))
    cases = Cases(ids, patients, scores.corpus_of, HEADLINE)
    figures = {**score_cases(cases, options, stage="report"), **_honesty_figures(honesty)}
    return Evaluation(
        task="report",
        unit="report",
        figures=figures,
        per_case=_per_case(ids, patients, scores),
        tables=_tables(told, truth, cases, scores, honesty, options),
        notices=(*_skipped(scores), *honesty.notices, *subgroup_notices(cases, options)),
        failures=honesty.failures,
        headline=tuple(name for name in HEADLINE if figures.get(name) is not None),
    )


def score_texts(
    told: Sequence[str], truth: Sequence[str], options: EvaluationOptions, *, metrics: Sequence[str]
) -> ScoredTexts:
    """Score texts by every metric that can run here; one that cannot is skipped by name."""
    found: list[TextScores] = []
    skipped: dict[str, str] = {}
    for number, name in enumerate(metrics, start=1):
        try:
            found.append(open_metric(name).score(told, [[text] for text in truth]))
        except MetricUnavailable as error:
            skipped[name] = str(error)
        options.show(Progress("report", number / len(metrics), name))
    return ScoredTexts(
        corpus={name: value for item in found for name, value in item.corpus.items()},
        per_report={name: values for item in found for name, values in item.per_report.items()},
        corpus_of=lambda rows: {name: value for item in found for name, value in item.corpus_of(rows).items()},
        skipped=skipped,
    )


def _judge(told: Mapping[str, str], truth: Mapping[str, str], options: EvaluationOptions) -> Honesty:
    return judge(
        told,
        {case: [text] for case, text in truth.items()},
        training=None if options.training is None else list(read_texts(options.training).values()),
        patients={case: options.patient_of(case) for case in truth} if options.patients else None,
        embeddings=None if options.embeddings is None else read_embeddings(options.embeddings),
    )


def _honesty_figures(honesty: Honesty) -> dict[str, Figure]:
    return {
        "unique_ratio": honesty.unique_ratio,
        "reference_unique_ratio": honesty.reference_unique_ratio,
        "copied_share": honesty.copied_share,
        "self_cider": honesty.self_cider,
        "reference_self_cider": honesty.reference_self_cider,
    }


def _tables(
    told: Mapping[str, str],
    truth: Mapping[str, str],
    cases: Cases,
    scores: ScoredTexts,
    honesty: Honesty,
    options: EvaluationOptions,
) -> dict[str, Sequence[Row]]:
    quick = [name for name in options.metrics if name not in _SLOW]

    def score(texts: Mapping[str, str]) -> ScoredTexts:
        return score_texts([texts[case] for case in truth], list(truth.values()), options, metrics=quick)

    others = {name: score(texts).corpus for name, texts in honesty.baselines.items()}
    tables: dict[str, Sequence[Row]] = {
        "baselines": baseline_table(scores.corpus, others, honesty.comparisons, HEADLINE),
        "fact_errors": error_table(scores.corpus),
        "subgroups": [*subgroup_table(cases, options), *level_groups(told, truth, cases, options)],
    }
    if options.against is not None:
        rival = read_texts(options.against)
        tables["against"] = against_table(scores.per_report, rival, truth, cases, score, HEADLINE)
    return tables


def _per_case(ids: Sequence[str], patients: Sequence[str], scores: ScoredTexts) -> list[Row]:
    return [
        {
            "id": case,
            "patient": patient,
            **{
                name: None if np.isnan(values[place]) else float(values[place])
                for name, values in scores.per_report.items()
            },
        }
        for place, (case, patient) in enumerate(zip(ids, patients, strict=True))
    ]


def _skipped(scores: ScoredTexts) -> list[str]:
    return [f"skipped: {reason}" for reason in scores.skipped.values()]
