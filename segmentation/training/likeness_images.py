"""The pictures that the gate is trained and judged on: sagittal spines, and everything that is not one.

Every picture is (rows, columns) of grey values of any range. ``kind`` says what it shows; ``group`` what may not
be split between training and testing: a patient of SPIDER, else the picture or volume it was made of.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from imaging.phantom import Phantom, build_phantom, phantom_picture
from runtime.folds import FOLD_COUNT, spider_folds
from runtime.paths import configs_dir
from segmentation.training.likeness_config import LikenessConfig

Grey = NDArray[np.float32]

_PHOTOS = (
    *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "chessboard_GRAY.png"),
    *("clock_motion.png", "coffee.png", "coins.png", "grass.png", "gravel.png", "horse.png"),
    *("hubble_deep_field.jpg", "ihc.png", "logo.png", "microaneurysms.png", "moon.png", "motorcycle_left.png"),
    *("page.png", "phantom.png", "retina.jpg", "rocket.jpg", "text.png"),
)
"""Bundled with scikit-image; its other samples would be downloaded."""


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
    """Yield sagittal spines: each slice plain, and a changed view of one slice a patient."""
    rng = np.random.default_rng(config.seed)
    for image, kind, group in _spine_slices(data_dir, config):
        fold = _fold(group)
        yield Sample(image, kind, True, True, group, fold)
        if kind not in {"t1", "t2"} or rng.random() < config.changed_share:
            yield Sample(changed_view(image, rng), kind, True, False, group, fold)


def others(data_dir: Path, config: LikenessConfig) -> Iterator[Sample]:
    """Yield what must be refused."""
    rng = np.random.default_rng(config.seed + 1)
    for image, kind, group in chain(
        _cross_sections(data_dir, config),
        _photos(config, rng),
        _textures(config, rng),
        _turned(data_dir, config, rng),
    ):
        yield Sample(np.ascontiguousarray(image, dtype=np.float32), kind, False, True, group, _fold(group))


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
    for index, row in enumerate(_rows(spider / "midsagittal.csv")):
        is_held_out = spider_folds()[int(row["patient"])] == config.held_out_fold
        if not is_held_out and index % config.slices_every:
            continue
        yield _read(spider / "midsagittal" / row["file"]), row["sequence"], f"spider{row['patient']}"
    for row in _rows(spider / "space.csv")[:: config.space_every]:
        yield _read(spider / "space" / "images" / row["file"]), "space", f"spider{row['patient']}"
    for row in _planes():
        if row["note"] in {"midline", "near midline"}:
            yield _read(data_dir / "sudirman" / "planes" / row["file"]), "sudirman", row["file"]
    for seed in range(900, 900 + config.phantoms):
        phantom = _phantom(seed)
        for role in ("sagittal_t1", "sagittal_t2"):
            yield phantom_picture(phantom, role=role).astype(np.float32), "phantom", f"phantom{seed}"


def _cross_sections(data_dir: Path, config: LikenessConfig) -> Iterator[tuple[Grey, str, str]]:
    """Axial and coronal slices."""
    for row in _planes():
        if row["plane"] in {"axial", "coronal"}:
            kind = f"{row['plane']}_sudirman"
            yield _read(data_dir / "sudirman" / "planes" / row["file"]), kind, row["file"]
    nifti = data_dir / "nifti"
    files = [file for file in sorted((nifti / "gm_challenge").glob("*.nii.gz")) if "seg-manual" not in file.name]
    for file in [*files, nifti / "sct_tutorial" / "t2_axial.nii.gz", nifti / "sct_tutorial" / "t2_lumbar.nii.gz"]:
        volume = _right_front_up(file)
        kind = "axial_neck" if "gm_challenge" in str(file) else "axial_volume"
        for k in np.linspace(1, volume.shape[2] - 2, 5).astype(int):
            yield volume[:, ::-1, k].T, kind, file.name.split("_")[0]
        if file.name == "t2_lumbar.nii.gz":
            for j in np.linspace(0.2, 0.8, 5) * volume.shape[1]:
                yield volume[:, int(j), ::-1].T, "coronal_volume", file.name
    for seed in range(900, 900 + config.phantoms):
        series = _phantom(seed).series_by_role("axial_t2")
        for k in (series.array.shape[2] // 3, 2 * series.array.shape[2] // 3):
            yield series.array[:, :, k].T, "axial_phantom", f"phantom{seed}"


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
    """Spines as the pipeline does not read them: on their side, upside down, front at the right."""
    rows = _rows(data_dir / "spider" / "midsagittal.csv")
    changes: dict[str, Callable[[Grey], Grey]] = {
        "upside_down": lambda image: image[::-1, ::-1],
        "mirrored": lambda image: image[:, ::-1],
        "turned_left": np.rot90,
        "turned_right": lambda image: np.rot90(image, -1),
    }
    for kind, change in changes.items():
        for index in rng.choice(len(rows), config.turned_per_kind, replace=False):
            row = rows[index]
            yield change(_read(data_dir / "spider" / "midsagittal" / row["file"])), kind, f"spider{row['patient']}"


def _stripes(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    angle, period = rng.uniform(0, np.pi), rng.uniform(12, 80)
    return np.asarray(np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / period), dtype=np.float32)


def _rings(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    radius = np.hypot(y - rng.uniform(0.2, 0.8) * y.max(), x - rng.uniform(0.2, 0.8) * x.max())
    return np.asarray(np.sin(radius * 2 * np.pi / rng.uniform(15, 90)), dtype=np.float32)


def _checkers(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    height, width = rng.uniform(15, 70, 2)
    return np.asarray((y // height + x // width) % 2, dtype=np.float32)


def _ladder(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    """Blocks in a column beside a bright band: as near to a spine as a drawing of rectangles comes."""
    period, half = rng.uniform(35, 75), rng.uniform(0.06, 0.14) * x.max()
    middle = rng.uniform(0.3, 0.7) * x.max() + rng.uniform(-20, 20) * np.sin(y / y.max() * np.pi)
    column = (np.abs(x - middle) < half) * (0.4 + 0.5 * (y % period > rng.uniform(0.1, 0.4) * period))
    band = 0.9 * (np.abs(x - middle - 1.6 * half) < 0.3 * half) * (rng.random() < 0.5)
    return np.asarray(column + band + rng.normal(0, 0.03, y.shape), dtype=np.float32)


def _cloud(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    """Noise whose power falls as 1 / f**a."""
    frequency = np.hypot(np.fft.fftfreq(y.shape[0])[:, None], np.fft.fftfreq(y.shape[1])[None])
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(rng.normal(size=y.shape)) / frequency ** rng.uniform(0.7, 2)
    return np.asarray(np.real(np.fft.ifft2(spectrum)), dtype=np.float32)


def _blurred_noise(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    return np.asarray(ndimage.gaussian_filter(rng.normal(size=y.shape), rng.uniform(1, 20)), dtype=np.float32)


def _blobs(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    image = np.zeros(y.shape, dtype=np.float32)
    for _ in range(rng.integers(3, 25)):
        centre, size = rng.random(2) * y.shape, rng.uniform(8, 80, 2)
        inside = ((y - centre[0]) / size[0]) ** 2 + ((x - centre[1]) / size[1]) ** 2 < 1
        image[inside] = rng.random()
    return image


def _writing(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    picture = Image.new("L", (y.shape[1], y.shape[0]), 255)
    draw, size = ImageDraw.Draw(picture), float(rng.uniform(12, 40))
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz      "))
    for top in np.arange(10, y.shape[0], 1.4 * size):
        draw.text((10, top), "".join(rng.choice(letters, 80)), fill=0, font_size=size)
    grey = np.asarray(picture, dtype=np.float32)
    return 255 - grey if rng.random() < 0.5 else grey


TEXTURES: dict[str, Callable[[Grey, Grey, np.random.Generator], Grey]] = {
    "stripes": _stripes,
    "rings": _rings,
    "checkers": _checkers,
    "ladder": _ladder,
    "cloud": _cloud,
    "blurred_noise": _blurred_noise,
    "blobs": _blobs,
    "writing": _writing,
}
"""Name -> drawing on the grid of rows ``y`` and columns ``x``."""


@cache
def _phantom(seed: int) -> Phantom:
    return build_phantom("lumbar", seed=seed)


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


def _fold(group: str) -> int:
    """Return the patient's fold, or one drawn from the group's name."""
    if group.startswith("spider"):
        return spider_folds()[int(group.removeprefix("spider"))]
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % FOLD_COUNT
