"""What the checks of image quality refuse: real slices wrongly, spoilt ones rightly.

    python -m benchmarks.quality [--out runs/benchmarks/quality.json]

First every real slice at hand, by patient where there are patients. The bounds (``configs/protocols/lumbar.yaml``)
were set after looking at these slices, but for every second SPACE slice, so this is no independent test: it says
how far off the bounds lie. Then T2 middle slices of the held-out fold's patients, spoilt by known amounts of
noise, ghosts, blur, clipping, and a void with piled-up signal as metal gives it. Prints Markdown tables.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from evaluation.bootstrap import Interval, bootstrap_by_patient
from imaging import check_eligibility
from imaging.types import Eligibility, Plane, Series, SourceKind, Study, Volume
from imaging.types import Sequence as Weighting
from runtime.device import use_threads
from runtime.folds import spider_folds
from runtime.settings import load_settings

Grey = NDArray[np.float32]
Damage = Callable[[Grey, np.random.Generator], Grey]


def noisy(strength: float) -> Damage:
    """Rician noise; strength is its deviation over the range from the 1st to the 99th percentile."""

    def apply(image: Grey, rng: np.random.Generator) -> Grey:
        low, high = np.percentile(image, (1, 99))
        noise = rng.normal(0, strength * (high - low), (2, *image.shape))
        return np.asarray(np.hypot(image - image.min() + noise[0], noise[1]), dtype=np.float32)

    return apply


def ghosted(strength: float) -> Damage:
    """Copies at a third of the field of view along the rows, wrapped round, as periodic motion gives."""

    def apply(image: Grey, rng: np.random.Generator) -> Grey:
        return image + strength * np.roll(image, image.shape[0] // 3, axis=0)

    return apply


def blurred(sigma_px: float) -> Damage:
    def apply(image: Grey, rng: np.random.Generator) -> Grey:
        return np.asarray(ndimage.gaussian_filter(image, sigma_px), dtype=np.float32)

    return apply


def clipped(share: float) -> Damage:
    def apply(image: Grey, rng: np.random.Generator) -> Grey:
        return np.minimum(image, np.quantile(image, 1 - share)).astype(np.float32)

    return apply


def with_metal(radius_share: float) -> Damage:
    """A void near the middle, its signal piled up on half of its rim; radius over the longer side."""

    def apply(image: Grey, rng: np.random.Generator) -> Grey:
        rows, columns = image.shape
        radius = radius_share * max(rows, columns)
        y, x = np.mgrid[:rows, :columns]
        place = (rng.uniform(0.35, 0.65) * rows, rng.uniform(0.45, 0.6) * columns)
        distance = np.hypot(y - place[0], x - place[1])
        is_rim = (distance >= radius) & (distance < 1.3 * radius) & (np.abs(y - place[0]) < 0.7 * radius)
        spoilt = np.where(distance < radius, float(image.min()), image)
        return np.where(is_rim, float(image.max()), spoilt).astype(np.float32)

    return apply


DAMAGE: dict[str, Damage] = {
    "none": lambda image, _: image,
    **{f"noise {value:g}": noisy(value) for value in (0.05, 0.1, 0.2, 0.3)},
    **{f"ghost {value:g}": ghosted(value) for value in (0.1, 0.2, 0.3, 0.5)},
    **{f"blur {value:g} px": blurred(value) for value in (2, 4, 8)},
    **{f"clipped {value:g}": clipped(value) for value in (0.1, 0.2, 0.3)},
    **{f"void of radius {value:g}": with_metal(value) for value in (0.02, 0.04, 0.08)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/quality.json"))
    options = parser.parse_args()
    use_threads(1)
    data_dir = load_settings().data_dir
    report: dict[str, dict] = {"real": judge_real(data_dir), "spoilt": judge_spoilt(data_dir)}  # type: ignore[type-arg]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2, default=asdict) + "\n", encoding="utf-8")
    print("| slices | n | refused | warned of |\n|---|---|---|---|")
    for name, row in report["real"].items():
        print(f"| {name} | {row['slices']} | {row['refused']} | {row['warned']} |")
    print("\n| spoilt by | refused | refused or warned of |\n|---|---|---|")
    for name, row in report["spoilt"].items():
        print(f"| {name} | {row['refused']} | {row['noticed']} |")


def judge_real(data_dir: Path) -> dict[str, dict[str, object]]:
    """Return, for each source, how many slices are refused and warned of."""
    sources: dict[str, tuple[str, Callable[[Path], str]]] = {
        "SPIDER, middle slices": ("spider/midsagittal", lambda file: file.stem.split("_")[0]),
        "SPIDER, T2 SPACE slices": ("spider/space/images", lambda file: file.stem.split("_")[0]),
        "Sudirman, mixed planes": ("sudirman/planes", lambda file: file.stem),
    }
    rows: dict[str, dict[str, object]] = {}
    for name, (folder, group_of) in sources.items():
        files = sorted((data_dir / folder).glob("*.png"))
        outcomes = [judge(read(file)) for file in files]
        groups = [group_of(file) for file in files]
        rows[name] = {
            "slices": len(files),
            "refused": _share(groups, [not item.is_eligible for item in outcomes]),
            "warned": _share(groups, [bool(item.is_eligible and item.warnings) for item in outcomes]),
        }
    return rows


def judge_spoilt(data_dir: Path) -> dict[str, dict[str, Interval]]:
    """Return, for each damage, how many of the held-out patients' slices are refused, and noticed at all."""
    patients = sorted(patient for patient, fold in spider_folds().items() if fold == 0)
    files = [data_dir / "spider" / "midsagittal" / f"{patient}_t2.png" for patient in patients]
    images = {file.stem: read(file) for file in files if file.is_file()}
    rows = {}
    for name, damage in DAMAGE.items():
        rng = np.random.default_rng(0)
        outcomes = [judge(damage(image, rng)) for image in images.values()]
        refused = [not item.is_eligible for item in outcomes]
        noticed = [bool(item.warnings) or not item.is_eligible for item in outcomes]
        rows[name] = {"refused": _share(list(images), refused), "noticed": _share(list(images), noticed)}
    return rows


def judge(image: Grey) -> Eligibility:
    """Judge one slice as a picture without spacing."""
    array = np.ascontiguousarray(image.T[:, :, None])
    volume = Volume(array, None, None, (array.shape[0], array.shape[1], 1))
    series = Series("S1", "sagittal_t2", Plane.SAGITTAL, Weighting.T2, volume)
    return check_eligibility(Study("0", SourceKind.PICTURE, "lumbar", (series,)))


def read(file: Path) -> Grey:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("L"), dtype=np.float32)


def _share(groups: Sequence[str], hits: Sequence[bool]) -> Interval:
    told = np.array(hits, dtype=bool)
    return bootstrap_by_patient(list(groups), lambda index: float(told[index].mean()))


if __name__ == "__main__":
    main()
