"""Biomarkers: read from measurements and the chain, standardised, unknown where unknown."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from grading.biomarkers import biomarker_names, level_biomarkers, load_biomarkers
from grading.build import build_network
from grading.config import GraderConfig, NetworkConfig
from grading.model import BiomarkerEncoder, GradingInputs
from runtime.errors import ConfigError
from segmentation.measure import load_quantities
from tests.grading.factories import canal_measurement, chain, levels_of


def named(values: np.ndarray) -> dict[str, float]:
    return dict(zip(biomarker_names(), values.tolist(), strict=True))


def test_every_biomarker_is_a_measurement_without_millimetres_or_of_the_chain() -> None:
    quantities = load_quantities()
    for item in load_biomarkers():
        if item.measurement is None:
            assert item.place in {"length", "offset"}
            continue
        assert item.place in {"level", "above", "below"}
        assert not quantities[item.measurement].needs_spacing


def test_measurements_of_the_level_and_the_vertebrae_beside_it_are_found_and_standardised() -> None:
    slip = replace(canal_measurement(1, "L4-L5", 12.0), name="listhesis_percent")
    above = replace(canal_measurement(2, "L4", 0.88), name="vertebral_height_ratio")
    unknown = replace(canal_measurement(3, "L3-L4", None, reason="cut"), name="listhesis_percent")
    found = level_biomarkers(levels_of(chain()), [slip, above, unknown])
    lower = named(found["L4-L5"])
    assert lower["slip"] == pytest.approx(1.5)
    assert lower["height_ratio_above"] == pytest.approx(-1.0)
    assert np.isnan(lower["height_ratio_below"])
    assert named(found["L5-S1"])["height_ratio_above"] != named(found["L5-S1"])["height_ratio_above"]
    assert named(found["L3-L4"])["height_ratio_below"] == pytest.approx(-1.0)
    assert np.isnan(named(found["L3-L4"])["slip"])


def test_wild_values_are_bounded() -> None:
    wild = replace(canal_measurement(1, "L4-L5", -900.0), name="listhesis_percent")
    assert named(level_biomarkers(levels_of(chain()), [wild])["L4-L5"])["slip"] == -4.0


def test_a_margin_behind_the_line_of_its_neighbours_has_a_positive_offset() -> None:
    points = chain()
    x, y = points["L3-L4"]
    points["L3-L4"] = (x + 4.0, y)  # columns grow to the back: a bulge of a tenth of the pitch
    found = {name: named(values) for name, values in level_biomarkers(levels_of(points), []).items()}
    assert found["L3-L4"]["margin_offset"] == pytest.approx(1.0, rel=0.02)
    assert found["L2-L3"]["margin_offset"] == pytest.approx(-0.5, rel=0.1)
    assert np.isnan(found["L5-S1"]["margin_offset"]), "the last level has one neighbour"
    assert found["L1-L2"]["disc_length"] == pytest.approx((36.0 / 40.0 - 0.9) / 0.15, abs=0.01)


def test_the_encoder_tells_unknown_from_average() -> None:
    torch.manual_seed(0)
    encoder = BiomarkerEncoder(3, 8).eval()
    values = torch.tensor([[0.0, 1.0, 2.0], [float("nan"), 1.0, 2.0]])
    first, second = encoder(values)
    assert first.isfinite().all()
    assert second.isfinite().all()
    assert not torch.allclose(first, second)


def test_a_network_with_biomarkers_reads_them_and_one_without_does_not() -> None:
    crops, present = torch.randn(1, 7, 2, 32, 48), torch.ones(1, 7, 2, dtype=torch.bool)
    for names, changes in ((("slip", "disc_length"), True), ((), False)):
        torch.manual_seed(0)
        network = build_network(GraderConfig(network=NetworkConfig(biomarkers=names))).eval()
        no_views = (), torch.zeros(1, 7, 2, 0, dtype=torch.bool)
        low, high = (
            network(GradingInputs(crops, present, torch.full((1, 7, len(names)), value), *no_views))
            for value in (-1.0, 1.0)
        )
        same = all(torch.equal(low[name], high[name]) for name in low)
        assert same != changes


def test_heads_that_made_up_cases_teach_do_not_see_biomarkers() -> None:
    torch.manual_seed(0)
    config = GraderConfig(network=NetworkConfig(biomarkers=("slip",), views=("recess_t2",)))
    network = build_network(config).eval()
    crops, present = torch.randn(1, 7, 2, 32, 48), torch.ones(1, 7, 2, dtype=torch.bool)
    (view,) = config.views
    windows = torch.randn(1, 7, 2, view.slices, view.rows, view.cols), torch.ones(1, 7, 2, 1, dtype=torch.bool)
    low, high = (
        network(GradingInputs(crops, present, torch.full((1, 7, 1), value), (windows[0],), windows[1]))
        for value in (-1.0, 1.0)
    )
    changed = {head.key: not torch.equal(low[head.key], high[head.key]) for head in config.heads}
    assert changed == {head.key: head.is_real for head in config.heads}
    assert not all(changed.values())


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"network.biomarkers: expected names among .* got \['shoe_size'\]"):
        NetworkConfig(biomarkers=("shoe_size",))
