"""One look at a set of predicted reports: baselines, variety, copies, and what makes the run fail.

Two things are failures: far fewer distinct reports than distinct patients (collapse), and facts no better than
those of a report that saw no image. What cannot be judged is a notice with its reason.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.honesty.baselines import (
    Pool,
    commonest,
    commonest_of_others,
    constant_normal,
    nearest_of_others,
    region_of,
)
from evaluation.honesty.diversity import copied_share, distinct_findings, self_cider, unique_ratio
from evaluation.honesty.paired import PairedTest, paired_test
from evaluation.spinefact import SpineFact, read_report
from evaluation.spinefact.grades import is_abnormal
from runtime.errors import StudyError

FEWEST = 10
"""Reports, and reports with something abnormal in the reference, below which nothing is judged."""
LEAST_VARIETY = 0.5
"""Distinct reports over distinct patients' findings, below which reports have collapsed."""
ALPHA = 0.05
"""Of the paired test against a baseline."""
BLIND = ("constant_normal", "most_frequent_template")
"""Baselines that read nothing of the case."""
Embeddings = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Honesty:
    """What stands behind a score.

    Attributes:
        baselines: Name -> id -> text.
        comparisons: Baseline -> the predictions' ``spinefact_f1`` minus the baseline's.
        unique_ratio: Distinct predictions over predictions.
        reference_unique_ratio: The same of the references (the first of each).
        copied_share: Predictions that stand word for word in training; None without training reports.
        self_cider: Variety of the predictions, 0 to 1; None for fewer than two.
        reference_self_cider: The same of the references.
        failures: Why the run must not be believed.
        notices: What was left out or should be looked at, with the reason.
    """

    baselines: Mapping[str, Mapping[str, str]]
    comparisons: Mapping[str, PairedTest]
    unique_ratio: float
    reference_unique_ratio: float
    copied_share: float | None
    self_cider: float | None
    reference_self_cider: float | None
    failures: tuple[str, ...]
    notices: tuple[str, ...]


def judge(
    predictions: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    *,
    training: Sequence[str] | None = None,
    patients: Mapping[str, str] | None = None,
    embeddings: Embeddings | None = None,
) -> Honesty:
    """Judge a set of predicted reports.

    Args:
        predictions: Id -> report.
        references: Id -> its references, at least one.
        training: Reports that the system was trained on, if known.
        patients: Id -> patient; None takes each id for a patient of its own.
        embeddings: Id -> vector of the case's images, for the nearest neighbour.

    Raises:
        StudyError: If there is no report, ids differ, or an id has no reference, patient or vector.
    """
    _check(predictions, references, patients, embeddings)
    ids = tuple(sorted(predictions))
    owners = tuple(ids if patients is None else (patients[key] for key in ids))
    pool = Pool(ids, owners, tuple(references[key][0] for key in ids))
    texts = [predictions[key] for key in ids]
    truths = [text for key in ids for text in references[key]]
    failures: list[str] = []
    notices = [] if patients is not None else ["no table of patients: each id is taken for a patient of its own"]
    baselines = _baselines(pool, truths, training, embeddings, notices)
    comparisons = {
        name: test
        for name, chosen in baselines.items()
        if (test := _compared(predictions, references, chosen, pool)) is not None
    }
    _judge_variety(texts, pool.texts, failures, notices)
    _judge_blind(comparisons, pool.texts, failures, notices)
    return Honesty(
        baselines=baselines,
        comparisons=comparisons,
        unique_ratio=unique_ratio(texts),
        reference_unique_ratio=unique_ratio(pool.texts),
        copied_share=_copies(texts, pool.texts, training, notices),
        self_cider=self_cider(texts, truths),
        reference_self_cider=self_cider(pool.texts, truths),
        failures=tuple(failures),
        notices=tuple(notices),
    )


def read_embeddings(file: Path) -> Embeddings:
    """Read vectors of cases: ``.npz`` (id -> array), or JSONL with ``id`` and ``vector``.

    Raises:
        StudyError: If the file is missing or damaged, an id repeats, or vectors have different lengths.
    """
    if not file.is_file():
        raise StudyError(f"{file.name}: expected embeddings (.npz, or JSONL with id and vector), found no file")
    try:
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as stored:
                rows = [(name, stored[name]) for name in stored.files]
        else:
            lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
            rows = [(str(row["id"]), np.asarray(row["vector"], dtype=np.float64)) for row in lines]
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise StudyError(
            f"{file.name}: expected embeddings (.npz, or JSONL with id and vector), got {error}"
        ) from error
    vectors = {name: np.asarray(vector, dtype=np.float64).ravel() for name, vector in rows}
    if len(vectors) < len(rows) or not vectors:
        raise StudyError(f"{file.name}: expected each id once and at least one, got {len(rows)} rows")
    lengths = sorted({len(vector) for vector in vectors.values()})
    if len(lengths) > 1:
        raise StudyError(f"{file.name}: expected vectors of one length, got {lengths}")
    return vectors


