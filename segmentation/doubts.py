"""Why the names of a chain are doubtful, in words; no doubt is ever left unsaid.

Each rule gives the discs it concerns and one short phrase. Numbering comes from below, so what is uncertain at one
step concerns everything cranial of it that no level map confirms on its own.
"""

import re

import numpy as np

from segmentation.chain import DiscChain
from segmentation.end_evidence import TALL, UPPERMOST
from segmentation.evidence import MAP_WEIGHT, map_evidence, sure_from
from segmentation.naming import NamingTables
from segmentation.solver import Solution
from segmentation.view import LUMBOSACRAL, MAP_SEEN, View

TRANSITIONAL = "possible transitional anatomy"
IRREGULAR = (0.6, 1.55)
"""A step outside these shares of its usual length is irregular: the shortest step between two expert discs of the
30 SPIDER SPACE patients is 0.65 of its usual one (a collapsed vertebra); a missing disc makes it about 2."""
_HALF = 0.72
"""Two steps in a row below this share look like one step with a false disc in it."""
_OWN_SUPPORT = 0.5
_FAR_MORE = 3.0
"""Another level's map disputes one disc when it answers this many times as strongly as the disc's own."""
_DISPUTED = 3.0
"""The maps dispute a numbering when they alone would make another one exp(3), 20 times, as likely."""
_FULL_SIZE = 0.8
"""A disc below L5-S1 as long as this share of the usual one is no remnant (0.57 +/- 0.2, ``discs.csv``)."""


def find_doubts(
    chain: DiscChain,
    solution: Solution,
    view: View,
    names: tuple[str, ...],
    tables: NamingTables,
    *,
    is_anchored: bool,
) -> tuple[str | None, ...]:
    """Return the doubt of each disc of a chain, None where its name is sure.

    Args:
        chain: The discs.
        solution: Their names.
        view: Their surroundings.
        names: Names of the states between above and below.
        tables: Usual steps, and the probability from which a name is sure.
        is_anchored: True when a person named one disc: then only irregular steps raise doubt.
    """
    doubts: list[list[str]] = [[] for _ in chain.discs]
    for index, reason in _irregular_steps(chain, solution, names, tables):
        for disc in _concerned(index, solution, view, names, anchored=is_anchored):
            doubts[disc].append(reason)
    if not is_anchored:
        whole = _whole_chain_reason(chain, solution, view, names)
        if whole is not None:
            for items in doubts:
                items.append(whole)
        for disc, claimed in _other_claims(solution, view, names):
            doubts[disc].append(f"its level map answers for {claimed}")
        reason = _numbering_reason(solution, view, names)
        has_landmark = view.has_landmark or _ends_at_landmark(view, names)
        for disc, state in enumerate(solution.path):
            if not has_landmark or solution.marginals[disc, state] < sure_from(view, tables):
                doubts[disc].append(reason)
    return tuple("; ".join(dict.fromkeys(items)) or None for items in doubts)


def state_name(state: int, names: tuple[str, ...]) -> str | None:
    """Return the level of a state; None for above and below."""
    return names[state - 1] if 1 <= state <= len(names) else None


def missing_levels(reason: str) -> set[str]:
    """Return the levels that a reason says were not found; empty for other reasons."""
    return set(re.findall(r"[A-Z]\d+-[A-Z]\d+", reason)) if reason.startswith("no disc found at") else set()


def _irregular_steps(
    chain: DiscChain, solution: Solution, names: tuple[str, ...], tables: NamingTables
) -> list[tuple[int, str]]:
    """Return (index of the upper disc, reason) of every skipped level and every irregular step."""
    found = []
    shares = _step_shares(chain, solution, names, tables)
    for index in range(len(chain.steps)):
        upper, lower = (state_name(int(state), names) for state in solution.path[index : index + 2])
        if upper is None or lower is None:
            continue
        first, second = names.index(upper), names.index(lower)
        if second > first + 1:
            missing = ", ".join(names[first + 1 : second])
            found.append((index, f"no disc found at {missing} (gap in the chain)"))
            continue
        beside = [shares[k] for k in (index - 1, index + 1) if 0 <= k < len(shares)]
        is_half = shares[index] < _HALF and min(beside, default=1.0) < _HALF
        if is_half or not IRREGULAR[0] <= shares[index] <= IRREGULAR[1]:
            found.append((index, f"irregular spacing between {upper} and {lower}"))
    return found


