"""The pictures that the gate is trained and judged on: sagittal lumbar spines, and everything that is not one.

Every picture is (rows, columns) of grey values of any range. ``kind`` says what it shows; ``group`` what may not
be split between training and testing: a patient of SPIDER, else the picture or volume it was made of. Sudirman's
slices have no patient numbers and come from a scanner that nothing else here comes from: they only judge.

A neck is not a spine here: the network beside the gate knows lumbar levels and would name those of a neck wrongly.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from imaging.phantom import build_phantom, phantom_picture
from runtime.folds import FOLD_COUNT, spider_folds
from runtime.paths import configs_dir
from segmentation.training.likeness_config import LikenessConfig
from segmentation.training.likeness_drawings import TEXTURES, Grey

_PHOTOS = (
    *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "chessboard_GRAY.png"),
    *("clock_motion.png", "coffee.png", "coins.png", "grass.png", "gravel.png", "horse.png"),
    *("hubble_deep_field.jpg", "ihc.png", "logo.png", "microaneurysms.png", "moon.png", "motorcycle_left.png"),
    *("page.png", "phantom.png", "retina.jpg", "rocket.jpg", "text.png"),
)
"""Bundled with scikit-image; its other samples would be downloaded."""

_TURNS: dict[str, Callable[[Grey], Grey]] = {
    "upside_down": lambda image: image[::-1, ::-1],
    "head_below": lambda image: image[::-1],
    "mirrored": lambda image: image[:, ::-1],
    "turned_left": np.rot90,
    "turned_right": lambda image: np.rot90(image, -1),
}
"""Spines as the pipeline does not read them: front at the right, head below, on their side."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture.

    Attributes:
        image: (rows, columns) float32.
        kind: What it shows, such as ``t2`` or ``axial``.
        is_spine: Whether it is a readable sagittal spine.
        is_plain: False for a changed view (cropped, turned a little, other contrast).
        group: Patient, picture or volume.
        fold: 0 to 4.
    """

    image: Grey
    kind: str
    is_spine: bool
    is_plain: bool
    group: str
    fold: int


def spines(data_dir: Path, config: LikenessConfig) -> Iterator[Sample]:
    """Yield real sagittal spines: each slice plain, and a changed view of some."""
    rng = np.random.default_rng(config.seed)
    for image, kind, group in _spine_slices(data_dir, config):
        fold = _fold(group, config)
        yield Sample(image, kind, True, True, group, fold)
        if kind == "space" or rng.random() < config.changed_share:
            yield Sample(changed_view(image, rng), kind, True, False, group, fold)


def phantoms(data_dir: Path, config: LikenessConfig) -> Iterator[Sample]:
    """Yield sagittal slices of phantoms, plain and changed; and axial and turned ones, which are no spines."""
    rng = np.random.default_rng(config.seed + 2)
    for seed in range(900, 900 + config.phantoms):
        phantom, group = build_phantom("lumbar", seed=seed), f"phantom{seed}"
        fold = _fold(group, config)
        for role in ("sagittal_t1", "sagittal_t2"):
            image = phantom_picture(phantom, role=role).astype(np.float32)
            yield Sample(image, "phantom", True, True, group, fold)
            yield Sample(changed_view(image, rng), "phantom", True, False, group, fold)
        turn = tuple(_TURNS)[seed % len(_TURNS)]
        yield Sample(np.ascontiguousarray(_TURNS[turn](image)), f"{turn}_phantom", False, True, group, fold)
        volume = phantom.series_by_role("axial_t2").array
        for k in (volume.shape[2] // 3, 2 * volume.shape[2] // 3):
            axial = np.ascontiguousarray(volume[:, :, k].T, dtype=np.float32)
            yield Sample(axial, "axial_phantom", False, True, group, fold)


def regions(data_dir: Path, config: LikenessConfig) -> Iterator[Sample]:
    """Yield slices of phantoms of other body regions, upright; they only judge."""
    for protocol in ("cervical", "sacroiliac"):
        for seed in range(900, 900 + config.phantoms // 2):
            phantom = build_phantom(protocol, seed=seed)
            for series in phantom.series:
                if series.role.startswith(("sagittal", "coronal")):
                    image = series.array[:, :, series.array.shape[2] // 2].T.astype(np.float32)
                    kind = f"{protocol}_{series.role}"
                    yield Sample(image, kind, False, True, f"{protocol}{seed}", config.held_out_fold)


def others(data_dir: Path, config: LikenessConfig) -> Iterator[Sample]:
    """Yield what must be refused."""
    rng = np.random.default_rng(config.seed + 1)
    for image, kind, group in chain(
        _cross_sections(data_dir),
        _necks(data_dir),
        _photos(config, rng),
        _textures(config, rng),
        _turned(data_dir, config, rng),
    ):
        picture = np.ascontiguousarray(image, dtype=np.float32)
        yield Sample(picture, kind, False, True, group, _fold(group, config))


PARTS: dict[str, Callable[[Path, LikenessConfig], Iterator[Sample]]] = {
    "spines": spines,
    "phantoms": phantoms,
    "others": others,
    "regions": regions,
}
"""Name -> pictures; each is looked at and kept by itself."""


def changed_view(image: Grey, rng: np.random.Generator) -> Grey:
    """Turn by up to 15 degrees, zoom 0.6 to 1.5 about a point near the middle (cutting the spine), bend grey."""
    rows, columns = image.shape
    angle, zoom = np.radians(rng.uniform(-15, 15)), np.exp(rng.uniform(np.log(0.6), np.log(1.5)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    middle = np.array([(rows - 1) / 2, (columns - 1) / 2])
    place = middle + rng.uniform(-0.12, 0.12, 2) * (rows, columns) * max(0.0, 1 - 1 / zoom) * 3
    moved = ndimage.affine_transform(image, turn, offset=place - turn @ middle, order=1, cval=float(image.min()))
    low, high = np.percentile(image, [0.5, 99.5])
    grey = np.clip((moved - low) / max(float(high - low), 1e-6), 0, 1) ** np.exp(rng.uniform(-0.6, 0.6))
    noisy = grey + rng.normal(0, rng.uniform(0, 0.03), grey.shape)
    return np.asarray(noisy, dtype=np.float32)


def _spine_slices(data_dir: Path, config: LikenessConfig) -> Iterator[tuple[Grey, str, str]]:
    spider = data_dir / "spider"
    for row in _rows(spider / "midsagittal.csv"):
        yield _read(spider / "midsagittal" / row["file"]), row["sequence"], f"spider{row['patient']}"
    for row in _rows(spider / "space.csv")[:: config.space_every]:
        yield _read(spider / "space" / "images" / row["file"]), "space", f"spider{row['patient']}"
    for row in _planes():
        if row["plane"] == "sagittal" and row["note"] != "far lateral":
            kind = "sudirman_midline" if "midline" in row["note"] else "sudirman_beside"
            yield _read(data_dir / "sudirman" / "planes" / row["file"]), kind, row["file"]
    volume = _right_front_up(data_dir / "nifti" / "sct_tutorial" / "t2_lumbar.nii.gz")
    for i in np.linspace(0.4, 0.6, 3) * volume.shape[0]:
        yield volume[int(i), ::-1, ::-1].T, "lumbar_volume", "t2_lumbar.nii.gz"


def _cross_sections(data_dir: Path) -> Iterator[tuple[Grey, str, str]]:
    """Yield axial and coronal slices."""
    for row in _planes():
        if row["plane"] in {"axial", "coronal"}:
            kind = f"{row['plane']}_sudirman"
            yield _read(data_dir / "sudirman" / "planes" / row["file"]), kind, row["file"]
    nifti = data_dir / "nifti"
    files = [file for file in sorted((nifti / "gm_challenge").glob("*.nii.gz")) if "seg-manual" not in file.name]
    for file in [*files, nifti / "sct_tutorial" / "t2_axial.nii.gz", nifti / "sct_tutorial" / "t2_lumbar.nii.gz"]:
        volume = _right_front_up(file)
        kind = "axial_neck" if "gm_challenge" in str(file) else "axial_volume"
        group = file.name.split("_")[0] if kind == "axial_neck" else file.name
        for k in np.linspace(1, volume.shape[2] - 2, 5).astype(int):
            yield volume[:, ::-1, k].T, kind, group
        if file.name == "t2_lumbar.nii.gz":
            for j in np.linspace(0.2, 0.8, 5) * volume.shape[1]:
                yield volume[:, int(j), ::-1].T, "coronal_volume", group


def _necks(data_dir: Path) -> Iterator[tuple[Grey, str, str]]:
    """Yield sagittal slices of necks."""
    for name in ("t1_t1w.nii.gz", "t2_t2.nii.gz"):
        volume = _right_front_up(data_dir / "nifti" / "sct_testing" / name)
        for i in np.linspace(0.35, 0.65, 4) * volume.shape[0]:
            yield volume[int(i), ::-1, ::-1].T, "sagittal_neck", name


def _photos(config: LikenessConfig, rng: np.random.Generator) -> Iterator[tuple[Grey, str, str]]:
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    for name in _PHOTOS:
        photo = _read(folder / name)
        yield photo, "photo", name
        for _ in range(config.views_per_photo - 1):
            share = rng.uniform(0.4, 0.95, 2)
            rows, columns = (share * photo.shape).astype(int)
            top, left = (rng.random(2) * (np.array(photo.shape) - (rows, columns))).astype(int)
            view = photo[top : top + rows, left : left + columns]
            yield (view[:, ::-1] if rng.random() < 0.5 else view), "photo", name


def _textures(config: LikenessConfig, rng: np.random.Generator) -> Iterator[tuple[Grey, str, str]]:
    for name, draw in TEXTURES.items():
        for index in range(config.textures_per_kind):
            rows, columns = rng.integers(300, 560, 2)
            y, x = np.mgrid[:rows, :columns].astype(np.float32)
            yield draw(y, x, rng), name, f"{name}{index}"


def _turned(data_dir: Path, config: LikenessConfig, rng: np.random.Generator) -> Iterator[tuple[Grey, str, str]]:
    """Yield turned and mirrored spines, every other one also cropped, turned a little, in other contrast."""
    rows = _rows(data_dir / "spider" / "midsagittal.csv")
    for kind, change in _TURNS.items():
        for number, index in enumerate(rng.choice(len(rows), config.turned_per_kind, replace=False)):
            image = _read(data_dir / "spider" / "midsagittal" / rows[index]["file"])
            shown = changed_view(image, rng) if number % 2 else image
            yield change(shown), kind, f"spider{rows[index]['patient']}"


def _planes() -> list[dict[str, str]]:
    """Return the hand labels of Sudirman's mixed slices."""
    return _rows(configs_dir() / "planes" / "sudirman.csv")


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _right_front_up(file: Path) -> Grey:
    """Return a NIfTI volume, indices growing to the right, the front and the head."""
    nibabel: Any = import_module("nibabel")
    volume = nibabel.as_closest_canonical(nibabel.load(file)).get_fdata()
    return np.asarray(volume, dtype=np.float32)


def _read(file: Path) -> Grey:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("L"), dtype=np.float32)


def _fold(group: str, config: LikenessConfig) -> int:
    """Return the patient's fold; the held-out one for what only judges; else one drawn from the group's name."""
    if group.startswith("spider"):
        return spider_folds()[int(group.removeprefix("spider"))]
    if group.startswith("slice_"):
        return config.held_out_fold
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % FOLD_COUNT
