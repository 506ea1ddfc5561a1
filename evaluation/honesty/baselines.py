"""Reports of systems that saw no image of the case: what any real system has to beat."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from anatomy import CONDITIONS, SCALES, Condition, Protocol, Side, load_protocol, protocol_names
from evaluation.honesty.texts import likeness, template_of
from evaluation.spinefact.reading import named_levels, read_report
from grading.types import Burden, Findings, Grade, GradeStatus
from reporting import compose_report

_CENTRAL = 400
"""Templates among which the most typical one is sought when several are equally frequent."""


Name = TypeVar("Name", bound=str)


@dataclass(frozen=True)
class Pool:
    """Reports that a baseline may choose from.

    Attributes:
        ids: Of each report.
        patients: Of each report.
        texts: The reports.
    """

    ids: tuple[str, ...]
    patients: tuple[str, ...]
    texts: tuple[str, ...]


def constant_normal(protocol: Protocol, texts: Sequence[str]) -> str:
    """Return the composer's findings of a study of a body region in which all is normal.

    Args:
        protocol: Of the region.
        texts: Reports to be matched; the levels and conditions that at least half of them speak of are denied, as
            far as the protocol knows them (all of them where none is so common).
    """
    facts = [read_report(text).facts for text in texts]
    levels = _usual([named_levels(items) for items in facts], protocol.levels)
    conditions = _usual([{item.condition for item in items} for items in facts], protocol.conditions)
    grades = tuple(grade for condition in conditions for grade in _normal_grades(condition, levels))
    numbered = tuple(
        Grade(
            f"g{number}", level, side, condition, scale, SCALES[scale].grades[0], {}, (SCALES[scale].grades[0],),
            GradeStatus.GRADED, None, None,
        )
        for number, (level, side, condition, scale) in enumerate(grades, start=1)
    )  # fmt: skip
    burden = Burden(None, None, (), "no burden score")
    draft = compose_report(Findings("normal", protocol.name, (), (), (), numbered, burden))
    section = next(item for item in draft.sections if item.name == "findings")
    return " ".join(sentence.text for sentence in section.sentences)


def region_of(texts: Sequence[str]) -> Protocol | None:
    """Return the body region whose levels the texts name most often; None when they name none."""
    counts = Counter(level for text in texts for level in named_levels(read_report(text).facts))
    protocols = [load_protocol(name) for name in protocol_names()]
    best = max(protocols, key=lambda item: sum(counts[level] for level in item.levels))
    return best if any(counts[level] for level in best.levels) else None


def commonest(texts: Sequence[str]) -> str:
    """Return the most frequent template's first text; of equally frequent ones the most typical."""
    return texts[_ranked(texts)[0][0]]


def commonest_of_others(pool: Pool) -> Mapping[str, str]:
    """Return for each report the most frequent template among the other patients' reports.

    A patient with no other patient beside gets no text.
    """
    ranked = _ranked(pool.texts)
    owners = [Counter(pool.patients[row] for row in rows) for rows in ranked]
    chosen: dict[str, str] = {}
    for key, patient in zip(pool.ids, pool.patients, strict=True):
        rest = [len(rows) - own[patient] for rows, own in zip(ranked, owners, strict=True)]
        best = int(np.argmax(rest))
        if rest[best]:
            chosen[key] = next(pool.texts[row] for row in ranked[best] if pool.patients[row] != patient)
    return chosen


def nearest_of_others(pool: Pool, embeddings: Mapping[str, NDArray[np.float64]]) -> Mapping[str, str]:
    """Return for each report that of the other patient with the nearest embedding, by cosine.

    A patient with no other patient beside gets no text.
    """
    table = np.stack([np.asarray(embeddings[key], dtype=np.float64).ravel() for key in pool.ids])
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    table = np.divide(table, lengths, out=np.zeros_like(table), where=lengths > 0)
    patients = np.asarray(pool.patients)
    chosen: dict[str, str] = {}
    for row, key in enumerate(pool.ids):
        near = np.where(patients == patients[row], -np.inf, table @ table[row])
        if np.isfinite(near.max()):
            chosen[key] = pool.texts[int(np.argmax(near))]
    return chosen


def _ranked(texts: Sequence[str]) -> list[list[int]]:
    """Return the rows of each template, the most frequent first, the most typical first among equals."""
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        groups.setdefault(template_of(text), []).append(row)
    rows = sorted(groups.values(), key=lambda group: (-len(group), group[0]))
    head, tail = rows[:_CENTRAL], rows[_CENTRAL:]
    typical = likeness([texts[group[0]] for group in head], texts).mean(axis=1)
    order = sorted(range(len(head)), key=lambda index: (-len(head[index]), -typical[index], head[index][0]))
    return [head[index] for index in order] + tail


def _usual(named: Sequence[Set[Name]], known: Sequence[Name]) -> tuple[Name, ...]:
    """Return what at least half of the texts name, of what is known; all that is known where that is nothing."""
    counts = Counter(name for names in named for name in names)
    return tuple(name for name in known if 2 * counts[name] >= len(named)) or tuple(known)


def _normal_grades(
    condition: Condition, levels: Sequence[str]
) -> list[tuple[str | None, Side | None, Condition, str]]:
    info = CONDITIONS[condition]
    places: list[tuple[str | None, Side | None, Condition, str]] = []
    for scale in info.reported_scales:
        if scale == "as_status":
            places.append((None, None, condition, scale))
            continue
        sides: tuple[Side | None, ...] = tuple(Side) if info.is_sided else (None,)
        places += [(level, side, condition, scale) for level in levels for side in sides]
    return places
