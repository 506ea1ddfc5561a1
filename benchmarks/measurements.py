"""Measurements against the truth of phantoms, from their own label maps and from the network's.

    python -m benchmarks.measurements [--source truth network] [--protocols lumbar cervical ...] [--count 12]

``truth`` tests the measuring alone: the label maps are those of the phantom, cut at its voxels. ``network`` reads
the phantom's images with the shipped weights, names included. Per quantity: number of places and how many of them
had no value (the commonest reasons follow), bias and 95 % limits of agreement, and the share within one voxel with
its interval over patients. A voxel is that of the first series, in the plane; for areas, angles and ratios it is
carried over as ``_voxel`` says. Seeds are fresh: no training and no frozen test set draws them.
"""

import argparse
import json
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anatomy import Protocol, Side, load_protocol
from evaluation.bootstrap import bootstrap_by_patient
from imaging.phantom import Phantom, build_phantom
from imaging.phantom.memory import study_in_memory
from imaging.types import Plane, Study
from pipeline.stages import is_installed
from runtime.errors import SpineScribeError
from runtime.settings import load_settings
from segmentation.measure import measure_study
from segmentation.study import Segmenter
from segmentation.types import LabelMap, Level, Measurement

SOURCES = ("truth", "network")
PROTOCOLS = ("lumbar", "cervical", "sacroiliac")
FIRST_SEED = 640_000
OUT = Path("runs/benchmarks/measurements.json")

_ROLES = {
    "lumbar": ("sagittal_t2", "axial_t2"),
    "cervical": ("sagittal_t2", "axial_t2"),
    "sacroiliac": ("coronal_t1",),
}
"""Series that are measured on."""
_NETWORK_ROLES = {**_ROLES, "sacroiliac": ("coronal_stir", "coronal_t1")}
_BODY_MM = {"lumbar": 33.0, "cervical": 15.0, "sacroiliac": 33.0}
"""Depth of a body, for the voxel of an angle and of a share of it."""


@dataclass(frozen=True)
class Row:
    """One measured place: error in the quantity's unit (nan without a value) and one voxel in that unit."""

    protocol: str
    quantity: str
    unit: str
    patient: int
    error: float
    voxel: float
    reason: str | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", nargs="+", choices=SOURCES, default=SOURCES)
    parser.add_argument("--protocols", nargs="+", choices=PROTOCOLS, default=PROTOCOLS)
    parser.add_argument("--count", type=int, default=12, help="phantoms of each protocol")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="first seed")
    options = parser.parse_args()
    logging.getLogger("segmentation").setLevel(logging.WARNING)
    tables: dict[str, list[dict[str, object]]] = {source: [] for source in options.source}
    for protocol in options.protocols:
        readers = {source: open_reader(source, protocol) for source in options.source}
        rows: dict[str, list[Row]] = defaultdict(list)
        seconds: dict[str, list[float]] = defaultdict(list)
        for number in range(options.count):
            phantom = build_phantom(protocol, seed=options.seed + number, setup=f"test_{protocol}")
            for source, reader in readers.items():
                start = time.process_time()
                rows[source] += list(compare(phantom, reader(phantom)))
                seconds[source].append(time.process_time() - start)
        for source in options.source:
            table = summarise(rows[source])
            tables[source] += table
            print_table(f"{protocol}, {source}, {np.mean(seconds[source]):.2f} CPU s a study", table)
            print_reasons(rows[source])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(tables, indent=1), encoding="utf-8")


Reader = Callable[[Phantom], tuple[Measurement, ...] | None]


def open_reader(source: str, protocol_name: str) -> Reader:
    """Return what turns a phantom into measurements; None where the study could not be read."""
    protocol = load_protocol(protocol_name)
    if source == "truth":
        return lambda phantom: from_truth(phantom, protocol)
    segmenter: Segmenter | None = None

    def read(phantom: Phantom) -> tuple[Measurement, ...] | None:
        nonlocal segmenter
        try:
            segmenter = segmenter or open_segmenter(protocol)
            study = study_of(phantom, _NETWORK_ROLES[protocol_name])
            return segmenter.segment_study(study, protocol).measurements
        except SpineScribeError as error:
            print(f"{phantom.name}: not read: {error}")
            return None

    return read


def open_segmenter(protocol: Protocol) -> Segmenter:
    """Load the shipped weights; axial series are left out where theirs are not installed."""
    axial = "segmentation_axial"
    return Segmenter.load(
        name=protocol.weights["segmentation"],
        axial_name=protocol.weights[axial] if is_installed(protocol, axial, load_settings().weights_dir) else None,
    )


def from_truth(phantom: Phantom, protocol: Protocol) -> tuple[Measurement, ...]:
    study = study_of(phantom, _ROLES[phantom.protocol])
    maps = [LabelMap(series.id, phantom.series_by_role(series.role or "").label_array) for series in study.series]
    return measure_study(study, maps, true_levels(phantom, study), protocol)


def study_of(phantom: Phantom, roles: Sequence[str]) -> Study:
    """Return a phantom's series of some roles as a study."""
    return study_in_memory(phantom.name, phantom.protocol, [item for item in phantom.series if item.role in roles])