def _check(
    predictions: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    patients: Mapping[str, str] | None,
    embeddings: Embeddings | None,
) -> None:
    if not predictions:
        raise StudyError("predictions: expected at least one report, got none")
    odd = sorted(predictions.keys() ^ references.keys())
    if odd:
        raise StudyError(f"predictions and references: expected the same ids; {odd[0]!r} is in one only")
    bare = sorted(key for key, texts in references.items() if not texts)
    if bare:
        raise StudyError(f"references: expected at least one text for {bare[0]!r}, got none")
    for name, table in (("patients", patients), ("embeddings", embeddings)):
        missing = sorted(predictions.keys() - table.keys()) if table is not None else []
        if missing:
            raise StudyError(f"{name}: expected every id of the predictions; {missing[0]!r} is missing")


def _baselines(
    pool: Pool,
    truths: Sequence[str],
    training: Sequence[str] | None,
    embeddings: Embeddings | None,
    notices: list[str],
) -> dict[str, Mapping[str, str]]:
    baselines: dict[str, Mapping[str, str]] = {}
    region = region_of(truths)
    if region is None:
        notices.append("constant_normal is left out: no reference names a level, so the body region is not known")
    else:
        baselines["constant_normal"] = dict.fromkeys(pool.ids, constant_normal(region, truths))
    if training:
        baselines["most_frequent_template"] = dict.fromkeys(pool.ids, commonest(training))
    else:
        baselines["most_frequent_template"] = commonest_of_others(pool)
        notices.append("most_frequent_template comes from the other patients' references: no training reports")
    if embeddings is None:
        notices.append("nearest_neighbour is left out: no embeddings of the images were given")
    else:
        baselines["nearest_neighbour"] = nearest_of_others(pool, embeddings)
    for name in [name for name, chosen in baselines.items() if len(chosen) < len(pool.ids)]:
        notices.append(f"{name} is left out: there is no other patient to choose from")
        del baselines[name]
    return baselines


def _compared(
    predictions: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    baseline: Mapping[str, str],
    pool: Pool,
) -> PairedTest | None:
    """Return how far the predictions lead; None where no report states a fact."""
    truths = [references[key] for key in pool.ids]
    own, other = (
        SpineFact().score([texts[key] for key in pool.ids], truths).per_report["spinefact_f1"]
        for texts in (predictions, baseline)
    )
    if np.isnan(own - other).all():
        return None
    return paired_test(own, other, pool.patients)


def _judge_variety(
    texts: Sequence[str], references: Sequence[str], failures: list[str], notices: list[str]
) -> None:
    if len(texts) < FEWEST:
        notices.append(f"collapse is not judged: {len(texts)} reports, at least {FEWEST} are needed")
        return
    found = distinct_findings(references)
    wanted = unique_ratio(references) if found is None else found
    told = unique_ratio(texts)
    if told < LEAST_VARIETY * wanted:
        failures.append(
            f"collapse: {round(told * len(texts))} distinct reports for {len(texts)} cases ({told:.3f}), where "
            f"the references differ in {wanted:.3f} of cases; at least {LEAST_VARIETY * wanted:.3f} is expected"
        )


def _judge_blind(
    comparisons: Mapping[str, PairedTest], references: Sequence[str], failures: list[str], notices: list[str]
) -> None:
    """Fail what is no better than a report without a look at the images."""
    abnormal = sum(any(is_abnormal(fact) for fact in read_report(text).facts) for text in references)
    for name in (name for name in BLIND if name in comparisons):
        test = comparisons[name]
        if test.p < ALPHA and test.difference > 0:
            continue
        said = f"spinefact_f1 minus that of {name}: {test}"
        if abnormal < FEWEST or test.n < FEWEST:
            notices.append(
                f"not judged against {name}: {abnormal} references state something abnormal, of {test.n} "
                f"patients; {FEWEST} of each are needed; {said}"
            )
        elif test.difference <= 0:
            failures.append(f"no better than {name}, which saw no image; {said}")
        else:
            notices.append(f"not shown to be better than {name}, which saw no image; {said}")


def _copies(
    texts: Sequence[str], references: Sequence[str], training: Sequence[str] | None, notices: list[str]
) -> float | None:
    if training is None:
        notices.append("copied_share is left out: no training reports were given")
        return None
    known = copied_share(references, training)
    if known:
        notices.append(
            f"{known:.3f} of the references stand word for word among the training reports: the same template, or "
            "the same patient in both; check the splits"
        )
    return copied_share(texts, training)
