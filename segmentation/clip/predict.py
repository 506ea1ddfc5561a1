"""The region-text model in use: how well phrases fit regions of a slice.

Similarities are of use within one kind of question ("which of these levels is narrowed?", "which of these grades
fits?"); they are not probabilities and are calibrated for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from runtime.errors import WeightsError
from runtime.settings import load_settings
from runtime.weights import open_weights
from segmentation.clip.build import build_clip, load_clip, make_tokens
from segmentation.clip.config import ClipConfig, clip_config
from segmentation.clip.crops import FIELDS_PITCHES, SIDE_PX
from segmentation.clip.statements import Statement, statements
from segmentation.text_tower import vocabulary_digest

if TYPE_CHECKING:
    from open_clip.model import CustomTextCLIP

NAME = "region-text"
_BATCH = 64


@dataclass(frozen=True)
class ZeroShot:
    """Answer to one question by phrases alone.

    Attributes:
        name: Finding of ``phrases.yaml``.
        scores: (N,) of N regions: similarity of its wordings minus that of its opposites; larger is more so.
    """

    name: str
    scores: NDArray[np.float32]


class RegionText:
    """An open_clip model of regions and phrases, ready for use.

    Args:
        model: In eval mode.
        config: What built it.
    """

    def __init__(self, model: CustomTextCLIP, config: ClipConfig) -> None:
        self.model, self.config = model.eval(), config

    @classmethod
    def load(cls, name: str = NAME, *, root: Path | None = None) -> RegionText:
        """Load shipped weights.

        Args:
            name: Folder of the weights.
            root: Folder of all weights; None takes the settings'.

        Raises:
            WeightsError: If the folder is missing or damaged, or was made for other crops or another vocabulary.
        """
        folder = open_weights(name, root or load_settings().weights_dir)
        config = clip_config(folder.config["model"])
        crops = folder.config["crops"]
        if crops != {"side_px": SIDE_PX, "fields_pitches": list(FIELDS_PITCHES)}:
            raise WeightsError(f"weights {name!r}: expected crops as in segmentation.clip.crops, got {crops!r}")
        if folder.config["vocabulary_sha256"] != vocabulary_digest():
            raise WeightsError(
                f"weights {name!r}: made for another segmentation/vocabulary.txt; restore that file"
            )
        model = build_clip(config)
        load_clip(model, folder.path)
        return cls(model, config)

    @torch.no_grad()
    def embed_regions(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return unit embeddings (N, D) of crops (N, 3, SIDE_PX, SIDE_PX) from ``crops.cut_regions``.

        Raises:
            ValueError: If the crops have another shape.
        """
        if crops.ndim != 4 or crops.shape[1:] != (len(FIELDS_PITCHES), SIDE_PX, SIDE_PX):
            wanted = ("N", len(FIELDS_PITCHES), SIDE_PX, SIDE_PX)
            raise ValueError(f"crops: expected shape {wanted}, got {crops.shape}")
        if not len(crops):
            return np.zeros((0, self.config.embed_dim), dtype=np.float32)
        images = torch.from_numpy(np.ascontiguousarray(crops, dtype=np.float32))
        parts = [
            self.model.encode_image(images[start : start + _BATCH], normalize=True)
            for start in range(0, len(images), _BATCH)
        ]
        return np.asarray(torch.cat(parts).numpy())

    @torch.no_grad()
    def embed_phrases(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Return unit embeddings (P, D) of phrases.

        Raises:
            ValueError: If a phrase has too many words.
        """
        embedded: Tensor = self.model.encode_text(make_tokens(self.model, phrases), normalize=True)
        return np.asarray(embedded.numpy())

    def similarity(self, crops: NDArray[np.float32], phrases: Sequence[str]) -> NDArray[np.float32]:
        """Return the cosine of every region with every phrase, (N, P)."""
        return np.asarray(self.embed_regions(crops) @ self.embed_phrases(phrases).T)

    def score_findings(
        self, crops: NDArray[np.float32], questions: Mapping[str, tuple[str, str]]
    ) -> tuple[ZeroShot, ...]:
        """Answer questions by phrases alone.

        Args:
            crops: (N, 3, SIDE_PX, SIDE_PX).
            questions: Name -> (finding, its opposite), both names of ``phrases.yaml``; all wordings are averaged.
        """
        regions = self.embed_regions(crops)
        return tuple(
            ZeroShot(name, np.asarray(regions @ (self._finding(yes) - self._finding(no))))
            for name, (yes, no) in questions.items()
        )

    def grade(self, crops: NDArray[np.float32], findings: Sequence[str]) -> NDArray[np.int64]:
        """Return for each region which of the named findings fits best, (N,)."""
        table = np.stack([self._finding(name) for name in findings])
        return np.asarray((self.embed_regions(crops) @ table.T).argmax(axis=1))

    def _finding(self, name: str) -> NDArray[np.float32]:
        """Return the mean embedding (D,) of a finding's wordings, made a unit vector."""
        wordings = self._plain[name].wordings
        mean = self.embed_phrases(wordings).mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean))

    @cached_property
    def _plain(self) -> dict[str, Statement]:
        return {
            item.name: item for item in statements() if item.kind == "finding" and not item.place and not item.side
        }