def true_levels(phantom: Phantom, study: Study) -> tuple[Level, ...]:
    """Return the true levels on the sagittal series; none without one."""
    home = next((series for series in study.series if series.plane is Plane.SAGITTAL), None)
    if home is None or home.volume.affine is None:
        return ()
    inverse = np.linalg.inv(home.volume.affine)
    places = {
        level.name: [inverse @ [*point, 1.0] for point in (level.centre_ras_mm, level.posterior_ras_mm)]
        for level in phantom.levels
    }
    k = round(float(np.median([centre[2] for centre, _ in places.values()])))
    return tuple(
        Level(
            name=level.name,
            series_id=home.id,
            slice_index=k,
            centre_px=(float(places[level.name][0][0]), float(places[level.name][0][1])),
            posterior_px=(float(places[level.name][1][0]), float(places[level.name][1][1])),
            centre_ras_mm=level.centre_ras_mm,
            angle_deg=0.0,
            length_px=2 * float(np.hypot(*(places[level.name][1] - places[level.name][0])[:2])),
            confidence=1.0,
        )
        for level in phantom.levels
    )


def compare(phantom: Phantom, measured: tuple[Measurement, ...] | None) -> Iterator[Row]:
    """Yield every truth measurement that we measure, with our error; a study not read has no value anywhere."""
    found = {(item.name, item.level, item.side): item for item in measured or ()}
    pixel = float(np.linalg.norm(phantom.series[0].affine[:3, 0]))
    names = {item.name for item in measured or ()} or MEASURED
    for item in phantom.measurements:
        if item.name not in names:
            continue
        ours = found.get(_key(item.name, item.level, item.side))
        scale = 100.0 if item.name == "listhesis_percent" else 1.0
        value = None if ours is None else ours.value
        reason = "the level was not found" if ours is None else ours.reason
        yield Row(
            protocol=phantom.protocol,
            quantity=item.name,
            unit="%" if scale > 1 else item.unit,
            patient=phantom.seed,
            error=float("nan") if value is None else value - scale * item.value,
            voxel=_voxel(item.name, item.value, pixel, phantom, item.level),
            reason=reason if value is None else None,
        )


MEASURED = {
    "disc_height", "canal_ap_diameter", "listhesis", "listhesis_percent", "foraminal_width", "foraminal_height",
    "dural_sac_area", "cord_area", "cord_ap_diameter", "subarachnoid_space", "maximum_canal_compromise",
    "maximum_cord_compression", "vertebral_height_ratio", "lordosis", "cobb_angle", "joint_space_width",
}  # fmt: skip
"""Quantities that phantoms know and we measure: those that count as missing in a study that was not read."""


def _key(name: str, level: str, side: Side | None) -> tuple[str, str | None, Side | None]:
    return (name, None if name in ("lordosis", "cobb_angle") else level, side)


def _voxel(name: str, value: float, pixel: float, phantom: Phantom, level: str) -> float:
    """Return one voxel in the unit of a quantity.

    A length: the voxel. An area: its change when every diameter changes by a voxel. An angle: one end of both
    lines off by a voxel over the depth of a body. A ratio: the voxel over what it is divided by.
    """
    depth = _BODY_MM[phantom.protocol]
    if name in ("dural_sac_area", "cord_area"):
        return float(np.sqrt(np.pi * value) * pixel)
    if name in ("lordosis", "cobb_angle"):
        return float(np.sqrt(2) * np.degrees(np.arctan(pixel / depth)))
    if name == "listhesis_percent":
        return 100.0 * pixel / depth
    if name == "vertebral_height_ratio":
        return pixel / 26.0
    if name in ("maximum_canal_compromise", "maximum_cord_compression"):
        of = "canal_ap_diameter" if "canal" in name else "cord_ap_diameter"
        return pixel * (1.0 - value) / phantom.measurement(of, level)
    return pixel


def summarise(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Return one line a quantity."""
    table: list[dict[str, object]] = []
    for name in dict.fromkeys(row.quantity for row in rows):
        of = [row for row in rows if row.quantity == name]
        valued = [row for row in of if not np.isnan(row.error)]
        line: dict[str, object] = {
            "protocol": of[0].protocol, "quantity": name, "unit": of[0].unit, "places": len(of),
            "missing": len(of) - len(valued), "patients": len({row.patient for row in of}),
        }  # fmt: skip
        if valued:
            error = np.array([row.error for row in valued])
            within = np.array([abs(row.error) <= row.voxel for row in valued], dtype=float)
            share = bootstrap_by_patient(
                [row.patient for row in valued], lambda index, w=within: float(w[index].mean())
            )  # type: ignore[misc]
            line |= {
                "bias": float(error.mean()), "low": float(error.mean() - 1.96 * error.std()),
                "high": float(error.mean() + 1.96 * error.std()), "worst": float(error[np.abs(error).argmax()]),
                "voxel": float(np.median([row.voxel for row in valued])),
                "within": share.value, "within_low": share.low, "within_high": share.high,
            }  # fmt: skip
        table.append(line)
    return table


def print_table(title: str, table: Sequence[dict[str, object]]) -> None:
    print(f"\n{title}\n")
    print(
        "| quantity | unit | places (no value) | bias | limits of agreement | worst | voxel | within one voxel |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for line in table:
        head = f"| {line['quantity']} | {line['unit']} | {line['places']} ({line['missing']}) |"
        if "bias" not in line:
            print(f"{head} - | - | - | - | - |")
            continue
        print(
            f"{head} {line['bias']:.2f} | {line['low']:.2f} to {line['high']:.2f} | {line['worst']:.2f} | "
            f"{line['voxel']:.2f} | {line['within']:.3f} ({line['within_low']:.3f} to {line['within_high']:.3f}) |"
        )


def print_reasons(rows: Sequence[Row]) -> None:
    for (quantity, reason), number in Counter(
        (row.quantity, row.reason) for row in rows if row.reason
    ).most_common(8):
        print(f"- no {quantity} {number} times: {reason}")


if __name__ == "__main__":
    main()
