"""Fit what naming rests on: tables, the junction's heads, the weights of the evidence, the bound of doubt.

    python -m segmentation.training.naming [--models runs/segmentation]

Everything is fitted on held-out predictions (``naming_cases``). The weights are those under which the solver finds
the true names most probable (maximum likelihood of the state of the best-matched disc, drawn towards the weights
of the start); while they are fitted, the heads answer for patients whom they have not seen.
``benchmarks/levels`` calls ``fit_naming`` without one fold at a time and scores that fold.
"""

from __future__ import annotations

import argparse
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from anatomy import load_protocol
from runtime.settings import load_settings
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from segmentation.evidence import node_terms
from segmentation.junction import GREY, OFFSETS, JunctionHead
from segmentation.naming import TERMS, EndOdds, LevelNaming, NamingTables, UsualStep, shipped_tables
from segmentation.solver import FloatArray
from segmentation.step_evidence import angle_deg, step_evidence
from segmentation.training.chain_batch import ChainBatch
from segmentation.training.naming_cases import NamingCase, collect_cases
from segmentation.training.naming_files import weights_folder, write_heads, write_tables
from segmentation.view import LUMBOSACRAL, MAP_SEEN, View

_log = logging.getLogger(__name__)

START_WEIGHTS = {"maps": 0.05, "length": 0.45, "steps": 0.65, "end": 0.65, "junction": 0.3}
"""Where the weights start and are drawn to; never the shipped ones, so that fitting twice gives the same."""
START_END = EndOdds(
    lumbosacral=0.93,
    vertebra_below=((0.15, 0.75, 0.05), (0.5, 0.13, 0.3), (0.78, 0.08, 0.2), (1.0, 0.04, 0.45)),
    sacrum_below=((0.15, 0.25, 0.85), (0.5, 0.15, 0.08), (1.0, 0.6, 0.07)),
    answer_below=(0.18, 0.6),
    faint_below=(0.06, 0.5),
)
"""What is believed of the lower end before counting: counts of an earlier network on the same slices; for the
sacrum, which the network learns on phantoms, own choice."""
_COMPONENTS, _PENALTY = 60, 0.03
"""Principal components of a patch and inverse ridge penalty of the head; 60 and 120 components, penalties 0.003 to
0.03 did alike on five folds."""
_LEAST = 20
"""Fewer patients than this leave a table's entry as it was."""
_PRIOR_SPREAD = 1.0
"""How far, in logarithms, a weight is expected to lie from where it starts."""
_MOST_MISS = 8.0
"""Surprise at one name counts for no more than this: a reference may number a transitional spine its own way."""
_PSEUDO = 5.0
"""Counts added to each odds, spread over its bins."""
_MOST_DOUBT, _MOST_WRONG = 0.08, 0.01
"""The bound of doubt leaves at most this share of wrong numberings among the sure ones, unless that would put more
than this share of patients in doubt."""


def main() -> None:
    """Fit on all folds and write tables and heads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("runs/segmentation"), help="folder of the fold models")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    allow_torchvision_on_cpu()
    cases = collect_cases(options.models)
    _log.info("%d cases", len(cases))
    naming = fit_naming(cases, load_protocol("lumbar").named_levels)
    write_tables(naming, cases)
    write_heads(naming, cases, weights_folder(load_settings().weights_dir))
    _log.info("weights %s, sure from %.2f", dict(naming.tables.weights), naming.tables.sure)


def fit_naming(cases: Sequence[NamingCase], names: tuple[str, ...]) -> LevelNaming:
    """Fit everything on some cases.

    Args:
        cases: Of at least two folds.
        names: Levels that may be given, cranial to caudal.
    """
    base = shipped_tables()
    known = [case for case in cases if case.truth is not None]
    tables = replace(
        base,
        steps=_fit_steps(known, names, base),
        lengths=_fit_lengths(known, names, base),
        end=_fit_end(known, names),
    )
    channels = known[0].channels
    looks = {"t2": channels, "maps_only": tuple(name for name in channels if name != GREY)}
    answers = {look: _unseen_answers(known, names, chosen) for look, chosen in looks.items()}
    alone, sure_alone = _fit_weights(known, names, tables, None)
    with_heads, sure = _fit_weights(known, names, tables, answers["t2"])
    return LevelNaming(
        replace(tables, weights=with_heads, weights_alone=alone, sure=sure, sure_alone=sure_alone),
        t2=fit_head(known, names, looks["t2"]),
        maps_only=fit_head(known, names, looks["maps_only"]),
    )


def fit_head(cases: Sequence[NamingCase], names: tuple[str, ...], channels: tuple[str, ...]) -> JunctionHead:
    """Fit a linear head: principal components, then logistic regression, folded into one matrix."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    rows, labels = _training_rows(cases, names, channels)
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    reduce = PCA(min(_COMPONENTS, *rows.shape), svd_solver="randomized", random_state=0).fit(
        (rows - mean) / spread
    )
    scores = reduce.transform((rows - mean) / spread)
    scale = scores.std(axis=0) + 1e-9
    model = LogisticRegression(C=_PENALTY, max_iter=500).fit(scores / scale, labels)
    weights = np.zeros((len(OFFSETS), rows.shape[1]))
    bias = np.full(len(OFFSETS), -20.0)  # a class without examples is never answered
    projected = (model.coef_ / scale) @ reduce.components_
    places = [OFFSETS.index(int(label)) for label in model.classes_]
    weights[places] = projected / spread
    bias[places] = model.intercept_ - (projected @ reduce.mean_) - weights[places] @ mean
    return JunctionHead(channels, np.ascontiguousarray(weights), bias)


