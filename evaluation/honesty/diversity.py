"""How varied reports are: distinct texts, copies of training reports, Self-CIDEr, distinct sets of facts."""

from collections.abc import Iterable, Sequence

import numpy as np

from evaluation.honesty.texts import likeness, same_text
from evaluation.spinefact import read_report

SAMPLE = 200
"""Reports that Self-CIDEr is taken over, at most; its cost grows with the square."""


def unique_ratio(texts: Sequence[str]) -> float:
    """Return distinct texts over all texts, case and gaps aside."""
    return len({same_text(text) for text in texts}) / len(texts)


def copied_share(texts: Sequence[str], training: Iterable[str]) -> float:
    """Return the share of texts that stand word for word among the training reports."""
    known = {same_text(text) for text in training}
    return sum(same_text(text) in known for text in texts) / len(texts)


def self_cider(texts: Sequence[str], corpus: Sequence[str], *, seed: int = 0) -> float | None:
    """Return Self-CIDEr over reports of different patients: 0 when all are alike, 1 when none is like another.

    The kernel holds the CIDEr of each pair; of its eigenvalues l the figure is -log(sqrt(l_max) / sum(sqrt(l))),
    to the base of the number of reports. Made for captions of one image, here it compares patients. It depends on
    the number of reports: compare it at the same number only.

    Args:
        texts: Reports; more than ``SAMPLE`` are drawn from.
        corpus: Where document frequencies come from.
        seed: Of the draw.

    Returns:
        None for fewer than two reports.

    Source: Wang & Chan, Describing like humans: on diversity in image captioning, CVPR 2019.
    """
    if len(texts) < 2:
        return None
    chosen = list(texts)
    if len(chosen) > SAMPLE:
        rows = np.random.default_rng(seed).choice(len(texts), SAMPLE, replace=False)
        chosen = [texts[row] for row in sorted(rows)]
    roots = np.sqrt(np.clip(np.linalg.eigvalsh(likeness(chosen, corpus)), 0.0, None))
    return float(-np.log(roots.max() / roots.sum()) / np.log(len(chosen)))


def distinct_findings(texts: Sequence[str]) -> float | None:
    """Return distinct sets of facts over reports that state facts; None where none does."""
    sets = [
        frozenset(
            (fact.level, fact.side, fact.condition, fact.grade, fact.negated, fact.uncertain) for fact in facts
        )
        for text in texts
        if (facts := read_report(text).facts)
    ]
    return len(set(sets)) / len(sets) if sets else None
