"""Batches of patients: crops at (jittered) points, windows of views, grey-scale augmentation, left-out series.

Notation: B patients, L levels, S sequences, V views, N slices of a window, H rows, W columns, C columns of labels,
M biomarkers.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from grading.biomarkers import biomarker_names
from grading.config import GraderConfig
from grading.crops import CropFrame, Point, crop_frames, cut_crop, lay_frames, normalise_crops
from grading.heads import label_columns
from grading.model import GradingInputs
from grading.training.cases import Case, CaseSlice
from grading.training.config import TrainingConfig
from grading.training.windows import cut_windows


@dataclass(frozen=True)
class Batch:
    """Arrays of one step.

    Attributes:
        crops: (B, L, S, H, W) float32 normalised crops, 0 where not present.
        present: (B, L, S) bool.
        labels: (B, L, C) steps, -1 where not graded, without any crop, or without what its head needs to see.
        biomarkers: (B, L, M) float32, NaN where unknown.
        windows: One (B, L, 2, N, H, W) float32 a view, 0 where not present.
        windows_present: (B, L, 2, V) bool.
        boxes: (B, L, 4) float32, NaN where there is none or no crop.
    """

    crops: NDArray[np.float32]
    present: NDArray[np.bool_]
    labels: NDArray[np.int64]
    biomarkers: NDArray[np.float32]
    windows: tuple[NDArray[np.float32], ...]
    windows_present: NDArray[np.bool_]
    boxes: NDArray[np.float32]

    def inputs(self) -> GradingInputs:
        """Return what the network reads of it."""
        return GradingInputs(
            torch.from_numpy(self.crops),
            torch.from_numpy(self.present),
            torch.from_numpy(self.biomarkers),
            tuple(torch.from_numpy(windows) for windows in self.windows),
            torch.from_numpy(self.windows_present),
        )


def shuffled_batches(
    cases: Sequence[Case],
    config: GraderConfig,
    training: TrainingConfig,
    rng: np.random.Generator,
    copies: int = 1,
) -> Iterator[tuple[Batch, ...]]:
    """Yield one epoch of augmented batches, each in so many augmentations of the same patients."""
    order = rng.permutation(len(cases))
    for start in range(0, len(order), training.batch_patients):
        chosen = [cases[index] for index in order[start : start + training.batch_patients]]
        yield tuple(stack([augmented_case(case, config, training, rng) for case in chosen]) for _ in range(copies))


def plain_batch(cases: Sequence[Case], config: GraderConfig, *, leave_out: Sequence[str] = ()) -> Batch:
    """Return the crops of cases as they are, of the first slice of each sequence.

    Args:
        cases: Patients.
        config: Crops and network.
        leave_out: Kinds of series (``GraderConfig.sources``) that are treated as missing.
    """
    batches = []
    for case in cases:
        slices = {item.sequence: item for item in reversed(case.slices) if item.sequence not in leave_out}
        batches.append(_cut_case(case, slices, leave_out, config, None, None))
    return stack(batches)


def augmented_case(case: Case, config: GraderConfig, training: TrainingConfig, rng: np.random.Generator) -> Batch:
    """Cut one patient's crops with jitter, choosing among alternative slices and leaving series out."""
    slices = {}
    for sequence in config.network.sequences:
        choices = [item for item in case.slices if item.sequence == sequence]
        if choices:
            slices[sequence] = choices[rng.integers(len(choices))]
    leave_out = [name for name in config.sources if rng.random() < training.source_dropout and name not in slices]
    if len(slices) > 1:
        draw = rng.random()
        if draw < training.t1_dropout:
            leave_out.append("t1")
        elif draw > 1 - training.t2_dropout:
            leave_out.append("t2")
    kept = {name: item for name, item in slices.items() if name not in leave_out}
    return _cut_case(case, kept, leave_out, config, training, rng)


def _cut_case(
    case: Case,
    slices: dict[str, CaseSlice],
    leave_out: Collection[str],
    config: GraderConfig,
    training: TrainingConfig | None,
    rng: np.random.Generator | None,
) -> Batch:
    """Return a batch of one patient."""
    network, geometry = config.network, config.crops
    shape = (len(network.levels), len(network.sequences))
    crops = np.zeros((*shape, geometry.height_px, geometry.width_px), dtype=np.float32)
    present = np.zeros(shape, dtype=bool)
    for sequence, item in slices.items():
        levels, images = _cut_slice(item, config, training, rng)
        rows = [network.levels.index(level) for level in levels]
        column = network.sequences.index(sequence)
        crops[rows, column] = images
        present[rows, column] = True
    windows, windows_present = cut_windows(case, config, leave_out, training, rng)
    if training is not None and rng is not None:
        windows = tuple(_jitter_window_greys(images, rng) for images in windows)
    return Batch(
        crops[None],
        present[None],
        _seen_labels(case, config, present, windows_present)[None],
        _biomarkers(slices, config, training, rng)[None],
        tuple(images[None] for images in windows),
        windows_present[None],
        _boxes(case, present)[None],
    )


