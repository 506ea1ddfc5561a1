"""Options of the gate's training (``configs/segmentation/likeness.yaml``)."""

import hashlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import yaml

from runtime.errors import ConfigError


@dataclass(frozen=True)
class LikenessConfig:
    """What the gate is trained on and how; the file's comments explain each value.

    Attributes:
        seed: Of every draw.
        held_out_fold: Its patients and pictures judge the gate.
        space_every: Every n-th T2 SPACE slice is taken.
        changed_share: Share of middle slices that are also shown changed.
        phantoms: Number of phantoms.
        turned_per_kind: Turned or mirrored spines of each kind; every other one is also changed.
        views_per_photo: Views of each photograph.
        textures_per_kind: Drawings of each kind.
        token_components: Principal components of the tokens.
        inverse_penalty: Of the logistic head.
        false_refusals: Share of real spines that the gate may refuse: its threshold on the conformal p-value.
    """

    seed: int
    held_out_fold: int
    space_every: int
    changed_share: float
    phantoms: int
    turned_per_kind: int
    views_per_photo: int
    textures_per_kind: int
    token_components: int
    inverse_penalty: float
    false_refusals: float

    @property
    def pictures_key(self) -> str:
        """Return a short hash of what decides which pictures there are; those seen are kept under it."""
        fit = {"token_components", "inverse_penalty", "false_refusals"}
        chosen = sorted(item for item in asdict(self).items() if item[0] not in fit)
        return hashlib.sha256(repr(chosen).encode()).hexdigest()[:8]


def load_likeness_config(path: Path) -> LikenessConfig:
    """Read the file.

    Raises:
        ConfigError: If it is missing, or its keys are not those of ``LikenessConfig``.
    """
    if not path.is_file():
        raise ConfigError(f"{path.name}: expected a training file at {path}, found nothing")
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = sorted(item.name for item in fields(LikenessConfig))
    if not isinstance(values, dict) or sorted(values) != names:
        raise ConfigError(f"{path.name}: expected the keys {names!r}, got {values!r}"[:400])
    return LikenessConfig(**values)
