"""Names of levels: right on whole spines, doubtful on spoilt ones, never repeated, never skipped in silence."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomy import DISC_LEVELS, load_protocol
from imaging.types import Spacing
from runtime.errors import ConfigError, NotEligibleError
from segmentation.chain import DiscChain
from segmentation.frame import SliceFrame
from segmentation.gate import SIGNS, missing_of_spine
from segmentation.instances import DISC
from segmentation.levels import Anchor, NamedChain
from segmentation.middle import MiddleSlice, content_box, read_middle
from segmentation.naming import shipped_tables
from segmentation.shapes import DiscShape
from segmentation.solver import solve
from tests.segmentation.drawn_spine import MAP_LEVELS, DrawnSpine, picture_of

NAMES = load_protocol("lumbar").named_levels


def read(
    spine: DrawnSpine, classes: np.ndarray | None = None, *, anchor: Anchor | None = None, spacing: bool = True
) -> MiddleSlice:
    classes = spine.classes() if classes is None else classes
    maps = spine.maps()
    maps = replace(
        maps, probabilities=np.stack([(classes == k) * 0.95 for k in (1, 2, 3)])[None].astype(np.float32)
    )
    frame = SliceFrame.of(spine.spacing if spacing else None)
    return read_middle(picture_of(classes), maps, 0, load_protocol("lumbar"), frame, anchor=anchor)


def names_of(named: NamedChain) -> list[str]:
    return [disc.name for disc in named.discs]


def test_a_whole_spine_over_the_sacrum_is_named_without_any_level_map() -> None:
    named = read(DrawnSpine()).named
    assert names_of(named) == list(DISC_LEVELS[-7:])
    assert all(disc.confidence > 0.8 and disc.doubt is None for disc in named.discs)


def test_level_maps_make_the_names_surer() -> None:
    without, with_maps = read(DrawnSpine()).named, read(DrawnSpine(map_peak=0.9)).named
    assert names_of(with_maps) == names_of(without)
    assert min(disc.confidence for disc in with_maps.discs) > min(disc.confidence for disc in without.discs)


def test_unknown_spacing_changes_no_name() -> None:
    assert names_of(read(DrawnSpine(), spacing=False).named) == list(DISC_LEVELS[-7:])


def test_level_maps_name_a_chain_that_the_border_cuts_below() -> None:
    spine = DrawnSpine(levels=DISC_LEVELS[-7:-1], room=0.6, map_peak=0.9)
    named = read(spine).named
    assert names_of(named) == list(DISC_LEVELS[-7:-1])


def test_a_cut_chain_without_maps_is_in_doubt_as_a_whole() -> None:
    spine = DrawnSpine(levels=("T12-L1", "L1-L2", "L2-L3", "L3-L4"), room=0.4)
    named = read(spine).named
    assert all(disc.doubt is not None and "no landmark in view" in disc.doubt for disc in named.discs)


def test_a_disc_missing_in_the_mask_raises_doubt_on_both_sides() -> None:
    named = read(DrawnSpine(without=("L2-L3",))).named
    assert names_of(named) == ["T11-T12", "T12-L1", "L1-L2", "L3-L4", "L4-L5", "L5-S1"]
    doubts = {disc.name: disc.doubt for disc in named.discs}
    assert "no disc found at L2-L3" in (doubts["L1-L2"] or "")
    assert "no disc found at L2-L3" in (doubts["L3-L4"] or "")
    assert doubts["T11-T12"] is not None
    assert doubts["L5-S1"] is None


def test_a_missing_disc_is_filled_from_a_clear_level_map() -> None:
    spine = DrawnSpine(without=("L2-L3",), map_peak=0.9)
    named = read(spine).named
    assert names_of(named) == list(DISC_LEVELS[-7:])
    filled = next(disc for disc in named.discs if disc.name == "L2-L3")
    assert filled.shape is None
    assert filled.doubt == "disc not outlined; located by its level map only"
    assert filled.confidence < min(disc.confidence for disc in named.discs if disc.shape is not None)
    assert np.linalg.norm(filled.posterior - spine.posterior("L2-L3")) < 3.0
    assert [disc.doubt for disc in named.discs if disc.shape is not None] == [None] * 6


def test_an_extra_disc_between_two_raises_doubt() -> None:
    spine = DrawnSpine()
    classes = spine.classes()
    middle = (spine.centres()["L2-L3"] + spine.centres()["L3-L4"]) / 2
    x, y = np.round(spine.to_px(middle)).astype(int)
    classes[y - 5 : y + 6, x - 22 : x + 23] = DISC
    named = read(spine, classes).named
    around = [disc.doubt for disc in named.discs if disc.name in ("L1-L2", "L2-L3", "L3-L4")]
    if len(named.discs) > 7:
        assert any(doubt is not None and "irregular" in doubt for doubt in around)
    else:
        assert names_of(named) == list(DISC_LEVELS[-7:])


def test_maps_against_the_sacrum_mean_possible_transitional_anatomy() -> None:
    spine = DrawnSpine(map_peak=0.95)
    maps = spine.maps()
    shifted = maps.level_maps.copy()
    shifted[0, 1:], shifted[0, 0] = maps.level_maps[0, :-1], 0.0  # each map now answers one level too high
    maps = replace(maps, level_maps=shifted)
    frame = SliceFrame.of(spine.spacing)
    named = read_middle(picture_of(spine.classes()), maps, 0, load_protocol("lumbar"), frame).named
    assert all("possible transitional anatomy" in (disc.doubt or "") for disc in named.discs)


@pytest.mark.parametrize("name", ["L5-S1", "L4-L5"])
def test_an_anchor_renames_all_and_is_certain(name: str) -> None:
    spine = DrawnSpine(map_peak=0.9)
    named = read(spine, anchor=(name, spine.to_px(spine.centres()["L5-S1"]))).named
    last = DISC_LEVELS.index(name) + 1
    assert names_of(named) == list(DISC_LEVELS[last - 7 : last])
    assert all(disc.confidence == 1.0 and disc.doubt is None for disc in named.discs)
    assert named.is_anchored


def test_an_anchor_above_leaves_sacral_discs_unnamed() -> None:
    spine = DrawnSpine()
    named = read(spine, anchor=("L5-S1", spine.to_px(spine.centres()["L4-L5"]))).named
    assert names_of(named)[-1] == "L5-S1"
    assert named.left_out == 1


def test_wrong_anchors_are_refused_in_words() -> None:
    spine = DrawnSpine()
    with pytest.raises(ConfigError, match="expected one of T7-T8"):
        read(spine, anchor=("C3-C4", (10.0, 10.0)))
    with pytest.raises(ConfigError, match="no disc was found near"):
        read(spine, anchor=("L5-S1", (2.0, 2.0)))


def test_the_posterior_point_lies_on_the_disc_margin() -> None:
    spine = DrawnSpine(map_peak=0.9)
    for disc in read(spine).named.discs:
        assert np.linalg.norm(disc.posterior - spine.posterior(disc.name)) < 0.08 * spine.pitch


def test_a_distant_peak_does_not_move_the_posterior_point() -> None:
    spine = DrawnSpine(map_peak=0.9)
    moved = np.roll(spine.maps().level_maps, 12, axis=3)  # 34 mm to the back
    maps = replace(spine.maps(), level_maps=moved.astype(np.float32))
    frame = SliceFrame.of(spine.spacing)
    named = read_middle(picture_of(spine.classes()), maps, 0, load_protocol("lumbar"), frame).named
    for disc in named.discs:
        assert np.linalg.norm(disc.posterior - spine.posterior(disc.name)) < 0.08 * spine.pitch


@settings(max_examples=25)
@given(
    first=st.integers(0, 4),
    count=st.integers(3, 9),
    missing=st.sets(st.integers(0, 8), max_size=2),
    extra=st.none() | st.integers(0, 7),
    room=st.floats(0.3, 2.2),
    pitch=st.floats(26.0, 40.0),
    peak=st.sampled_from([0.0, 0.9]),
)
def test_no_level_is_repeated_or_skipped_without_doubt(
    first: int,
    count: int,
    missing: set[int],
    extra: int | None,
    room: float,
    pitch: float,
    peak: float,
) -> None:
    if first > 0:
        room = min(room, 0.85)  # else the next disc would be in view
    stop = len(NAMES) - first
    levels = NAMES[max(0, stop - count) : stop]
    without = tuple(levels[index] for index in missing if index < len(levels))
    spine = DrawnSpine(
        levels=levels,
        without=without,
        room=room,
        pitch=pitch,
        disc_length=0.95 * pitch,
        map_peak=peak,
        has_usual_lengths=True,
        size_mm=(400.0, 220.0),
        row_mm=1.3,
        col_mm=1.3,
    )
    classes = spine.classes()
    if extra is not None and extra + 1 < len(levels):
        middle = (spine.centres()[levels[extra]] + spine.centres()[levels[extra + 1]]) / 2
        x, y = np.round(spine.to_px(middle)).astype(int)
        classes[max(0, y - 2) : y + 3, x - 12 : x + 13] = DISC
    try:
        named = read(spine, classes).named
    except NotEligibleError:
        return
    found = names_of(named)
    assert len(set(found)) == len(found)
    assert found == sorted(found, key=NAMES.index)
    for upper, lower in pairwise(named.discs):
        if NAMES.index(lower.name) > NAMES.index(upper.name) + 1:
            assert upper.doubt is not None
            assert lower.doubt is not None
    for disc in named.discs:
        assert 0.0 <= disc.confidence <= 1.0
        nearest = min(levels, key=lambda level: float(np.linalg.norm(spine.centres()[level] - disc.centre)))
        if disc.name != nearest:
            assert disc.doubt is not None, f"{nearest} was named {disc.name}"


def test_the_solver_sums_to_one_and_agrees_with_enumeration() -> None:
    rng = np.random.default_rng(0)
    nodes, steps = rng.normal(size=(3, 4)), rng.normal(size=(2, 4, 4))
    steps[:, np.tril_indices(4)[0], np.tril_indices(4)[1]] = -np.inf
    solution = solve(nodes, steps)
    scores = {
        (a, b, c): nodes[0, a] + nodes[1, b] + nodes[2, c] + steps[0, a, b] + steps[1, b, c]
        for a in range(4)
        for b in range(a + 1, 4)
        for c in range(b + 1, 4)
    }
    assert tuple(solution.path) == max(scores, key=lambda path: scores[path])
    total = sum(np.exp(score) for score in scores.values())
    first = sum(np.exp(score) for path, score in scores.items() if path[0] == 0) / total
    assert solution.marginals[0, 0] == pytest.approx(first)
    assert solution.marginals.sum(axis=1) == pytest.approx(1.0)


def test_the_solver_says_when_nothing_fits() -> None:
    with pytest.raises(ValueError, match="no order of names fits"):
        solve(np.full((2, 3), -np.inf), np.zeros((1, 3, 3)))


def test_the_step_table_covers_every_neighbouring_pair_of_the_lumbar_protocol() -> None:
    assert set(shipped_tables().steps) == set(pairwise(NAMES))
    assert shipped_tables().step("C3-C4", "C4-C5").step == 1.0


def test_empty_margins_do_not_count_as_view() -> None:
    image = np.zeros((50, 40), dtype=np.float32)
    image[5:30, 8:35] = np.arange(25 * 27, dtype=np.float32).reshape(25, 27) + 1
    assert content_box(image) == (8, 5, 34, 29)
    assert content_box(np.arange(20, dtype=np.float32).reshape(4, 5)) == (0, 0, 4, 3)


def test_the_gate_counts_signs_and_names_what_is_missing() -> None:
    whole = read(DrawnSpine()).chain
    assert missing_of_spine(whole, 3) is None
    assert "at least 9" in (missing_of_spine(whole, 9) or "")
    assert "no spinal canal behind" in (missing_of_spine(replace(whole, canal_share=0.1), 3) or "")
    no_canal = replace(whole, canal_share=0.5, canal_along=0.2)
    assert missing_of_spine(no_canal, 3) is None, "a stenosis may hide the canal: two signs are not enough"
    spoilt = with_discs(no_canal, lambda disc, k: replace(disc, probability=0.6))
    spoilt = replace(spoilt, vertebra_shares=(0.0,) * 6, disc_share=0.3)
    assert missing_of_spine(spoilt, 3) == f"{SIGNS[0].words}; {SIGNS[1].words}"
    short = replace(no_canal, discs=whole.discs[:3], steps=whole.steps[:2], vertebra_shares=(1.0, 1.0))
    assert missing_of_spine(short, 3) is not None, "a short chain needs fewer signs"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda chain: replace(
                chain, steps=tuple(s * f for s, f in zip(chain.steps, (3, 1, 3, 1, 3, 1), strict=True))
            ),
            "unequally spaced",
        ),
        (lambda chain: with_discs(chain, lambda disc, k: replace(disc, probability=0.6)), "uncertain"),
        (
            lambda chain: with_discs(chain, lambda disc, k: replace(disc, length=disc.length * (1 + k % 2))),
            "unequal length",
        ),
        (
            lambda chain: with_discs(
                chain, lambda disc, k: replace(disc, centre=disc.centre + np.array([25.0 * (k % 2), 0.0]))
            ),
            "one line",
        ),
        (
            lambda chain: with_discs(chain, lambda disc, k: replace(disc, axis=np.array([0.6, -0.8]))),
            "across its chain",
        ),
    ],
)
def test_every_sign_against_a_spine_is_seen(change: Callable[[DiscChain], DiscChain], words: str) -> None:
    whole = read(DrawnSpine()).chain
    assert not any(sign.is_shown(whole) for sign in SIGNS)
    assert any(words in sign.words for sign in SIGNS if sign.is_shown(change(whole)))


def with_discs(chain: DiscChain, change: Callable[[DiscShape, int], DiscShape]) -> DiscChain:
    return replace(chain, discs=tuple(change(disc, k) for k, disc in enumerate(chain.discs)))


def test_map_levels_are_named_levels() -> None:
    assert set(MAP_LEVELS) <= set(NAMES)
    assert Spacing(1.0, 1.0) == Spacing(1.0, 1.0, None)
