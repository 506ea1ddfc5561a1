"""Drawn folds: no patient in two, classes spread evenly, the same seed the same folds."""

from collections import Counter

import numpy as np
import pytest

from grading.heads import label_columns, load_heads
from grading.training.cases import Case
from grading.training.folds import folds_of_cases, held_out_folds, stratified_folds
from runtime.errors import ConfigError
from runtime.folds import spider_folds

RNG = np.random.default_rng(0)
PATIENTS = [patient for patient in range(300) for _ in range(5)]
CLASSES = [("none", "some", "bad")[min(2, int(RNG.exponential(0.6)))] for _ in PATIENTS]


def test_every_patient_is_held_out_once_and_classes_are_spread_evenly() -> None:
    fold_of = stratified_folds(PATIENTS, CLASSES)
    assert set(fold_of) == set(PATIENTS)
    assert set(fold_of.values()) == set(range(5))
    assert max(Counter(fold_of.values()).values()) - min(Counter(fold_of.values()).values()) <= 10
    whole = Counter(CLASSES)
    for fold in range(5):
        here = Counter(name for patient, name in zip(PATIENTS, CLASSES, strict=True) if fold_of[patient] == fold)
        for name, count in whole.items():
            assert here[name] / count == pytest.approx(0.2, abs=0.02)


def test_patients_of_one_kind_are_shared_out() -> None:
    # All the bad places belong to ten patients, next to each other: a split in order would put them together.
    classes = ["bad" if patient < 10 else "none" for patient in PATIENTS]
    fold_of = stratified_folds(PATIENTS, classes)
    assert Counter(fold_of[patient] for patient in range(10)) == dict.fromkeys(range(5), 2)


def test_the_seed_decides_and_the_order_of_the_rows_does_not_matter_to_who_is_split() -> None:
    assert stratified_folds(PATIENTS, CLASSES, seed=3) == stratified_folds(PATIENTS, CLASSES, seed=3)
    assert stratified_folds(PATIENTS, CLASSES, seed=3) != stratified_folds(PATIENTS, CLASSES, seed=4)


def test_a_class_rarer_than_the_folds_is_no_obstacle() -> None:
    classes = ["rare" if patient == 7 else "none" for patient in PATIENTS]
    assert set(stratified_folds(PATIENTS, classes)) == set(PATIENTS)


def test_too_few_patients_are_named() -> None:
    with pytest.raises(ConfigError, match="a patient for each, got 5, 3"):
        stratified_folds([1, 2, 3], ["a", "b", "a"])
    with pytest.raises(ConfigError, match="expected a class with 2 places or more"):
        stratified_folds(["x", "y"], ["a", "b"], folds=2)


def test_cases_are_split_by_all_their_labels() -> None:
    heads = load_heads("lumbar")
    width = sum(map(len, label_columns(heads).values()))
    rng = np.random.default_rng(1)
    cases = []
    for patient in range(60):
        labels = np.full((7, width), -1, dtype=np.int64)
        labels[2:, 0] = rng.integers(0, 5, 5)
        labels[2:, 1] = int(patient % 6 == 0)
        cases.append(Case(patient, (), labels))
    cases.append(Case(99, (), np.full((7, width), -1, dtype=np.int64)))
    fold_of = folds_of_cases(cases, heads)
    assert set(fold_of) == set(range(60))  # 99 has nothing to be judged by
    assert Counter(fold_of[patient] for patient in range(0, 60, 6)) == dict.fromkeys(range(5), 2)


def test_patients_of_spider_keep_their_folds_and_the_others_are_split_by_their_grades() -> None:
    heads, real = load_heads("lumbar"), dict(list(spider_folds().items())[:3])
    column = label_columns(heads)["spinal_canal_stenosis"][0]
    cases = []
    for patient in (*real, *range(300_000, 300_050)):
        labels = np.full((7, sum(map(len, label_columns(heads).values()))), -1, dtype=np.int64)
        labels[4, column] = 2 if patient % 5 == 0 else 0  # the number would put all severe ones together
        cases.append(Case(patient, (), labels))
    fold_of = held_out_folds(cases, heads)
    assert {patient: fold_of[patient] for patient in real} == real
    severe = [fold_of[patient] for patient in range(300_000, 300_050, 5)]
    assert Counter(severe) == dict.fromkeys(range(5), 2)


def test_a_handful_and_the_ungraded_are_split_by_number() -> None:
    heads = load_heads("lumbar")
    nothing = np.full((7, sum(map(len, label_columns(heads).values()))), -1, dtype=np.int64)
    cases = [Case(patient, (), nothing) for patient in (300_003, 300_006)]
    assert held_out_folds(cases, heads) == {300_003: 3, 300_006: 1}
