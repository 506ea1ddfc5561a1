"""Views of training slices: geometry, contrast, what is known, and the neighbours of a slice."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from segmentation.config import NetworkConfig
from segmentation.training.augment import (
    Batch,
    Sample,
    ViewMaker,
    _draw_points,
    recolour_structures,
    vary_contrast,
)
from segmentation.training.config import ViewConfig
from segmentation.training.data import CLASSES, NOTHING, TrainingSlice
from segmentation.training.deck import Deck, stretched
from tests.segmentation.schematic import schematic_slice, schematic_slices, spine_labels

NETWORK = NetworkConfig(widths=(8, 8, 8, 16, 16), token_dim=32, heads=4, text_width=32)
STILL = ViewConfig(scale_low=1.0, scale_high=1.0, whole_share=0.0, angle_deg=0.0, shift=0.0, contrast=0.0)


def batch_of(
    slices: list[TrainingSlice], size: tuple[int, int], seed: int = 0, config: NetworkConfig = NETWORK
) -> Batch:
    samples = [Sample(item) for item in slices]
    return ViewMaker(config, size).make_batch(samples, ViewConfig(), np.random.default_rng(seed))


def test_batch_shapes_and_what_is_known() -> None:
    batch = batch_of(schematic_slices()[:3], (64, 48))
    assert batch.images.shape == (3, 1, 64, 48)
    assert batch.masks.shape == batch.mask_weight.shape == (3, 3, 64, 48)
    assert batch.levels.shape == (3, 5, 16, 12)
    assert 0 <= float(batch.images.min()) <= float(batch.images.max()) <= 1
    assert float(batch.mask_weight[2].sum()) == 0  # a T2 slice has no masks
    assert batch.level_weight.tolist() == [[1.0] * 5] * 3


def test_where_others_are_drawn_a_structure_is_known_to_be_absent() -> None:
    config = NetworkConfig(structures=("disc", "sacrum", "spinal_cord"), token_dim=32, heads=4, text_width=32)
    views = ViewMaker(config, (128, 96))
    item = schematic_slice()
    labels = torch.from_numpy(spine_labels()).float()
    disc, sacrum, cord = views._weight(item, labels)
    assert bool((disc == 1).all())
    assert bool(((sacrum == 1) == (labels > 0)).all())  # SPIDER does not draw the sacrum: background may be it
    assert bool(((cord == 1) == ((labels == 1) | (labels == 2))).all())  # and canal may be cord


def test_the_cord_is_canal_too() -> None:
    config = NetworkConfig(structures=("spinal_canal", "spinal_cord"), token_dim=32, heads=4, text_width=32)
    labels = torch.from_numpy(spine_labels()).float()
    labels[:, 60:62] = CLASSES.index("spinal_cord") + 1
    canal, cord = ViewMaker(config, (128, 96))._masks(labels)
    assert float(canal.sum()) == 128 * 6
    assert float(cord.sum()) == 128 * 2


def test_masks_and_points_move_with_the_image() -> None:
    checked = 0
    for seed in range(30):
        batch = batch_of([schematic_slice()], (128, 96), seed)
        for level in batch.levels[0]:
            if float(level.max()) < 0.9:
                continue
            row, column = divmod(int(level.argmax()), level.shape[1])
            top, left = max(0, row * 4 - 4), max(0, column * 4 - 4)
            near = batch.masks[0, 0, top : top + 12, left : left + 12]
            assert float(near.max()) == 1.0  # the point lies at a disc, whatever the view
            checked += 1
    assert checked > 40


def test_level_map_peaks_where_the_point_is() -> None:
    points = np.array([[50.0, 20.0]] * 4 + [[400.0, 20.0]], dtype=np.float32)
    identity = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    maps = _draw_points(points, identity, (128, 96))
    row, column = divmod(int(maps[0].argmax()), 24)
    assert (column * 4 + 1.5, row * 4 + 1.5) == pytest.approx((50, 20), abs=2)
    assert float(maps[4].max()) == 0.0  # out of view


def test_recolouring_changes_structures_only() -> None:
    masks = torch.stack([torch.from_numpy(spine_labels() == value).float() for value in (1, 2, 3)])
    image = torch.from_numpy(schematic_slice().image).float()[None] / 255
    changed = recolour_structures(image, masks[None], np.random.default_rng(3))
    away = masks.sum(0)[None, :, 70:]
    assert float(away.sum()) == 0
    assert torch.equal(changed[:, :, 70:], image[:, :, 70:])
    assert not torch.allclose(changed, image)


def test_contrast_stays_in_range_and_is_repeatable() -> None:
    image = torch.rand(3, 64, 48)
    for seed in range(20):
        once, again = (vary_contrast(image.clone(), np.random.default_rng(seed)) for _ in range(2))
        assert torch.equal(once, again)
        assert 0 <= float(once.min()) <= float(once.max()) <= 1


def series(count: int) -> list[TrainingSlice]:
    base = schematic_slice()
    return [
        replace(base, image=np.full_like(base.image, 10 * index), group="one", position=index)
        for index in range(count)
    ]


def test_a_slice_enters_with_its_neighbours_in_order() -> None:
    slices = series(5)
    views = ViewMaker(replace(NETWORK, context_slices=1), (64, 48))
    batch = views.make_batch([Sample(slices[2], slices[1], slices[3])], STILL, np.random.default_rng(0))
    assert (batch.images[0].mean((1, 2)) * 255).tolist() == pytest.approx([10, 20, 30], abs=0.1)


def test_a_missing_neighbour_is_the_slice_itself() -> None:
    views = ViewMaker(replace(NETWORK, context_slices=1), (64, 48))
    batch = views.make_batch([Sample(schematic_slice())], STILL, np.random.default_rng(0))
    assert torch.equal(batch.images[0, 0], batch.images[0, 1])
    assert torch.equal(batch.images[0, 2], batch.images[0, 1])


def test_deck_gives_neighbours_of_the_same_series_up_to_two_places_away() -> None:
    other = [replace(item, group="two") for item in series(5)]
    deck, rng = Deck([*series(5), *other]), np.random.default_rng(0)
    alone, distances = 0, set()
    for _ in range(200):
        (sample,) = deck.draw({"space": 1.0}, 1, 0.3, rng)
        alone += sample.before is None and sample.after is None
        for beside in (sample.before, sample.after):
            if beside is not None:
                assert beside.group == sample.item.group
                distances.add(abs(beside.position - sample.item.position))
    assert distances == {1, 2}
    assert 30 < alone < 100


def test_deck_draws_patients_evenly() -> None:
    many = [replace(schematic_slice("space", 1), name=str(index)) for index in range(30)]
    deck, rng = Deck([*many, schematic_slice("space", 2)]), np.random.default_rng(0)
    drawn = [sample.item.patient for sample in deck.draw({"space": 1.0}, 400, 0.3, rng)]
    assert 160 < drawn.count(2) < 240


def test_stretched_spans_the_range() -> None:
    dark = replace(schematic_slice(), image=np.tile(np.arange(0, 96, dtype=np.uint8), (128, 1)), known=NOTHING)
    image = stretched(dark, NETWORK).image
    assert (int(image.min()), int(image.max())) == (0, 255)
