"""What names rest on: patches, heads, faint discs, tables, and sums over many chains."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anatomy import Structure, load_protocol
from imaging.types import Sequence, Spacing
from runtime.errors import WeightsError
from runtime.weights import seal_weights
from segmentation.evidence import junction_evidence, node_evidence, node_terms, weighted_steps
from segmentation.faint import FAINT, faint_near
from segmentation.frame import SliceFrame
from segmentation.junction import GREY, OFFSETS, JunctionHead, cut_patch, junction_answers, places_of
from segmentation.levels import locate_levels
from segmentation.missed import BY_TRACE
from segmentation.naming import TERMS, WEIGHTS, LevelNaming, open_naming, shipped_tables
from segmentation.peaks import Peak
from segmentation.posterior import ELSEWHERE, place_doubt
from segmentation.solver import solve
from segmentation.step_evidence import step_evidence
from segmentation.training.chain_batch import ChainBatch
from segmentation.training.map_cache import CachedNetwork
from segmentation.training.naming import fit_head, fit_naming
from segmentation.training.naming_cases import NamingCase, true_disc, true_states
from segmentation.training.naming_files import write_heads, write_tables
from segmentation.types import SliceMaps
from tests.segmentation.drawn_spine import DrawnNetwork, DrawnSpine, maps_of, picture_of
from tests.segmentation.random_chains import FRAME, PITCH, make_chain

NAMES = load_protocol("lumbar").named_levels
L5_S1 = len(NAMES)


def test_a_patch_does_not_depend_on_the_pixels() -> None:
    patches = []
    for row, column in ((0.7, 0.7), (1.0, 0.5)):
        spine = DrawnSpine(row_mm=row, col_mm=column)
        classes = spine.classes()
        frame = SliceFrame.of(spine.spacing)
        place = (spine.posterior("L4-L5"), spine.axis("L4-L5"))
        image = picture_of(classes)
        patches.append(cut_patch(place, spine.pitch, image, maps_of(classes[None]), frame, (GREY, "disc")))
    assert patches[0].shape == (2 * 25 * 17,)
    assert np.abs(patches[0] - patches[1]).mean() < 0.1
    assert np.corrcoef(*patches)[0, 1] > 0.97


def test_a_patch_shows_the_disc_in_front_of_its_place_and_nothing_outside_the_image() -> None:
    spine = DrawnSpine()
    maps = maps_of(spine.classes()[None])
    frame = SliceFrame.of(spine.spacing)
    place = (spine.posterior("L4-L5"), spine.axis("L4-L5"))
    patch = cut_patch(place, spine.pitch, picture_of(spine.classes()), maps, frame, ("disc",)).reshape(25, 17)
    row, column = np.round([1.4 / 3.3 * 24, 0.8 / 2.2 * 16]).astype(int)  # half a pitch in front of the margin
    assert patch[row, column] > 0.5
    assert patch[row - 4, column] < 0.2
    away = (np.array([-500.0, -500.0]), np.array([1.0, 0.0]))
    assert not cut_patch(away, spine.pitch, picture_of(spine.classes()), maps, frame, ("disc",)).any()


def test_the_place_below_the_lowest_disc_is_one_step_down_and_turned() -> None:
    chain = make_chain(NAMES, first=3, count=8).chain
    last, (end, axis) = chain.discs[-1], places_of(chain)[-1]
    turned = np.degrees(np.arctan2(axis[1], axis[0])) - np.degrees(np.arctan2(last.axis[1], last.axis[0]))
    assert turned == pytest.approx(-6.0)
    assert np.linalg.norm(end - last.posterior) == pytest.approx(0.85 * chain.pitch)
    assert (end - last.posterior) @ axis == pytest.approx(0.0, abs=1e-9)
    assert end[1] > last.posterior[1]


def test_answers_of_a_head_are_probabilities_with_a_floor() -> None:
    head = JunctionHead(("disc",), np.zeros((5, 25 * 17)), np.array([0.0, 0.0, 50.0, 0.0, 0.0]))
    answers = head.log_probabilities(np.zeros((2, 25 * 17)))
    assert np.exp(answers).sum(axis=1) == pytest.approx(1.0)
    assert np.exp(answers[0]) == pytest.approx([0.01, 0.01, 0.96, 0.01, 0.01])


def test_a_sure_head_renumbers_a_chain_and_is_bounded() -> None:
    made = make_chain(NAMES, first=3, count=7, room=2.0)
    made = replace(made, view=replace(made.view, vertebra_below=0.05))  # looks as if it ended in L5-S1
    plain = locate_levels(made.chain, made.view, made.maps, NAMES, FRAME)
    assert plain.discs[-1].name == "L5-S1"
    count = len(made.chain.discs)
    offsets = [*range(count, 0, -1), 0]  # the head says: L5-S1 is one further down
    answers = np.full((count + 1, 5), np.log(0.01))
    for disc, offset in enumerate(offsets):
        answers[disc, OFFSETS.index(min(2, offset))] = np.log(0.96)
    seen = locate_levels(made.chain, replace(made.view, junction=answers), made.maps, NAMES, FRAME)
    assert seen.discs[-1].name == "L4-L5"
    assert seen.discs[-1].confidence < 0.999


def test_junction_evidence_asks_each_state_for_its_distance() -> None:
    made = make_chain(NAMES, first=9, count=2)
    table = np.log(np.arange(1.0, 16.0).reshape(3, 5))
    scores = junction_evidence(replace(made.view, junction=table), NAMES)
    assert scores[0, L5_S1] == pytest.approx(table[0, OFFSETS.index(0)])
    assert scores[0, L5_S1 - 1] == pytest.approx(table[0, OFFSETS.index(1)])
    assert scores[0, 1] == pytest.approx(table[0, OFFSETS.index(2)])
    assert scores[1, L5_S1] == pytest.approx(table[1, OFFSETS.index(0)] + table[2, OFFSETS.index(-1)])
    assert not junction_evidence(replace(made.view, junction=table), load_protocol("cervical").named_levels).any()


def test_a_faint_disc_is_found_and_not_taken_for_its_neighbour() -> None:
    chain = make_chain(NAMES, first=3, count=7).chain
    probability = np.zeros((600, 600), dtype=np.float32)
    for disc in chain.discs:
        probability[disc.pixels[:, 1], disc.pixels[:, 0]] = 0.95
    expected = chain.discs[-1].centre + chain.pitch * chain.discs[-1].normal
    assert faint_near(expected, 0.6 * chain.pitch, chain, probability, FRAME) is None
    x, y = np.round(expected).astype(int)
    probability[y - 1 : y + 2, x - 4 : x + 9] = 0.3
    found = faint_near(expected, 0.6 * chain.pitch, chain, probability, FRAME)
    assert found is not None
    assert found.probability == pytest.approx(0.3)
    assert found.centre == pytest.approx([x + 2, y], abs=0.6)
    probability[probability == np.float32(0.3)] = FAINT / 2
    assert faint_near(expected, 0.6 * chain.pitch, chain, probability, FRAME) is None


def test_a_faint_disc_below_fills_the_lumbosacral_level() -> None:
    made = make_chain(NAMES, first=3, count=7, answer=0.45)  # L5-S1 is in view but not outlined
    probability = np.zeros((600, 600), dtype=np.float32)
    x, y = np.round(made.chain.discs[-1].centre + made.chain.pitch * np.array([0.0, 1.0])).astype(int)
    probability[y - 1 : y + 2, x - 9 : x + 15] = 0.3
    faint = faint_near(np.array([x, y], dtype=float), 0.6 * PITCH, made.chain, probability, FRAME)
    view = replace(made.view, faint_below=faint, vertebra_below=0.9, response_below=0.45)
    named = locate_levels(made.chain, view, made.maps, NAMES, FRAME)
    assert [disc.name for disc in named.discs] == list(NAMES[3:])
    assert named.discs[-1].doubt == BY_TRACE
    assert named.discs[-1].shape is None
    assert all(disc.doubt is None for disc in named.discs[:-1])


def test_many_chains_at_once_agree_with_the_solver() -> None:
    tables = shipped_tables()
    made = [make_chain(NAMES, first=k, count=11 - k, answer=0.3 * k) for k in (0, 3, 6)]
    nodes = [node_terms(item.chain, item.view, NAMES, tables) for item in made]
    steps = [step_evidence(item.chain, NAMES, tables) for item in made]
    truth = [(2, 3), (0, 4), (4, 11)]
    batch = ChainBatch.of(nodes, steps, truth)
    weights = {term: float(tables.weights_alone[term]) for term in TERMS}
    logs, shares = batch.log_probability(weights), batch.probabilities(weights)
    for row, item in enumerate(made):
        one = solve(
            node_evidence(item.chain, item.view, NAMES, tables),
            weighted_steps(item.chain, item.view, NAMES, tables),
        )
        disc, state = truth[row]
        assert shares[row] == pytest.approx(one.marginals[disc], abs=1e-9)
        assert np.exp(logs[row]) == pytest.approx(one.marginals[disc, state], abs=1e-9)


def test_the_true_numbering_starts_at_the_best_point_and_stops_at_a_gap() -> None:
    made = make_chain(NAMES, first=3, count=8, missing=frozenset({3}))
    points = np.array([disc.posterior for disc in made.chain.discs if disc.centre[1] > 0])[-5:]
    truth = true_disc(made.chain, np.array([[0.0, 0.0]] * 4 + [points[-1].tolist()]), NAMES)
    assert truth == (len(made.chain.discs) - 1, L5_S1)
    states = true_states(made.chain, truth, len(NAMES))
    assert states == (None, None, None, 8, 9, 10, 11)
    assert true_disc(made.chain, np.zeros((5, 2)), NAMES) is None


def _cases() -> list[NamingCase]:
    """Forty made-up chains; layer 1 of a patch lights up one pixel for each distance from L5-S1."""
    rng = np.random.default_rng(0)
    cases = []
    for patient in range(40):
        jitter = tuple(rng.uniform(-0.05, 0.05, 3))
        made = make_chain(NAMES, first=3, count=8, room=float(rng.uniform(1.2, 2.5)), jitter=jitter)
        states = tuple(range(4, 12))
        patches = rng.normal(0, 0.1, (9, 2, 12)).astype(np.float32)
        for place, state in enumerate((*states, 12)):
            patches[place, 1, OFFSETS.index(min(2, L5_S1 - state))] += 1.0
        cases.append(
            NamingCase(
                f"{patient}.png",
                patient,
                patient % 4,
                made.chain,
                made.view,
                patches,
                (GREY, "disc"),
                states,
                (7, 11),
            )
        )
    return cases


def test_fitting_learns_the_look_of_the_junction_and_survives_the_disk(tmp_path: Path) -> None:
    cases = _cases()
    naming = fit_naming(cases, NAMES)
    head = naming.maps_only
    assert head is not None
    assert head.channels == ("disc",)
    answers = head.log_probabilities(cases[0].patches[:, 1].astype(np.float64))
    assert [OFFSETS[int(k)] for k in answers.argmax(axis=1)] == [2, 2, 2, 2, 2, 2, 1, 0, -1]
    assert naming.tables.weights["junction"] > 0
    assert naming.tables.step("L3-L4", "L4-L5").step == pytest.approx(1.0, abs=0.1)
    for name in ("steps.csv", "discs.csv", "naming.yaml"):
        (tmp_path / name).write_bytes((Path("segmentation") / name).read_bytes())
    write_tables(naming, cases, tmp_path)
    assert "lumbosacral" in (tmp_path / "naming.yaml").read_text(encoding="utf-8")
    write_heads(naming, cases, tmp_path / WEIGHTS)
    loaded = open_naming(weights_root=tmp_path)
    assert loaded.maps_only is not None
    assert loaded.maps_only.weights == pytest.approx(head.weights, abs=1e-5)
    assert loaded.checksum is not None


def test_grey_values_are_looked_at_on_t2_only_and_only_with_the_maps() -> None:
    heads = {
        "t2": JunctionHead((GREY, "disc"), np.zeros((5, 1)), np.zeros(5)),
        "maps_only": JunctionHead(("disc", "sacrum"), np.zeros((5, 1)), np.zeros(5)),
    }
    naming = LevelNaming(shipped_tables(), **heads)
    maps = maps_of(np.zeros((1, 32, 32), dtype=np.uint8))
    assert naming.head_for(Sequence.T2, maps) is heads["t2"]
    assert naming.head_for(Sequence.T1, maps) is None, "this network knows no sacrum"
    assert LevelNaming(shipped_tables()).head_for(Sequence.T2, maps) is None


def test_damaged_heads_are_refused_and_missing_ones_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert open_naming(weights_root=tmp_path).t2 is None
    assert "named without a look at the sacrum" in caplog.text
    write_heads(fit_stub(), [], tmp_path / WEIGHTS)
    (tmp_path / WEIGHTS / "config.json").write_text('{"channels": {}}', encoding="utf-8")
    seal_weights(tmp_path / WEIGHTS)
    with pytest.raises(WeightsError, match="holds no heads"):
        open_naming(weights_root=tmp_path)


def fit_stub() -> LevelNaming:
    head = JunctionHead(("disc",), np.zeros((5, 1)), np.zeros(5))
    return LevelNaming(shipped_tables(), head, head)


def test_a_head_answers_for_every_disc_and_one_below() -> None:
    spine = DrawnSpine()
    made = make_chain(NAMES, first=3, count=8)
    maps = maps_of(spine.classes()[None])
    head = fit_head(_cases(), NAMES, ("disc",))
    wide = JunctionHead(("disc",), np.zeros((5, 25 * 17)), np.zeros(5))
    answers = junction_answers(wide, made.chain, picture_of(spine.classes()), maps, FRAME)
    assert answers.shape == (9, 5)
    assert head.weights.shape == (5, 12)


def test_the_cache_asks_the_network_once_and_answers_the_same(tmp_path: Path) -> None:
    network = DrawnNetwork()
    image = picture_of(DrawnSpine(row_mm=2.0, col_mm=2.0).classes())[None]
    cached = CachedNetwork("a" * 64, lambda: network, tmp_path)
    first = cached.segment_slices(image, Spacing(2.0, 2.0))
    again = CachedNetwork("a" * 64, lambda: network, tmp_path).segment_slices(image, Spacing(2.0, 2.0))
    assert network.slices_seen == 1
    check_same(first, again)
    cached.segment_slices(image, None)
    assert network.slices_seen == 2, "another spacing is another question"
    CachedNetwork("b" * 64, lambda: network, tmp_path).segment_slices(image, None)
    assert network.slices_seen == 3, "other weights never meet old maps"


def check_same(first: SliceMaps, second: SliceMaps) -> None:
    assert first.structures == second.structures
    assert first.level_names == second.level_names
    assert first.level_stride == second.level_stride
    assert second.probabilities == pytest.approx(first.probabilities, abs=1e-3)
    assert second.level_maps == pytest.approx(first.level_maps, abs=1e-3)


def test_a_map_that_answers_beside_the_disc_casts_doubt_on_the_place_only() -> None:
    posterior, neighbour = np.array([100.0, 100.0]), np.array([100.0, 134.0])
    cases = {0.1: None, 0.45: ELSEWHERE, 0.9: None}
    for share, doubt in cases.items():
        peak = Peak(posterior - np.array([0.0, share * PITCH]), 0.7)
        assert place_doubt(posterior, peak, [neighbour], PITCH) == doubt
    nearer = Peak(posterior + np.array([0.0, 0.6 * PITCH]), 0.7)
    assert place_doubt(posterior, nearer, [neighbour], PITCH) is None, "that is the next disc's"
    weak = Peak(posterior - np.array([0.0, 0.45 * PITCH]), 0.3)
    assert place_doubt(posterior, weak, [neighbour], PITCH) is None
    assert place_doubt(posterior, None, [neighbour], PITCH) is None


def test_the_shipped_heads_open_and_look_at_known_maps() -> None:
    naming = open_naming()
    assert naming.t2 is not None
    assert naming.maps_only is not None
    assert naming.t2.channels == (GREY, *naming.maps_only.channels)
    assert set(naming.maps_only.channels) <= {kind.value for kind in Structure}
    assert 0.5 < naming.tables.sure < 1.0
    assert all(weight > 0 for weight in naming.tables.weights.values())
