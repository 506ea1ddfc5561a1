"""From original slices to maps: preprocessing, the network in evaluation mode, and back to the original grid."""

from __future__ import annotations

from collections.abc import Sequence
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
from runtime.settings import load_settings
from runtime.weights import open_weights
from segmentation.build import TextPrompts, build_network, build_prompts
from segmentation.config import NetworkConfig, network_config
from segmentation.model import LEVEL_STRIDE, STRIDE, NetworkOutput, PromptSegmenter
from segmentation.preprocess import as_batch, canonical_size, pad_to_multiple, resize, scale_grey, to_network_range
from segmentation.text_tower import tokenize
from segmentation.types import SliceMaps

if TYPE_CHECKING:
    from imaging.types import Spacing

_NETWORK, _PROMPTS, _EMBEDDINGS = "network.", "prompts.", "prompt_embeddings"
_GROUP = 4  # slices a forward pass: bounds memory


class SliceSegmenter:
    """The network with its prompts, ready for slices of any size.

    Args:
        network: The network; put into evaluation mode.
        embeddings: (P, D) prompt embeddings of ``config.phrases``.
        config: What built it.
        checksum: Of the weights, for provenance.
        device: Where it runs.
        weights_file: Where the text tower's weights lie; None leaves only the default prompts.
    """

    def __init__(
        self,
        network: PromptSegmenter,
        embeddings: Tensor,
        config: NetworkConfig,
        *,
        checksum: str = "",
        device: torch.device | None = None,
        weights_file: Path | None = None,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.network = network.eval().to(self.device)
        self.embeddings = embeddings.detach().to(self.device)
        self.config, self.checksum = config, checksum
        self._weights_file = weights_file

    @classmethod
    def load(
        cls, *, weights_root: Path | None = None, name: str = "segmentation", device: str = "auto"
    ) -> SliceSegmenter:
        """Load a verified model folder.

        Args:
            weights_root: Folder of model folders; None takes ``Settings.weights_dir``.
            name: Model folder.
            device: ``auto``, ``cpu``, ``cuda`` ...

        Raises:
            WeightsError: If the folder is missing, differs from its checksums or does not fit its configuration.
        """
        folder = open_weights(name, weights_root or load_settings().weights_dir)
        config = network_config(folder.config["network"])
        file = folder.path / "model.safetensors"
        state = load_file(file)
        network = build_network(config)
        _load_strictly(network, state, _NETWORK, name)
        return cls(
            network,
            state[_EMBEDDINGS],
            config,
            checksum=folder.checksum,
            device=pick_device(device),
            weights_file=file,
        )

    @property
    def prompt_names(self) -> tuple[str, ...]:
        """Names of the prompts: structures, then levels."""
        return (*self.config.structures, *self.config.levels)

    def segment_slices(self, images: NDArray[np.floating], spacing: Spacing | None) -> SliceMaps:
        """Segment slices of one series.

        Args:
            images: (N, H, W) grey values of any range, rows from head to feet, columns from front to back.
            spacing: Of the pixels; None (or untrusted) takes them as square.

        Raises:
            ValueError: If ``images`` is not (N, H, W) with N at least 1.
        """
        if images.ndim != 3 or not len(images):
            raise ValueError(f"images: expected (N, H, W) with N of at least 1, got shape {images.shape!r}")
        row_column = _row_column(spacing)
        groups = [
            self._segment(images[start : start + _GROUP], row_column) for start in range(0, len(images), _GROUP)
        ]
        probabilities, level_maps, tokens = (np.concatenate(column) for column in zip(*groups, strict=True))
        rows, columns = images.shape[1:]
        grid = canonical_size(rows, columns, row_column, self.config.long_side_px)
        return SliceMaps(
            structures=self.config.structures,
            probabilities=probabilities,
            level_names=self.config.levels,
            level_maps=level_maps,
            level_stride=(LEVEL_STRIDE * rows / grid[0], LEVEL_STRIDE * columns / grid[1]),
            prompt_names=self.prompt_names,
            prompt_tokens=tokens,
        )

    def attention_maps(self, images: NDArray[np.floating], spacing: Spacing | None) -> NDArray[np.float32]:
        """Return where each prompt looked, (N, P, H, W) on the original grid; each map's largest value is 1."""
        rows, columns = images.shape[1:]
        output, grid = self._forward(images, _row_column(spacing))
        maps = _crop_and_resize(output.attention, grid, STRIDE, (rows, columns))
        return np.asarray(
            (maps / maps.amax((2, 3), keepdim=True).clamp_min(1e-12)).cpu().numpy(), dtype=np.float32
        )

    def segment_phrases(
        self, images: NDArray[np.floating], spacing: Spacing | None, phrases: Sequence[str]
    ) -> NDArray[np.float32]:
        """Ask for masks by phrases of the vocabulary: (N, len(phrases), H, W) probabilities.

        Any phrase can be asked; only the phrases of ``config.phrases`` were trained with masks.

        Raises:
            WeightsError: If these weights hold no text tower.
        """
        rows, columns = images.shape[1:]
        with torch.inference_mode():
            prompts = self.text_prompts.tower(tokenize(phrases, self.config.context_length).to(self.device))
            batch, grid = self._prepare(images, _row_column(spacing))
            output = self.network(batch, prompts, structures=len(phrases))
        probability = _crop_and_resize(output.mask_logits, grid, 1, (rows, columns)).sigmoid()
        return np.asarray(probability.cpu().numpy(), dtype=np.float32)

    @cached_property
    def text_prompts(self) -> TextPrompts:
        """The text tower, built on first use.

        Raises:
            WeightsError: If these weights hold no text tower.
        """
        prompts = build_prompts(self.config)
        if self._weights_file is None or not isinstance(prompts, TextPrompts):
            raise WeightsError(
                "segmentation: these weights hold no text tower; only their own prompts can be asked"
            )
        _load_strictly(prompts, load_file(self._weights_file), _PROMPTS, "segmentation")
        return prompts.eval().to(self.device)

    def _segment(
        self, images: NDArray[np.floating], spacing_mm: tuple[float, float] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Return probabilities on the original grid, level maps and prompt tokens of a few slices."""
        output, grid = self._forward(images, spacing_mm)
        rows, columns = images.shape[1:]
        probability = _crop_and_resize(output.mask_logits, grid, 1, (rows, columns)).sigmoid()
        levels = _crop(output.level_logits, grid, LEVEL_STRIDE).sigmoid()
        return probability.cpu().numpy(), levels.cpu().numpy(), output.prompt_tokens.cpu().numpy()

    @torch.inference_mode()
    def _forward(
        self, images: NDArray[np.floating], spacing_mm: tuple[float, float] | None
    ) -> tuple[NetworkOutput, tuple[int, int]]:
        batch, grid = self._prepare(images, spacing_mm)
        output: NetworkOutput = self.network(batch, self.embeddings)
        return output, grid

    def _prepare(
        self, images: NDArray[np.floating], spacing_mm: tuple[float, float] | None
    ) -> tuple[Tensor, tuple[int, int]]:
        """Return network input and the canonical size inside it (the rest is padding)."""
        config = self.config
        grid = canonical_size(images.shape[1], images.shape[2], spacing_mm, config.long_side_px)
        grey = np.stack([scale_grey(image, config.low_percentile, config.high_percentile) for image in images])
        batch = resize(as_batch(grey), grid).clamp(0, 1)
        return to_network_range(pad_to_multiple(batch, STRIDE)).to(self.device), grid


def save_model(folder: Path, network: dict[str, Tensor], prompts: dict[str, Tensor], embeddings: Tensor) -> None:
    """Write ``model.safetensors``: network, maker of prompts (text tower) and the default prompts' embeddings."""
    state = {_NETWORK + key: value for key, value in network.items()}
    state |= {_PROMPTS + key: value for key, value in prompts.items()}
    state[_EMBEDDINGS] = embeddings
    save_file(
        {key: value.detach().cpu().contiguous().clone() for key, value in state.items()}, folder / "model.safetensors"
    )


def _load_strictly(module: nn.Module, state: dict[str, Tensor], prefix: str, name: str) -> None:
    own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    try:
        module.load_state_dict(own, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"weights {name!r}: model.safetensors does not fit config.json: {error}") from error


def _row_column(spacing: Spacing | None) -> tuple[float, float] | None:
    return None if spacing is None else (spacing.row_mm, spacing.col_mm)


def _crop(maps: Tensor, grid: tuple[int, int], stride: int) -> Tensor:
    """Cut the padding off (N, C, h, w) maps."""
    return maps[..., : -(-grid[0] // stride), : -(-grid[1] // stride)]


def _crop_and_resize(maps: Tensor, grid: tuple[int, int], stride: int, size: tuple[int, int]) -> Tensor:
    return resize(_crop(maps, grid, stride), size)
