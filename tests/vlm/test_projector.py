"""The projector: absence is a value, order and padding do not matter, constants travel with the weights."""

import torch

from vlm.projector import RegionProjector


def build() -> RegionProjector:
    torch.manual_seed(3)
    return RegionProjector(region_dim=6, kinds=2, tokens=3, width=16, heads=2).eval()


def test_a_slot_without_regions_gets_the_learned_absence_and_no_nan() -> None:
    projector = build()
    regions = torch.randn(2, 4, 6)
    mask = torch.tensor([[True] * 4, [False] * 4])
    tokens = projector(regions, torch.zeros(2, 4, dtype=torch.long), mask)
    assert tokens.shape == (2, 3, 16)
    assert torch.equal(tokens[1], projector.missing)
    assert not torch.allclose(tokens[0], projector.missing)
    tokens.sum().backward()
    assert all(torch.isfinite(item.grad).all() for item in projector.parameters() if item.grad is not None)


def test_the_order_of_regions_and_padding_do_not_matter() -> None:
    projector = build()
    regions = torch.randn(1, 4, 6)
    kinds = torch.tensor([[0, 1, 0, 1]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    tokens = projector(regions, kinds, mask)
    order = torch.tensor([2, 0, 3, 1])
    assert torch.allclose(projector(regions[:, order], kinds[:, order], mask), tokens, atol=1e-6)
    padded = projector(
        torch.cat([regions, torch.full((1, 2, 6), 99.0)], dim=1),
        torch.cat([kinds, torch.zeros(1, 2, dtype=torch.long)], dim=1),
        torch.cat([mask, torch.zeros(1, 2, dtype=torch.bool)], dim=1),
    )
    assert torch.allclose(padded, tokens, atol=1e-6)


def test_embeddings_are_standardised_by_kind() -> None:
    projector = build()
    regions = torch.randn(1, 2, 6)
    kinds = torch.tensor([[0, 1]])
    mask = torch.ones(1, 2, dtype=torch.bool)
    plain = projector(regions, kinds, mask)
    mean, deviation = torch.randn(2, 6), torch.rand(2, 6) + 0.5
    projector.set_statistics(mean, deviation)
    shifted = regions * deviation[kinds] + mean[kinds]
    assert torch.allclose(projector(shifted, kinds, mask), plain, atol=1e-5)
    again = build()
    again.load_state_dict(projector.state_dict())
    assert torch.equal(again.mean, mean)


def test_a_constant_dimension_does_not_divide_by_zero() -> None:
    projector = build()
    projector.set_statistics(torch.zeros(2, 6), torch.zeros(2, 6))
    tokens = projector(
        torch.zeros(1, 2, 6), torch.zeros(1, 2, dtype=torch.long), torch.ones(1, 2, dtype=torch.bool)
    )
    assert torch.isfinite(tokens).all()
