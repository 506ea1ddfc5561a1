"""Tables of the segmentation task: by structure, by level, and what has no score and why."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from anatomy import DISC_LEVELS
from evaluation.bootstrap import Interval
from evaluation.result import Figure, Row, value_of
from evaluation.segmentation.figures import METRICS, OUTCOMES
from evaluation.segmentation.pairs import CaseScore


def by_class(scores: Sequence[CaseScore], structures: Iterable[str], figures: Mapping[str, Figure]) -> list[Row]:
    """Return a row a structure: its figures, and in how many masks it is."""
    rows: list[Row] = []
    for name in structures:
        seen = Counter(score.presence[name] for score in scores if name in score.presence)
        row: dict[str, object] = {"structure": name}
        for metric in METRICS:
            figure = figures[f"{metric}_{name}"]
            row[metric] = value_of(figure)
            row[f"{metric}_low"] = figure.low if isinstance(figure, Interval) else None
            row[f"{metric}_high"] = figure.high if isinstance(figure, Interval) else None
        rows.append(
            {
                **row,
                "in_both": seen[True, True],
                "only_in_prediction": seen[True, False],
                "only_in_reference": seen[False, True],
                "in_neither": seen[False, False],
            }
        )
    return rows


def by_level(scores: Sequence[CaseScore]) -> list[Row]:
    """Return a row a disc level: how it was found, how far off, and the Dice of the disc under this very name."""
    rows: list[Row] = []
    for level in DISC_LEVELS:
        outcomes = Counter(
            score.levels.outcome[level] for score in scores if score.levels and level in score.levels.outcome
        )
        distances = [
            score.levels.distance_mm[level]
            for score in scores
            if score.levels and level in score.levels.distance_mm
        ]
        dice = [score.disc_dice[level] for score in scores if level in score.disc_dice]
        if not outcomes and not dice:
            continue
        rows.append(
            {
                "level": level,
                "in_references": outcomes.total(),
                **{outcome: outcomes[outcome] for outcome in OUTCOMES},
                "found_share": outcomes["found"] / outcomes.total() if outcomes else None,
                "distance_mm": float(np.mean(distances)) if distances else None,
                "named_disc_dice": float(np.mean(dice)) if dice else None,
            }
        )
    return rows


def unscored(scores: Sequence[CaseScore]) -> list[Row]:
    """Return a row a structure and reason: in how many cases a distance could not be measured, and why."""
    reasons = Counter(
        (name, found.reason)
        for score in scores
        for name, found in score.surfaces.items()
        if found.reason is not None
    )
    return [
        {"structure": name, "reason": reason, "cases": cases} for (name, reason), cases in sorted(reasons.items())
    ]


def notices(scores: Mapping[str, CaseScore], figures: Mapping[str, Figure]) -> tuple[str, ...]:
    """Say why a figure is None and in which cases levels were not matched."""
    reasons: dict[str, set[str]] = {}
    for score in scores.values():
        for name, found in score.surfaces.items():
            if found.reason is not None:
                reasons.setdefault(name, set()).add(found.reason)
    told = [
        f"{name}: no case has it ({'; '.join(sorted(reasons.get(_structure(name), set()))) or 'nothing to score'})"
        for name, figure in figures.items()
        if figure is None and not name.startswith("level_")
    ]
    lost = Counter(score.no_levels for score in scores.values() if score.no_levels)
    told += [f"levels: not matched in {cases} of {len(scores)} cases: {reason}" for reason, cases in lost.items()]
    return tuple(told)


def _structure(figure: str) -> str:
    return next((figure[len(metric) + 1 :] for metric in METRICS if figure.startswith(f"{metric}_")), figure)
