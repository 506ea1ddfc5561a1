"""How near images of two patients come by the difference hash, and how far altered copies of one image move.

    python -m benchmarks.leakage

SPIDER's 360 middle slices (T1, T2, T2 SPACE of 179 patients): distances between patients, within a patient, and
between an image and copies altered in brightness, contrast, size, noise, blur, compression, place and frame. The
unit is the pair of images; nothing is sampled from patients, so no interval. Then the 320 SPACE slices are called
test and the middle slices training, under other patient names: how many of the 30 patients in both do the images
give away, and how many pairs are false? Sudirman's slices have no patient ids: their pairs are only counted.
Prints Markdown and writes ``runs/benchmarks/leakage.json``; the threshold is ``evaluation.honesty.images.ALIKE``.
"""

import argparse
import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from evaluation.honesty import SplitRow, check_splits
from evaluation.honesty.images import ALIKE, difference_hash, near_pairs, read_slice
from runtime.settings import load_settings

OUT = Path("runs/benchmarks/leakage.json")
EVERY = 4
"""One image in so many is altered."""
Grey = NDArray[np.float32]


def _picture(grey: Grey) -> Image.Image:
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))


def _jpeg(grey: Grey) -> Grey:
    stream = io.BytesIO()
    _picture(grey).save(stream, "JPEG", quality=50)
    return np.asarray(Image.open(stream), dtype=np.float32)


def _smaller(grey: Grey) -> Grey:
    rows, columns = grey.shape
    size = int(0.6 * columns), int(0.6 * rows)
    return np.asarray(_picture(grey).resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def _cropped(share: float) -> Callable[[Grey], Grey]:
    def crop(grey: Grey) -> Grey:
        rows, columns = (int(share * side) for side in grey.shape)
        return grey[rows : grey.shape[0] - rows, columns : grey.shape[1] - columns]

    return crop


COPIES: Mapping[str, Callable[[Grey], Grey]] = {
    "darker, less contrast": lambda grey: 0.6 * grey + 40.0,
    "gamma 0.6": lambda grey: 255.0 * (np.clip(grey, 0.0, 255.0) / 255.0) ** np.float32(0.6),
    "60 % of the size": _smaller,
    "JPEG, quality 50": _jpeg,
    "noise, SD 8 of 255": lambda grey: grey + np.random.default_rng(0).normal(0, 8, grey.shape).astype(np.float32),
    "blur, 1.5 pixels": lambda grey: np.asarray(
        _picture(grey).filter(ImageFilter.GaussianBlur(1.5)), dtype=np.float32
    ),
    "moved by 4 pixels": lambda grey: np.roll(grey, 4, axis=1),
    "1 % cut off each side": _cropped(0.01),
    "3 % cut off each side": _cropped(0.03),
    "mirrored": lambda grey: np.ascontiguousarray(grey[:, ::-1]),
}


def distances(folder: Path, rows: list[dict[str, str]]) -> dict[str, NDArray[np.float64]]:
    """Return name -> distances of pairs of images, by whether one patient's."""
    hashes = np.stack([difference_hash(read_slice(folder / row["file"])) for row in rows]).astype(np.float64)
    apart = (hashes @ (1.0 - hashes).T + (1.0 - hashes) @ hashes.T) / hashes.shape[1]
    patients = np.array([row["patient"] for row in rows])
    above = np.triu_indices(len(rows), 1)
    is_same = (patients[:, None] == patients[None, :])[above]
    found = {"two patients": apart[above][~is_same], "one patient, two sequences": apart[above][is_same]}
    images = [read_slice(folder / row["file"]) for row in rows[::EVERY]]
    for name, alter in COPIES.items():
        pairs = [(difference_hash(image), difference_hash(alter(image))) for image in images]
        found[name] = np.array([float(np.mean(first != second)) for first, second in pairs])
    return found


def hidden_patients(folder: Path, rows: list[dict[str, str]]) -> dict[str, float]:
    """Return what the images tell of patients that stand in both parts under two names."""
    with (folder / "space.csv").open(encoding="utf-8", newline="") as stream:
        slices = [row for row in csv.DictReader(stream) if (folder / "space/images" / row["file"]).is_file()]
    images = {f"middle/{row['file']}": folder / "midsagittal" / row["file"] for row in rows}
    images |= {f"space/{row['file']}": folder / "space/images" / row["file"] for row in slices}
    owners = {f"middle/{row['file']}": int(row["patient"]) for row in rows}
    owners |= {f"space/{row['file']}": int(row["patient"]) for row in slices}
    splits = [SplitRow(key, f"{key.split('/')[0]} {owner}", key.split("/")[0]) for key, owner in owners.items()]
    leakage = check_splits(splits, images=images)
    pairs = [(owners[pair.first.id], owners[pair.second.id]) for pair in leakage.duplicates]
    in_both = {owners[key] for key in owners if key.startswith("space")}
    return {
        "images": leakage.images,
        "patients in both parts": len(in_both),
        "of them given away by an image": len({first for first, second in pairs if first == second}),
        "pairs flagged": len(pairs),
        "of them of two patients": sum(first != second for first, second in pairs),
    }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    folder = load_settings().data_dir / "spider"
    rows = list(csv.DictReader((folder / "midsagittal.csv").open(encoding="utf-8", newline="")))
    found = distances(folder / "midsagittal", rows)
    print(f"threshold {ALIKE}\n\n| pair | n | nearest | median | furthest | flagged |\n|---|---|---|---|---|---|")
    record: dict[str, dict[str, float]] = {}
    for name, values in found.items():
        low, middle, high = np.percentile(values, [0, 50, 100])
        flagged = int((values <= ALIKE).sum())
        record[name] = {"n": len(values), "min": low, "median": middle, "max": high, "flagged": flagged}
        print(f"| {name} | {len(values)} | {low:.3f} | {middle:.3f} | {high:.3f} | {flagged} |")
    record["hidden patients"] = hidden_patients(folder, rows)
    files = sorted((folder.parent / "sudirman/planes").glob("*.png"))
    twins = list(near_pairs([difference_hash(read_slice(file)) for file in files]))
    record["sudirman"] = {"images": len(files), "pairs flagged": len(twins)}
    print(f"\nSudirman's {len(files)} slices without patient ids: {len(twins)} pairs flagged.")
    print("\n| SPACE slices under other names | |\n|---|---|")
    print("\n".join(f"| {name} | {count} |" for name, count in record["hidden patients"].items()))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
