"""What the tests of hub writers share: presets made small, folders of every class, a made-up patient."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from anatomy import Condition
from runtime.folds import spider_folds
from tests.vlm.hub_models import BUILDERS, TOWER_PATCHES, TOWER_WIDTH
from vlm.hub.config import HubConfig, HubGeneration, LoraConfig, load_hub_config
from vlm.pictures import KeySlice
from vlm.writers import preset_file

NAMES = tuple(BUILDERS)
SEEING = tuple(name for name in NAMES if name != "biomedclip")
REGION_DIM = 12


def small_preset(name: str, *, tower: Path | None = None, vision: str = "") -> HubConfig:
    """Return a shipped preset with the sizes of the tiny classes; prompts, turns and targets stay its own."""
    preset = load_hub_config(preset_file(name))
    assert preset.soft is not None
    soft = replace(preset.soft, token="<spare>", tokens=3, heads=4, dim=REGION_DIM)
    if name == "biomedclip":
        soft = replace(soft, dim=TOWER_WIDTH, kinds=TOWER_PATCHES, tower=str(tower))
    return replace(
        preset,
        generation=HubGeneration(max_new_tokens=8, batch_size=3),
        lora=LoraConfig(rank=2, alpha=4, dropout=0.1, language=preset.lora.language, vision=vision),
        soft=soft,
    )


def key_slice_of(seed: int) -> KeySlice:
    grey = np.random.default_rng(seed).integers(0, 255, (60, 40), dtype=np.uint8)
    return KeySlice("S1", "sagittal t2", 0, grey)


def gradings() -> dict[int, dict[str, dict[Condition, str]]]:
    """Return gradings of a few made-up patients under ids of SPIDER, so that they have folds."""
    steps = {
        Condition.DISC_DEGENERATION: "IV",
        Condition.DISC_NARROWING: "present",
        Condition.DISC_BULGING: "present",
        Condition.DISC_HERNIATION: "absent",
        Condition.SPONDYLOLISTHESIS: "absent",
        Condition.MODIC: "0",
        Condition.UPPER_ENDPLATE_CHANGE: "absent",
        Condition.LOWER_ENDPLATE_CHANGE: "absent",
    }
    folds = spider_folds()
    chosen = [next(patient for patient in sorted(folds) if folds[patient] == fold) for fold in range(3)]
    return {patient: {level: dict(steps) for level in ("L4-L5", "L5-S1")} for patient in chosen}


def slice_file(folder: Path) -> Path:
    """Write a made-up middle slice."""
    file = folder / "1_t2.png"
    values = np.random.default_rng(2).normal(120, 40, (256, 200)).clip(0, 255).astype(np.uint8)
    Image.fromarray(values).save(file)
    return file
