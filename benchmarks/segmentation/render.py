"""Pictures of the best, the median and the worst patient: they must be looked at, and must not be committed.

Per patient the middle slice (largest canal) and the worst one: the picture, the expert's outlines, the network's
outlines, and the errors (missed pixels in red, added ones in blue, both on the dimmed picture).
"""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from benchmarks.segmentation.cases import SpacePatient, space_patients
from benchmarks.segmentation.metrics import Mask, dice, known_mean
from benchmarks.segmentation.scoring import Models, held_out, predict_space
from runtime.errors import ConfigError
from runtime.folds import spider_folds
from segmentation.preprocess import scale_grey

COLOURS = {"disc": (255, 176, 0), "vertebra": (100, 200, 255), "spinal_canal": (90, 230, 90)}
"""Outline of each structure."""
MISSED, ADDED = (255, 60, 60), (80, 110, 255)
_HEIGHT_PX = 640  # of a panel
_CAPTION_PX = 22

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Scored:
    """A patient's mean foreground Dice and the masks it comes from."""

    dice: float
    patient: int
    masks: Mapping[str, Mask]


def render(data: Path, models: Models, out: Path) -> Iterator[Path]:
    """Write the pictures; yield their files.

    Raises:
        ConfigError: If git would track the folder.
    """
    refuse_tracked(out)
    out.mkdir(parents=True, exist_ok=True)
    for place, scored in pick(list(_score(data, models))).items():
        case = next(space_patients(data, {scored.patient}))
        slices = slice_dice(case, scored.masks)
        shown = {
            "middle": int(np.argmax(case.reference("spinal_canal").sum((1, 2)))),
            "worst": int(np.argmin(slices)),
        }
        for which, index in shown.items():
            text = (
                f"{place} patient {case.patient}: mean Dice {scored.dice:.3f}; "
                f"{which} slice {case.files[index]}: {slices[index]:.3f}"
            )
            file = out / f"{place}_patient{case.patient}_{which}.png"
            _sheet(case, scored.masks, index, text).save(file)
            yield file


def refuse_tracked(folder: Path) -> None:
    """Check that git ignores a folder, or that it lies in no repository.

    Raises:
        ConfigError: If it does not, or that cannot be told.
    """
    folder = folder.absolute()
    home = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    if not any((parent / ".git").exists() for parent in (home, *home.parents)):
        return
    try:
        asked = subprocess.run(
            ["git", "-C", str(home), "check-ignore", "--quiet", str(folder / "picture.png")], check=False
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"{folder.name}: expected git, to tell whether it ignores the folder, found none; "
            "give a folder outside the repository"
        ) from error
    if asked.returncode != 0:
        raise ConfigError(
            f"{folder.name}: expected a folder that git ignores (out/, runs/) or one outside the repository: "
            "pictures of real patients are never committed"
        )


def pick(scored: list[Scored]) -> dict[str, Scored]:
    """Return the best, the median (the lower of two) and the worst patient.

    Raises:
        ConfigError: If no patient was scored.
    """
    if not scored:
        raise ConfigError("render: expected patients of the held-out folds in the data folder, found none")
    ranked = sorted(scored, key=lambda item: (item.dice, item.patient))
    return {"best": ranked[-1], "median": ranked[(len(ranked) - 1) // 2], "worst": ranked[0]}


def slice_dice(case: SpacePatient, masks: Mapping[str, Mask]) -> NDArray[np.float64]:
    """Return (N,) mean Dice of the structures the expert drew in each slice; 1 where nothing is drawn or found."""
    found = []
    for index in range(len(case.images)):
        values = [dice(mask[index], case.reference(name)[index]) for name, mask in masks.items()]
        mean = known_mean(values)
        found.append(1.0 if np.isnan(mean) else mean)
    return np.array(found)


def error_map(picture: Picture, masks: Mapping[str, Mask], reference: Mapping[str, Mask]) -> Picture:
    """Paint missed and added pixels of all structures on the dimmed (H, W, 3) picture."""
    painted = (picture * 0.45).astype(np.uint8)
    for name, mask in masks.items():
        painted[reference[name] & ~mask] = MISSED
    for name, mask in masks.items():
        painted[mask & ~reference[name]] = ADDED
    return painted


def outlined(picture: Picture, masks: Mapping[str, Mask], thickness: int) -> Picture:
    """Draw the inner outlines of (H, W) masks on the (H, W, 3) picture."""
    painted = picture.copy()
    for name, mask in masks.items():
        painted[mask & ~ndimage.binary_erosion(mask, iterations=thickness)] = COLOURS[name]
    return painted


def _score(data: Path, models: Models) -> Iterator[Scored]:
    for case in space_patients(data, held_out(models)):
        masks = predict_space(models[spider_folds()[case.patient]], case)
        mean = known_mean(dice(mask, case.reference(name)) for name, mask in masks.items())
        yield Scored(mean, case.patient, masks)


def _sheet(case: SpacePatient, masks: Mapping[str, Mask], index: int, text: str) -> Image.Image:
    """Set four panels side by side, square pixels, under a caption."""
    rows, columns = case.images.shape[1:]
    height, width = _HEIGHT_PX, round(_HEIGHT_PX * columns * case.spacing[1] / (rows * case.spacing[0]))
    grey = (255 * scale_grey(case.images[index], 1, 99)).astype(np.uint8)
    picture = _resized(np.repeat(grey[..., None], 3, axis=2), (height, width), Image.Resampling.BILINEAR)
    own = {name: _large(mask[index], (height, width)) for name, mask in masks.items()}
    expert = {name: _large(case.reference(name)[index], (height, width)) for name in masks}
    panels = [picture, outlined(picture, expert, 2), outlined(picture, own, 2), error_map(picture, own, expert)]
    sheet = Image.new("RGB", (4 * width, height + 2 * _CAPTION_PX))
    draw = ImageDraw.Draw(sheet)
    draw.text((6, 4), text, fill=(255, 255, 255))
    names = ("picture", "expert", "network", "errors: missed red, added blue")
    for place, (panel, name) in enumerate(zip(panels, names, strict=True)):
        sheet.paste(Image.fromarray(panel), (place * width, 2 * _CAPTION_PX))
        draw.text((place * width + 6, _CAPTION_PX + 4), name, fill=(200, 200, 200))
    return sheet


def _large(mask: Mask, size: tuple[int, int]) -> Mask:
    return _resized(mask.astype(np.uint8), size, Image.Resampling.NEAREST) > 0


def _resized(pixels: Picture, size: tuple[int, int], how: Image.Resampling) -> Picture:
    return np.asarray(Image.fromarray(pixels).resize((size[1], size[0]), how))