def head_answers(head: JunctionHead, case: NamingCase) -> FloatArray:
    """Return what a head says of a case, (n + 1, 5)."""
    order = [case.channels.index(name) for name in head.channels]
    return head.log_probabilities(case.patches[:, order].reshape(len(case.patches), -1).astype(np.float64))


def _training_rows(
    cases: Sequence[NamingCase], names: tuple[str, ...], channels: tuple[str, ...]
) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.intp]]]:
    """Return patches (m, F) of numbered discs and the place below them, and their distance from L5-S1."""
    state = 1 + names.index(LUMBOSACRAL)
    rows, labels = [], []
    for case in cases:
        order = [case.channels.index(name) for name in channels]
        below = case.states[-1]
        for place, own in enumerate((*case.states, None if below is None else below + 1)):
            if own is not None and own >= state - 4:
                rows.append(case.patches[place, order].ravel())
                labels.append(int(np.clip(state - own, OFFSETS[0], OFFSETS[-1])))
    return np.asarray(rows, dtype=np.float64), np.asarray(labels, dtype=np.intp)


def _unseen_answers(
    cases: Sequence[NamingCase], names: tuple[str, ...], channels: tuple[str, ...]
) -> dict[str, FloatArray]:
    """Return file -> answers of a head fitted without the case's fold."""
    answers: dict[str, FloatArray] = {}
    for fold in sorted({case.fold for case in cases}):
        head = fit_head([case for case in cases if case.fold != fold], names, channels)
        answers |= {case.file: head_answers(head, case) for case in cases if case.fold == fold}
    return answers


def _fit_weights(
    cases: Sequence[NamingCase],
    names: tuple[str, ...],
    tables: NamingTables,
    answers: Mapping[str, FloatArray] | None,
) -> tuple[dict[str, float], float]:
    """Return the weights of the evidence and the probability from which a name is sure."""
    views = [case.view if answers is None else replace(case.view, junction=answers[case.file]) for case in cases]
    chains = ChainBatch.of(
        [node_terms(case.chain, view, names, tables) for case, view in zip(cases, views, strict=True)],
        [step_evidence(case.chain, names, tables) for case in cases],
        [case.truth or (0, 0) for case in cases],
    )
    used = [term for term in TERMS if term != "junction" or answers is not None]
    centre = np.log([START_WEIGHTS[term] for term in used])

    def weights_of(logs: FloatArray) -> dict[str, float]:
        return dict.fromkeys(TERMS, 0.0) | dict(zip(used, np.exp(logs).tolist(), strict=True))

    def loss(logs: FloatArray) -> float:
        misses = -chains.log_probability(weights_of(logs))
        return float(np.minimum(misses, _MOST_MISS).sum() + 0.5 * np.sum(((logs - centre) / _PRIOR_SPREAD) ** 2))

    found = minimize(loss, centre, method="L-BFGS-B", options={"maxiter": 25, "eps": 1e-2})
    weights = weights_of(found.x)
    shares = chains.probabilities(weights)
    return weights, _sure_from(shares.max(axis=1), shares.argmax(axis=1) == chains.truth[:, 1])