def _step_shares(
    chain: DiscChain, solution: Solution, names: tuple[str, ...], tables: NamingTables
) -> list[float]:
    """Return every step over its usual length; 1 where a disc has no name."""
    shares = []
    for length, upper, lower in zip(chain.steps, solution.path[:-1], solution.path[1:], strict=True):
        is_named = 1 <= upper < lower <= len(names)
        usual = tables.distance(int(upper) - 1, int(lower) - 1, names) if is_named else length / chain.pitch
        shares.append(length / chain.pitch / usual)
    return shares


def _concerned(index: int, solution: Solution, view: View, names: tuple[str, ...], *, anchored: bool) -> list[int]:
    """Return the discs an irregular step concerns: its two, and those above it without support of their own."""
    cranial = [] if anchored else [disc for disc in range(index) if not _is_supported(disc, solution, view, names)]
    return [*cranial, index, index + 1]


def _is_supported(disc: int, solution: Solution, view: View, names: tuple[str, ...]) -> bool:
    """Return True when the disc's own level map, or that of a disc above the step, answers there."""
    for other in range(disc + 1):
        name = state_name(int(solution.path[other]), names)
        if name in view.level_names and view.responses[other, view.level_names.index(name)] >= _OWN_SUPPORT:
            return True
    return False


def _whole_chain_reason(chain: DiscChain, solution: Solution, view: View, names: tuple[str, ...]) -> str | None:
    """Return why all names of a complete view are doubtful: L5-S1 missing, or possible transitional anatomy.

    A disc below L5-S1 is the remnant inside the sacrum unless it has the size of a lumbar disc.
    """
    if LUMBOSACRAL not in names or not view.is_complete:
        return None
    last = state_name(int(solution.path[-1]), names)
    if last is None:
        usual = float(np.median([disc.length for disc in chain.discs]))
        return TRANSITIONAL if chain.discs[-1].length >= _FULL_SIZE * usual else None
    if last != LUMBOSACRAL and _meets_sacrum(view):
        return TRANSITIONAL
    if last != LUMBOSACRAL:
        return f"no disc found at {LUMBOSACRAL} below the lowest one"
    return TRANSITIONAL if _dispute(solution, view, names) > _DISPUTED else None


def _meets_sacrum(view: View) -> bool:
    """Return True when nothing below the lowest disc speaks for one more: the sacrum stands there."""
    return view.ends_in_sacrum and view.faint_below is None and view.response_below < MAP_SEEN


def _other_claims(solution: Solution, view: View, names: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return (disc, level) where another level's map answers clearly and far more strongly than the disc's own."""
    found = []
    for disc, (answers, state) in enumerate(zip(view.responses, solution.path, strict=True)):
        name = state_name(int(state), names)
        if name not in view.level_names:
            continue
        strongest = int(np.argmax(answers))
        own = answers[view.level_names.index(name)]
        if answers[strongest] >= max(_OWN_SUPPORT, _FAR_MORE * own):
            found.append((disc, view.level_names[strongest]))
    return found


def _dispute(solution: Solution, view: View, names: tuple[str, ...]) -> float:
    """Return by how much (log-likelihood) the level maps alone prefer all names one level higher or lower."""
    maps = MAP_WEIGHT * map_evidence(view, names)
    discs = np.arange(len(solution.path))
    given = maps[discs, solution.path].sum()
    shifted = [maps[discs, np.clip(solution.path + shift, 0, len(names) + 1)].sum() - given for shift in (-1, 1)]
    return float(max(shifted))


def _ends_at_landmark(view: View, names: tuple[str, ...]) -> bool:
    """Return True when the chain's end tells the number: the sacrum below it, or C2 with its dens above it."""
    if names[-1] == LUMBOSACRAL:
        return view.ends_in_sacrum
    return names[0] == UPPERMOST and view.tall_above is not None and view.tall_above >= TALL


def _numbering_reason(solution: Solution, view: View, names: tuple[str, ...]) -> str:
    """Return why a numbering is not sure."""
    is_lumbar = names[-1] == LUMBOSACRAL
    if not view.has_landmark and not _ends_at_landmark(view, names):
        if not is_lumbar:
            return "no landmark in view: no level map answers, and C2 with its dens is not seen"
        if not view.is_complete:
            return "no landmark in view: the chain is cut at the lower image border"
        return "no landmark in view: no level map answers"
    if is_lumbar and not view.is_complete and int(solution.path[-1]) < len(names):
        return "the chain of discs is cut at the lower image border"
    beyond = "in the sacrum" if is_lumbar else f"below {names[-1]}"
    last = state_name(int(solution.path[-1]), names)
    other = None if solution.runner_up is None else state_name(int(solution.runner_up[-1]), names)
    choices = f"{last or beyond} or {other or beyond}"
    return f"two numberings are almost equally likely (lowest disc {choices})"
