"""From original slices to maps: preprocessing, the network in evaluation mode, and back to the original grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from runtime.device import pick_device
from runtime.errors import WeightsError
from runtime.settings import PRECISIONS, load_settings
from runtime.weights import open_weights
from segmentation.build import Network, TextPrompts, build_network, build_prompts
from segmentation.config import NetworkConfig, network_config
from segmentation.model import LEVEL_STRIDE, STRIDE, NetworkOutput
from segmentation.preprocess import canonical_size, pad_to_multiple, resize, scale_grey, to_network_range
from segmentation.text_tower import tokenize
from segmentation.types import SliceMaps

if TYPE_CHECKING:
    from imaging.types import Spacing

_NETWORK, _PROMPTS, _EMBEDDINGS = "network.", "prompts.", "prompt_embeddings"
_GROUP = 4  # slices a forward pass: bounds memory


@dataclass(frozen=True)
class _Looks:
    """Maps of a few slices after averaging the views, on the CPU.

    Attributes:
        masks: (N, S, H, W) probabilities on the original grid.
        levels: (N, L, h, w) on the first view's level grid.
        tokens: (N, P, D) of the first view.
        attention: (N, P, h, w) of the first view, on its patch grid.
        grid: (rows, columns) of the first view.
    """

    masks: Tensor
    levels: Tensor
    tokens: Tensor
    attention: Tensor
    grid: tuple[int, int]


class SliceSegmenter:
    """The network with its prompts, ready for slices of any size.

    Args:
        network: The network; put into evaluation mode.
        embeddings: (P, D) prompt embeddings of ``config.phrases``.
        config: What built it.
        checksum: Of the weights, for provenance.
        device: Where it runs.
        weights_file: Where the text tower's weights lie; None leaves only the default prompts.
        precision: What the network computes in, one of ``runtime.settings.PRECISIONS``; its weights stay float32.
    """

    def __init__(
        self,
        network: Network,
        embeddings: Tensor,
        config: NetworkConfig,
        *,
        checksum: str = "",
        device: torch.device | None = None,
        weights_file: Path | None = None,
        precision: str = PRECISIONS[0],
    ) -> None:
        self.device = device or torch.device("cpu")
        self.network = network.eval().to(self.device)
        self.embeddings = embeddings.detach().to(self.device)
        self.config, self.checksum, self.precision = config, checksum, precision
        self._weights_file = weights_file

    @classmethod
    def load(
        cls, *, weights_root: Path | None = None, name: str = "segmentation", device: str = "auto"
    ) -> SliceSegmenter:
        """Load a verified model folder, to compute in ``Settings.precision``.

        Args:
            weights_root: Folder of model folders; None takes ``Settings.weights_dir``.
            name: Model folder.
            device: ``auto``, ``cpu``, ``cuda`` ...

        Raises:
            WeightsError: If the folder is missing, differs from its checksums or does not fit its configuration.
        """
        settings = load_settings()
        folder = open_weights(name, weights_root or settings.weights_dir)
        config = network_config(folder.config["network"])
        file = folder.path / "model.safetensors"
        state = load_file(file)
        network = build_network(config)
        _load_strictly(network, state, _NETWORK, name)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster on CPUs
        return cls(
            network,
            state[_EMBEDDINGS],
            config,
            checksum=folder.checksum,
            device=pick_device(device),
            weights_file=file,
            precision=settings.precision,
        )

    @property
    def prompt_names(self) -> tuple[str, ...]:
        """Names of the prompts: structures, then levels."""
        return (*self.config.structures, *self.config.levels)

    def segment_slices(
        self,
        images: NDArray[np.floating],
        spacing: Spacing | None,
        neighbours: NDArray[np.floating] | None = None,
    ) -> SliceMaps:
        """Segment slices of one series.

        Args:
            images: (N, H, W) grey values of any range, rows from head to feet, columns from front to back.
            spacing: Of the pixels; None (or untrusted) takes them as square.
            neighbours: (N, 2, H, W) the slice before and the slice after each; an end of the series repeats the
                slice itself. None: every slice stands alone.

        Raises:
            ValueError: If ``images`` is not (N, H, W) with N at least 1, or ``neighbours`` does not fit.
        """
        groups = self._look_at_all(images, spacing, self.embeddings, len(self.config.structures), neighbours)
        rows, columns = images.shape[1:]
        grid = self._grid((rows, columns), spacing, self.config.view_sides_px[0])
        return SliceMaps(
            structures=self.config.structures,
            probabilities=_join([looks.masks for looks in groups]),
            level_names=self.config.levels,
            level_maps=_join([looks.levels for looks in groups]),
            level_stride=(LEVEL_STRIDE * rows / grid[0], LEVEL_STRIDE * columns / grid[1]),
            prompt_names=self.prompt_names,
            prompt_tokens=_join([looks.tokens for looks in groups]),
        )

    def attention_maps(
        self,
        images: NDArray[np.floating],
        spacing: Spacing | None,
        neighbours: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float32]:
        """Return where each prompt looked, (N, P, H, W) on the original grid; each map's largest value is 1."""
        groups = self._look_at_all(images, spacing, self.embeddings, len(self.config.structures), neighbours)
        size = (images.shape[1], images.shape[2])
        maps = _join([_to_size(looks.attention, looks.grid, STRIDE, size) for looks in groups])
        return np.asarray(maps / np.maximum(maps.max((2, 3), keepdims=True), 1e-12), dtype=np.float32)

    def segment_phrases(
        self, images: NDArray[np.floating], spacing: Spacing | None, phrases: Sequence[str]
    ) -> NDArray[np.float32]:
        """Ask for masks by phrases of the vocabulary: (N, len(phrases), H, W) probabilities.

        Any phrase can be asked; only the phrases of ``config.phrases`` were trained with masks.

        Raises:
            WeightsError: If these weights hold no text tower.
        """
        with torch.inference_mode():
            prompts = self.text_prompts.tower(
                tokenize(phrases, self.config.context_length, self.config.vocabulary).to(self.device)
            )
        return _join([looks.masks for looks in self._look_at_all(images, spacing, prompts, len(phrases), None)])

    @cached_property
    def text_prompts(self) -> TextPrompts:
        """The text tower, built on first use.

        Raises:
            WeightsError: If these weights hold no text tower.
        """
        prompts = None if self._weights_file is None or self.config.text_source else build_prompts(self.config)
        if self._weights_file is None or not isinstance(prompts, TextPrompts):
            raise WeightsError(
                "segmentation: these weights hold no text tower; only their own prompts can be asked"
            )
        _load_strictly(prompts, load_file(self._weights_file), _PROMPTS, "segmentation")
        return prompts.eval().to(self.device)

    def _look_at_all(
        self,
        images: NDArray[np.floating],
        spacing: Spacing | None,
        prompts: Tensor,
        structures: int,
        neighbours: NDArray[np.floating] | None,
    ) -> list[_Looks]:
        """Look at all slices, a few at a time: memory does not grow with their number."""
        if images.ndim != 3 or not len(images):
            raise ValueError(f"images: expected (N, H, W) with N of at least 1, got shape {images.shape!r}")
        if neighbours is not None and neighbours.shape != (len(images), 2, *images.shape[1:]):
            raise ValueError(
                f"neighbours: expected {(len(images), 2, *images.shape[1:])!r}, got {neighbours.shape!r}"
            )
        return [
            self._look(
                self._with_neighbours(images[part], None if neighbours is None else neighbours[part]),
                spacing,
                prompts,
                structures,
            )
            for part in (slice(start, start + _GROUP) for start in range(0, len(images), _GROUP))
        ]

    def _with_neighbours(
        self, images: NDArray[np.floating], neighbours: NDArray[np.floating] | None
    ) -> NDArray[np.floating]:
        """Return (N, slices, H, W) as the network takes them; a missing neighbour is the slice itself."""
        if not self.config.context_slices:
            return images[:, None]
        if neighbours is None:
            return np.repeat(images[:, None], 3, axis=1)
        return np.stack([neighbours[:, 0], images, neighbours[:, 1]], axis=1)

    @torch.inference_mode()
    def _look(
        self, images: NDArray[np.floating], spacing: Spacing | None, prompts: Tensor, structures: int
    ) -> _Looks:
        """Average all views' logits of a few (N, slices, H, W); tokens and attention are the first view's."""
        size = (images.shape[2], images.shape[3])
        distinct, places = _distinct(images)
        grey = self._to_grey(distinct)
        mask_logits: list[Tensor] = []
        level_logits: list[Tensor] = []
        first: NetworkOutput | None = None
        first_grid = (0, 0)
        views = zip(self.config.view_sides_px, self.config.view_gammas, self.config.view_flips, strict=True)
        for side, gamma, is_flipped in views:
            grid = self._grid(size, spacing, side)
            view = _flipped(self._prepare(grey, grid, gamma)[places], grid[1], is_flipped)
            output = self._ask(view, prompts, structures)
            if is_flipped:
                output = _flipped_back(output, grid[1])
            if first is None:
                first, first_grid = output, grid
            mask_logits.append(_to_size(output.mask_logits, grid, 1, size))
            levels = _crop(output.level_logits, grid, LEVEL_STRIDE)
            if level_logits and levels.shape[1]:  # torch refuses to resize no channels
                levels = resize(levels, (first_grid[0] // LEVEL_STRIDE, first_grid[1] // LEVEL_STRIDE))
            if levels.shape[1] or not level_logits:
                level_logits.append(levels)
        assert first is not None  # the configuration asks for at least one view
        return _Looks(
            masks=torch.stack(mask_logits).mean(0).sigmoid().cpu(),
            levels=torch.stack(level_logits).mean(0).sigmoid().cpu(),
            tokens=first.prompt_tokens.cpu(),
            attention=first.attention.cpu(),
            grid=first_grid,
        )

    def _ask(self, view: Tensor, prompts: Tensor, structures: int) -> NetworkOutput:
        """Return float32 answers of the network, computed in this segmenter's precision."""
        dtype = getattr(torch, self.precision)
        with torch.autocast(self.device.type, dtype=dtype, enabled=dtype != torch.float32):
            output: NetworkOutput = self.network(view, prompts, structures=structures)
        return replace(output, **{item.name: getattr(output, item.name).float() for item in fields(output)})

    def _grid(self, size: tuple[int, int], spacing: Spacing | None, side: int) -> tuple[int, int]:
        """Return the size of a view, whole pixels of a level map."""
        row_column = None if spacing is None else (spacing.row_mm, spacing.col_mm)
        return canonical_size(*size, row_column, side, multiple=LEVEL_STRIDE)

    def _to_grey(self, images: list[NDArray[np.floating]]) -> Tensor:
        """Scale the grey values of each slice to 0 to 1: (M, 1, H, W)."""
        low, high = self.config.low_percentile, self.config.high_percentile
        return torch.from_numpy(np.stack([scale_grey(image, low, high) for image in images])[:, None])

    def _prepare(self, grey: Tensor, grid: tuple[int, int], gamma: float) -> Tensor:
        """Return (M, h, w) network input: resized to ``grid``, padded at the bottom and the right."""
        curved = grey if gamma == 1.0 else grey**gamma
        return to_network_range(pad_to_multiple(resize(curved, grid).clamp(0, 1), STRIDE))[:, 0].to(self.device)


def _distinct(images: NDArray[np.floating]) -> tuple[list[NDArray[np.floating]], Tensor]:
    """Return the M different slices of (N, slices, H, W), and (N, slices) which of them stands where.

    Neighbouring slices are each other's neighbours: each is scaled and resized once, not three times.
    """
    seen: dict[bytes, int] = {}
    slices: list[NDArray[np.floating]] = []
    places = np.empty(images.shape[:2], dtype=np.int64)
    for place in np.ndindex(places.shape):
        image = images[place]
        places[place] = seen.setdefault(image.tobytes(), len(slices))
        if places[place] == len(slices):
            slices.append(image)
    return slices, torch.from_numpy(places)


def _flipped(images: Tensor, columns: int, is_flipped: bool) -> Tensor:
    """Mirror the first ``columns`` columns (the rest is padding), or not."""
    if not is_flipped:
        return images
    return torch.cat([images[..., :columns].flip(-1), images[..., columns:]], dim=-1)


def _flipped_back(output: NetworkOutput, columns: int) -> NetworkOutput:
    """Mirror the maps of a mirrored view back; attention and tokens stay as they are."""
    return replace(
        output,
        mask_logits=_flipped(output.mask_logits, columns, True),
        level_logits=_flipped(output.level_logits, columns // LEVEL_STRIDE, True),
    )


def save_model(folder: Path, network: dict[str, Tensor], prompts: dict[str, Tensor], embeddings: Tensor) -> None:
    """Write ``model.safetensors``: network, maker of prompts (text tower) and the default prompts' embeddings."""
    state = {_NETWORK + key: value for key, value in network.items()}
    state |= {_PROMPTS + key: value for key, value in prompts.items()}
    state[_EMBEDDINGS] = embeddings
    save_file(
        {key: value.detach().cpu().contiguous().clone() for key, value in state.items()},
        folder / "model.safetensors",
    )


def _load_strictly(module: nn.Module, state: dict[str, Tensor], prefix: str, name: str) -> None:
    own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    try:
        module.load_state_dict(own, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"weights {name!r}: model.safetensors does not fit config.json: {error}") from error


def _join(tensors: list[Tensor]) -> NDArray[np.float32]:
    return np.asarray(torch.cat(tensors).numpy(), dtype=np.float32)


def _crop(maps: Tensor, grid: tuple[int, int], stride: int) -> Tensor:
    """Cut the padding off (N, C, h, w) maps whose pixels are ``stride`` input pixels."""
    return maps[..., : grid[0] // stride, : grid[1] // stride]


def _to_size(maps: Tensor, grid: tuple[int, int], stride: int, size: tuple[int, int]) -> Tensor:
    """Bring maps of the padded input to the original slice's size."""
    if stride > 1:
        maps = resize(maps, (maps.shape[-2] * stride, maps.shape[-1] * stride))
    return resize(_crop(maps, grid, 1), size)
