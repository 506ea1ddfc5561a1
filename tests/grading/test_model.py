"""The network with views: sided grades, left and right alike, and missing views."""

from dataclasses import replace

import torch

from anatomy import Condition
from grading.build import build_network
from grading.config import GraderConfig, NetworkConfig
from grading.heads import heads_seen, label_columns, load_heads
from grading.model import BOX, GradingInputs
from grading.training.losses import box_loss, consistency_loss

CONFIG = GraderConfig(
    network=NetworkConfig(
        widths=(4, 8), token_width=16, heads=2, layers=1, views=("foramen_t1", "foramen_t2", "recess_t2")
    )
)


def _inputs(*, seed: int = 0) -> GradingInputs:
    torch.manual_seed(seed)
    windows = tuple(torch.randn(2, 7, 2, view.slices, view.rows, view.cols) for view in CONFIG.views)
    present = torch.ones(2, 7, 2, 3, dtype=torch.bool)
    crops = torch.randn(2, 7, 2, 32, 48)
    return GradingInputs(crops, torch.ones(2, 7, 2, dtype=torch.bool), torch.zeros(2, 7, 0), windows, present)


def _network():
    torch.manual_seed(1)
    return build_network(CONFIG).eval()


def test_sided_heads_grade_each_side_and_the_others_the_level() -> None:
    logits = _network()(_inputs())
    assert logits["neural_foraminal_narrowing"].shape == (2, 7, 2, 2)
    assert logits["subarticular_stenosis"].shape == (2, 7, 2, 2)
    assert logits["spinal_canal_stenosis"].shape == (2, 7, 2)
    assert logits["disc_degeneration"].shape == (2, 7, 4)


def test_swapping_the_sides_swaps_the_grades_and_nothing_else() -> None:
    network, inputs = _network(), _inputs()
    swapped = inputs._replace(windows=tuple(windows.flip(2) for windows in inputs.windows))
    first, second = network(inputs), network(swapped)
    for head in CONFIG.heads:
        other = second[head.key].flip(2) if head.is_sided else second[head.key]
        torch.testing.assert_close(first[head.key], other)


def test_windows_concern_only_the_heads_that_see_them() -> None:
    network, inputs = _network(), _inputs()
    none = inputs._replace(windows_present=torch.zeros_like(inputs.windows_present))
    first, second = network(inputs), network(none)
    for head in CONFIG.heads:
        assert torch.equal(first[head.key], second[head.key]) == (not head.views), head.key


def test_a_missing_window_is_not_a_black_one() -> None:
    network, inputs = _network(), _inputs()
    black = inputs._replace(windows=tuple(torch.zeros_like(windows) for windows in inputs.windows))
    missing = black._replace(windows_present=torch.zeros_like(inputs.windows_present))
    name = "subarticular_stenosis"
    assert not torch.allclose(network(black)[name], network(missing)[name])


def test_a_network_without_views_has_no_head_of_views() -> None:
    keys = {head.key for head in heads_seen("lumbar", ())}
    assert keys == {head.key for head in load_heads("lumbar") if not head.views}
    assert "subarticular_stenosis" in {head.key for head in heads_seen("lumbar", ("recess_t2",))}


def test_label_columns_of_sided_heads_are_two() -> None:
    columns = label_columns(CONFIG.heads)
    assert columns["disc_degeneration"] == (0,)
    assert len(columns["neural_foraminal_narrowing"]) == 2
    taken = [column for part in columns.values() for column in part]
    assert taken == list(range(len(taken)))


def test_what_a_head_needs_may_be_one_of_several_views() -> None:
    head = next(head for head in CONFIG.heads if head.condition is Condition.NEURAL_FORAMINAL_NARROWING)
    assert head.is_met({"foramen_t2"})
    assert head.is_met({"foramen_t1", "t2"})
    assert not head.is_met({"t1", "t2", "recess_t2"})


def test_without_context_a_level_is_graded_by_itself() -> None:
    for layers, is_alone in ((0, True), (1, False)):
        torch.manual_seed(1)
        config = replace(CONFIG, network=replace(CONFIG.network, layers=layers))
        network, inputs = build_network(config).eval(), _inputs()
        other = inputs._replace(crops=inputs.crops.clone())
        other.crops[:, 0] += 1.0
        first, second = network(inputs)["disc_degeneration"], network(other)["disc_degeneration"]
        assert torch.allclose(first[:, 3], second[:, 3]) == is_alone
        assert not torch.allclose(first[:, 0], second[:, 0])


def test_a_network_with_boxes_lays_one_a_level() -> None:
    config = GraderConfig(network=replace(CONFIG.network, boxes=True))
    assert build_network(config).eval()(_inputs())[BOX].shape == (2, 7, 4)
    assert BOX not in _network()(_inputs())


def test_consistency_is_nought_for_equal_predictions_and_grows_with_the_difference() -> None:
    with torch.no_grad():
        first = _network()(_inputs())
    seen = torch.ones(2, 7, dtype=torch.bool)
    assert float(consistency_loss(first, first, seen, CONFIG.heads)) == 0.0
    near, far = ({name: value + amount for name, value in first.items()} for amount in (0.1, 1.0))
    assert 0 < consistency_loss(first, near, seen, CONFIG.heads) < consistency_loss(first, far, seen, CONFIG.heads)
    assert float(consistency_loss(first, far, ~seen, CONFIG.heads)) == 0.0


def test_boxes_are_compared_where_there_are_some() -> None:
    truth = torch.full((1, 2, 4), float("nan"))
    assert float(box_loss(torch.ones(1, 2, 4), truth)) == 0.0
    truth[0, 1] = 1.0
    assert float(box_loss(torch.ones(1, 2, 4), truth)) == 0.0
    assert float(box_loss(torch.zeros(1, 2, 4), truth)) > 0.5
