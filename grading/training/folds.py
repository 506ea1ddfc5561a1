"""Patient-wise folds: SPIDER's are fixed (``runtime.folds``) and never drawn anew; made-up patients and RSNA
studies are split so that every fold has about the same share of every grade.
"""

import warnings
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from grading.heads import HeadInfo, label_columns
from grading.training.cases import Case
from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT, spider_folds

Patient = TypeVar("Patient", int, str)


def stratified_folds(
    patients: Sequence[Patient], classes: Sequence[str], *, folds: int = FOLD_COUNT, seed: int = 0
) -> dict[Patient, int]:
    """Split patients so that every fold has about the same share of every class.

    Args:
        patients: Patient of each graded place.
        classes: Class of each place, such as ``modic 2``; a patient may have any number of places.
        folds: How many.
        seed: Decides among equally good splits; the same seed gives the same folds.

    Returns:
        Patient -> fold in which the patient is held out, 0 to ``folds`` - 1.

    Raises:
        ConfigError: If there are fewer patients than folds, or every class has fewer places than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if folds < 2 or len(set(patients)) < folds:
        raise ConfigError(f"folds: expected 2 or more and a patient for each, got {folds!r}, {len(set(patients))}")
    names = sorted(set(patients))
    groups = np.searchsorted(np.array(names), np.array(patients))
    kinds, codes = np.unique(np.array(classes), return_inverse=True)
    if np.bincount(codes).max() < folds:
        raise ConfigError(f"folds: expected a class with {folds} places or more, got {len(kinds)} smaller ones")
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    fold_of: dict[Patient, int] = {}
    with warnings.catch_warnings():
        # A class rarer than the folds cannot be in each of them; that is no fault of the split.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for fold, (_, held_out) in enumerate(split.split(np.zeros((len(groups), 1)), codes, groups)):
            fold_of |= {names[group]: fold for group in np.unique(groups[held_out])}
    return fold_of


def folds_of_cases(
    cases: Sequence[Case], heads: Sequence[HeadInfo], *, folds: int = FOLD_COUNT, seed: int = 0
) -> dict[int, int]:
    """Split cases by their grades of all heads; a case without any grade is in no fold."""
    patients, classes = [], []
    for case in cases:
        for head in heads:
            for step in case.labels[:, label_columns(heads)[head.key]].ravel():
                if step >= 0:
                    patients.append(case.patient)
                    classes.append(f"{head.key} {head.grades[step]}")
    return stratified_folds(patients, classes, folds=folds, seed=seed)


def held_out_folds(cases: Sequence[Case], heads: Sequence[HeadInfo]) -> dict[int, int]:
    """Return patient -> fold that holds the patient out.

    SPIDER's patients keep their fixed folds; all others are split by their grades. Where there are fewer graded
    others than folds, or a case tells nothing, its number decides (modulo the folds).
    """
    real = spider_folds()
    others = [case for case in cases if case.patient not in real]
    graded = [case for case in others if (case.labels >= 0).any()]
    drawn = folds_of_cases(graded, heads) if len(graded) >= FOLD_COUNT else {}
    return {
        case.patient: real.get(case.patient, drawn.get(case.patient, case.patient % FOLD_COUNT)) for case in cases
    }