def _seen_labels(
    case: Case, config: GraderConfig, present: NDArray[np.bool_], windows_present: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the labels (L, C) of what can be seen: nothing without crops, no head of views without its views."""
    has_crop: NDArray[np.bool_] = np.asarray(present.any(axis=1))
    labels = np.where(has_crop[:, None], case.labels, -1)
    for head in config.heads:
        if not head.views:
            continue
        for side, column in enumerate(label_columns(config.heads)[head.key]):
            for row in range(len(labels)):
                at_hand = _names(config.network.sequences, present[row])
                shown = np.asarray(
                    windows_present[row, side] if head.is_sided else windows_present[row].any(axis=0)
                )
                at_hand += _names(config.network.views, shown)
                if not head.is_met(at_hand):
                    labels[row, column] = -1
    return labels


def _boxes(case: Case, present: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (L, 4), NaN where there is no box or no crop to see it on."""
    boxes = np.full((len(present), 4), np.nan, dtype=np.float32)
    if case.boxes is not None:
        boxes[present.any(axis=1)] = case.boxes[present.any(axis=1)]
    return boxes


def _names(names: Sequence[str], there: NDArray[np.bool_]) -> list[str]:
    return [name for name, shown in zip(names, there.tolist(), strict=True) if shown]


def _biomarkers(
    slices: dict[str, CaseSlice],
    config: GraderConfig,
    training: TrainingConfig | None,
    rng: np.random.Generator | None,
) -> NDArray[np.float32]:
    """Return (L, M) of the first sequence at hand (a reading measures its primary series), jittered."""
    network = config.network
    values = np.full((len(network.levels), len(network.biomarkers)), np.nan, dtype=np.float32)
    first = next((slices[name] for name in network.sequences if name in slices), None)
    if first is None or not network.biomarkers:
        return values
    columns = [biomarker_names().index(name) for name in network.biomarkers]
    for level, found in first.biomarkers.items():
        if level in network.levels:
            values[network.levels.index(level)] = found[columns]
    if training is None or rng is None:
        return values
    values += rng.normal(0, training.biomarker_jitter, values.shape).astype(np.float32)
    values[rng.random(values.shape) < training.biomarker_dropout] = np.nan
    if rng.random() < training.biomarkers_out:
        values[:] = np.nan
    return values


def _cut_slice(
    item: CaseSlice, config: GraderConfig, training: TrainingConfig | None, rng: np.random.Generator | None
) -> tuple[list[str], NDArray[np.float32]]:
    """Return the levels that a slice shows whole and their crops (levels, rows, columns)."""
    frames = lay_frames(item.points, config.crops)
    if training is not None and rng is not None:
        jittered = lay_frames(_jitter_points(item.points, training, rng), config.crops)
        frames = tuple(_jitter_frame(frame, training, rng) for frame in jittered)
    image = np.asarray(item.image, dtype=np.float32)
    cut = [crop for frame in frames if (crop := cut_crop(image, frame, config.crops)).is_whole]
    if not cut:
        return [], np.zeros((0, config.crops.height_px, config.crops.width_px), dtype=np.float32)
    images = normalise_crops(np.stack([crop.image for crop in cut]))
    return [crop.frame.level for crop in cut], images if rng is None else jitter_greys(images, rng)


def _jitter_points(
    points: dict[str, Point], training: TrainingConfig, rng: np.random.Generator
) -> dict[str, Point]:
    """Move each point as a level finder would misplace it."""
    pitch = float(np.median([frame.pitch for frame in crop_frames(points)]))
    noise = rng.normal(0, training.point_jitter * pitch, (len(points), 2))
    return {
        level: (x + float(dx), y + float(dy))
        for (level, (x, y)), (dx, dy) in zip(points.items(), noise, strict=True)
    }


def _jitter_frame(frame: CropFrame, training: TrainingConfig, rng: np.random.Generator) -> CropFrame:
    angle = np.deg2rad(rng.normal(0, training.rotation_jitter_deg))
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    down = (frame.down[0] * cosine - frame.down[1] * sine, frame.down[0] * sine + frame.down[1] * cosine)
    pitch = frame.pitch * float(np.exp(rng.normal(0, training.scale_jitter)))
    shift = rng.normal(0, training.shift_jitter * frame.pitch, 2)
    origin = (frame.origin_px[0] + float(shift[0]), frame.origin_px[1] + float(shift[1]))
    return replace(frame, origin_px=origin, down=down, pitch=pitch)


def jitter_greys(images: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change gain, gamma, sharpness and noise of one slice's normalised crops (levels, rows, columns)."""
    unit = np.clip((images + 1) / 2, 0, None)
    unit = unit ** float(np.exp(rng.normal(0, 0.2))) * float(np.exp(rng.normal(0, 0.12)))
    unit = unit + float(rng.normal(0, 0.04))
    if rng.random() < 0.3:
        sigma = float(rng.uniform(0.3, 1.0))
        unit = gaussian_filter(unit, (0, sigma, sigma))
    unit = unit + rng.normal(0, float(rng.uniform(0, 0.04)), unit.shape)
    return (unit * 2 - 1).astype(np.float32)


def _jitter_window_greys(windows: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change the greys of one view's windows (L, 2, N, H, W) alike; the empty ones get noise that nobody reads."""
    flat = windows.reshape(-1, *windows.shape[-2:])
    return jitter_greys(flat, rng).reshape(windows.shape)


def stack(batches: Sequence[Batch]) -> Batch:
    """Join batches along the patients."""
    return Batch(
        np.concatenate([batch.crops for batch in batches]),
        np.concatenate([batch.present for batch in batches]),
        np.concatenate([batch.labels for batch in batches]),
        np.concatenate([batch.biomarkers for batch in batches]),
        tuple(np.concatenate(parts) for parts in zip(*(batch.windows for batch in batches), strict=True)),
        np.concatenate([batch.windows_present for batch in batches]),
        np.concatenate([batch.boxes for batch in batches]),
    )
