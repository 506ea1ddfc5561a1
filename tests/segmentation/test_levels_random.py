"""Random chains, lumbar and cervical: no level repeated, none skipped in silence, an anchor always wins."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomy import load_protocol
from runtime.errors import ConfigError
from segmentation.doubts import TRANSITIONAL
from segmentation.levels import NamedChain, locate_levels
from segmentation.missed import BY_PERSON
from segmentation.notices import ANCHORED, IN_DOUBT, MAY_BE_TRANSITIONAL, numbering_notices
from tests.segmentation.random_chains import FRAME, PITCH, MadeChain, chains, make_chain, shifted

LUMBAR = load_protocol("lumbar").named_levels
CERVICAL = load_protocol("cervical").named_levels


def read(
    made: MadeChain, names: tuple[str, ...], anchor: tuple[str, tuple[float, float]] | None = None
) -> NamedChain:
    return locate_levels(made.chain, made.view, made.maps, names, FRAME, anchor=anchor)


def names_of(named: NamedChain) -> list[str]:
    return [disc.name for disc in named.discs]


def check_order(named: NamedChain, names: tuple[str, ...]) -> None:
    found = names_of(named)
    assert found == sorted(set(found), key=names.index)
    heights = [disc.posterior[1] for disc in named.discs]
    assert heights == sorted(heights)
    for upper, lower in pairwise(named.discs):
        if names.index(lower.name) > names.index(upper.name) + 1:
            assert upper.doubt is not None
            assert lower.doubt is not None
    assert all(0.0 <= disc.confidence <= 1.0 for disc in named.discs)
    assert all(disc.shape is not None or disc.doubt is not None for disc in named.discs)


@settings(max_examples=40)
@given(made=chains(LUMBAR, is_lumbar=True))
def test_lumbar_chains_keep_their_order(made: MadeChain) -> None:
    check_order(read(made, LUMBAR), LUMBAR)


@settings(max_examples=40)
@given(made=chains(CERVICAL, is_lumbar=False))
def test_cervical_chains_keep_their_order(made: MadeChain) -> None:
    check_order(read(made, CERVICAL), CERVICAL)


@settings(max_examples=15)
@given(made=chains(LUMBAR, is_lumbar=True))
def test_naming_is_deterministic(made: MadeChain) -> None:
    first, second = read(made, LUMBAR), read(made, LUMBAR)
    assert [(d.name, d.confidence, d.doubt) for d in first.discs] == [
        (d.name, d.confidence, d.doubt) for d in second.discs
    ]


@settings(max_examples=40)
@given(made=chains(LUMBAR, is_lumbar=True), where=st.integers(0, 20), level=st.sampled_from(LUMBAR))
def test_an_anchor_always_wins(made: MadeChain, where: int, level: str) -> None:
    place = made.chain.discs[where % len(made.chain.discs)].centre
    named = read(made, LUMBAR, anchor=(level, (float(place[0]), float(place[1]))))
    check_order(named, LUMBAR)
    nearest = min(named.discs, key=lambda disc: float(np.linalg.norm(disc.centre - place)))
    assert nearest.name == level
    assert named.is_anchored
    assert numbering_notices(named) == (ANCHORED,)


@settings(max_examples=25)
@given(
    first=st.integers(0, 4),
    room=st.sampled_from([1.3, 2.2]),
    answer=st.sampled_from([0.0, 0.9]),
    jitter=st.lists(st.floats(-0.08, 0.08), min_size=1, max_size=5),
)
def test_whole_lumbar_chains_over_the_sacrum_are_named_right(
    first: int, room: float, answer: float, jitter: list[float]
) -> None:
    made = make_chain(LUMBAR, first=first, count=11 - first, room=room, answer=answer, jitter=tuple(jitter))
    named = read(made, LUMBAR)
    assert names_of(named) == list(LUMBAR[first:])
    assert all(disc.doubt is None for disc in named.discs)


@pytest.mark.parametrize("hidden", [(4,), (4, 5)])
def test_hidden_vertebrae_leave_a_gap_that_is_said(hidden: tuple[int, ...]) -> None:
    made = make_chain(LUMBAR, first=2, count=9, missing=frozenset(hidden))
    named = read(made, LUMBAR)
    assert names_of(named) == [name for name in LUMBAR[2:] if name not in {LUMBAR[2 + k] for k in hidden}]
    reason = f"no disc found at {', '.join(LUMBAR[2 + k] for k in hidden)}"
    by_name = {disc.name: disc for disc in named.discs}
    assert reason in (by_name[LUMBAR[2 + hidden[0] - 1]].doubt or "")
    assert reason in (by_name[LUMBAR[2 + hidden[-1] + 1]].doubt or "")
    assert by_name["L5-S1"].doubt is None


def test_maps_against_the_sacrum_are_said_to_the_reader() -> None:
    made = make_chain(LUMBAR, first=3, count=8, answer=0.95)
    named = read(shifted(made, -1), LUMBAR)
    assert all(TRANSITIONAL in (disc.doubt or "") for disc in named.discs)
    assert numbering_notices(named) == (MAY_BE_TRANSITIONAL,)


def test_a_chain_without_any_landmark_is_in_doubt_and_says_so() -> None:
    named = read(make_chain(LUMBAR, first=3, count=5, room=0.4), LUMBAR)
    assert all("no landmark in view" in (disc.doubt or "") for disc in named.discs)
    assert numbering_notices(named) == (IN_DOUBT,)


def test_the_dens_numbers_a_neck_without_level_maps() -> None:
    named = read(make_chain(CERVICAL, first=0, count=7, room=0.5, tall=2.1), CERVICAL)
    assert names_of(named) == list(CERVICAL[:7])
    assert all(disc.doubt is None for disc in named.discs)


def test_a_neck_without_dens_and_maps_is_in_doubt() -> None:
    named = read(make_chain(CERVICAL, first=1, count=5, room=0.5, tall=0.8), CERVICAL)
    assert all("C2 with its dens is not seen" in (disc.doubt or "") for disc in named.discs)


def test_level_maps_number_a_neck_that_the_upper_border_cuts() -> None:
    named = read(make_chain(CERVICAL, first=2, count=6, room=0.5, answer=0.9), CERVICAL)
    assert names_of(named) == list(CERVICAL[2:8])
    assert all(disc.doubt is None for disc in named.discs[:4])


def test_an_anchor_may_name_a_disc_that_was_not_outlined() -> None:
    made = make_chain(LUMBAR, first=3, count=7)  # the lowest outlined disc is L4-L5
    last = made.chain.discs[-1]
    x, y = last.centre + PITCH * last.normal
    named = read(made, LUMBAR, anchor=("L5-S1", (float(x), float(y))))
    assert names_of(named) == list(LUMBAR[3:])
    assert named.discs[-1].doubt == BY_PERSON
    assert named.discs[-1].shape is None
    assert all(disc.doubt is None and disc.confidence == 1.0 for disc in named.discs[:-1])


def test_an_anchor_far_from_every_disc_names_the_nearest() -> None:
    made = make_chain(LUMBAR, first=3, count=8)
    with pytest.raises(ConfigError, match=r"no disc was found near \(10, 10\), the nearest lies at \(250, 60\)"):
        read(made, LUMBAR, anchor=("L1-L2", (10.0, 10.0)))
    with pytest.raises(ConfigError, match="expected one of T7-T8"):
        read(made, LUMBAR, anchor=("C3-C4", (250.0, 60.0)))