def _sure_from(confidence: FloatArray, is_right: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    """Return the lowest bound that leaves few wrong numberings among the sure, within the allowed doubt."""
    highest = float(np.quantile(confidence, _MOST_DOUBT))
    for bound in np.arange(0.5, highest, 0.01):
        if np.mean((confidence >= bound) & ~is_right) <= _MOST_WRONG:
            return float(bound)
    return highest


def _fit_steps(
    cases: Sequence[NamingCase], names: tuple[str, ...], base: NamingTables
) -> dict[tuple[str, str], UsualStep]:
    """Return the median step and turn of neighbouring discs where enough were seen."""
    seen: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for case in cases:
        for index, length in enumerate(case.chain.steps):
            upper, lower = case.states[index : index + 2]
            if upper is None or lower is None or not 1 <= upper < lower <= len(names):
                continue
            turn = angle_deg(case.chain.discs[index + 1].axis) - angle_deg(case.chain.discs[index].axis)
            seen[names[upper - 1], names[lower - 1]].append((length / case.chain.pitch, turn))
    medians = {pair: np.median(values, axis=0) for pair, values in seen.items() if len(values) >= _LEAST}
    return dict(base.steps) | {pair: UsualStep(float(m[0]), float(m[1])) for pair, m in medians.items()}


def _fit_lengths(cases: Sequence[NamingCase], names: tuple[str, ...], base: NamingTables) -> dict[str, float]:
    """Return the median disc length over the median of its slice where enough were seen."""
    seen: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        usual = float(np.median([disc.length for disc in case.chain.discs]))
        for disc, state in zip(case.chain.discs, case.states, strict=True):
            if state is not None and 1 <= state <= len(names) and not disc.is_round and not disc.touches_border:
                seen[names[state - 1]].append(disc.length / usual)
    medians = {name: float(np.median(values)) for name, values in seen.items() if len(values) >= _LEAST}
    return dict(base.lengths) | medians


def _fit_end(cases: Sequence[NamingCase], names: tuple[str, ...], base: EndOdds = START_END) -> EndOdds:
    """Count what the lower end looks like when the lowest disc is L5-S1, and when it is a higher one."""
    state = 1 + names.index(LUMBOSACRAL)
    ends = [(case.view, case.states[-1]) for case in cases if case.states[-1] is not None]
    own = [view for view, last in ends if last == state]
    higher = [view for view, last in ends if last is not None and last < state]
    complete = [last for view, last in ends if view.is_complete]

    def pair(is_seen: Callable[[View], bool], prior: tuple[float, float]) -> tuple[float, float]:
        shares = [
            _share(sum(map(is_seen, views)), len(views), start)
            for views, start in zip((own, higher), prior, strict=True)
        ]
        return shares[0], shares[1]

    return EndOdds(
        lumbosacral=_share(sum(last >= state for last in complete if last is not None), len(complete), 0.93),
        vertebra_below=_fit_rows(base.vertebra_below, *_known(own, higher, "vertebra_below")),
        sacrum_below=_fit_rows(base.sacrum_below, *_known(own, higher, "sacrum_below")),
        answer_below=pair(lambda view: view.response_below >= MAP_SEEN, base.answer_below),
        faint_below=pair(lambda view: view.faint_below is not None, base.faint_below),
    )


def _known(own: Sequence[View], higher: Sequence[View], field: str) -> tuple[list[float], list[float]]:
    """Return the values of a share below the lowest disc, where it is known."""
    found = [
        [getattr(view, field) for view in views if getattr(view, field) is not None] for views in (own, higher)
    ]
    return found[0], found[1]


def _fit_rows(
    base: tuple[tuple[float, float, float], ...], own: Sequence[float], higher: Sequence[float]
) -> tuple[tuple[float, float, float], ...]:
    """Count shares by bins, below L5-S1 and below a higher disc."""
    limits = [limit for limit, _, _ in base]
    counts = [
        np.bincount(np.searchsorted(limits, np.asarray(values, dtype=np.float64)), minlength=len(limits))
        for values in (own, higher)
    ]
    return tuple(
        (
            limit,
            _share(int(counts[0][index]), len(own), first),
            _share(int(counts[1][index]), len(higher), second),
        )
        for index, (limit, first, second) in enumerate(base)
    )


def _share(hits: int, total: int, prior: float) -> float:
    return (hits + _PSEUDO * prior) / (total + _PSEUDO)


if __name__ == "__main__":
    main()
