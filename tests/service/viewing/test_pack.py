"""The viewer's files against the reading they were made of."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from anatomy import disc_label
from pipeline.types import Reading
from reporting.slice_picture import structure_colours
from service.api.schemas.readings import ViewerManifest
from service.viewing.pack import labels_file, structure_names, values_file, viewer_files
from tests.service.viewing.made import MIDDLE, SLICES, made_reading


@pytest.fixture(scope="module")
def reading() -> Reading:
    return made_reading()


@pytest.fixture(scope="module")
def files(reading: Reading) -> dict[str, bytes]:
    return viewer_files(reading)


@pytest.fixture(scope="module")
def manifest(files: dict[str, bytes]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files["viewer.json"])
    return content


def slices_of(files: dict[str, bytes], name: str, row: dict[str, Any], dtype: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(files[name], dtype=dtype).reshape(row["slices"], row["rows"], row["columns"])


def test_the_files_of_every_series_are_there(files: dict[str, bytes]) -> None:
    assert list(files) == ["viewer.json", "viewer-S1.i16", "viewer-S1.labels.u16", "viewer-S2.i16"]


def test_slices_hold_the_values_as_they_are_displayed(
    reading: Reading, files: dict[str, bytes], manifest: dict[str, Any]
) -> None:
    for row, series in zip(manifest["series"], reading.study.series, strict=True):
        stored = slices_of(files, values_file(row["id"]), row, "<i2")
        scale = row["scale"]
        for k in range(row["slices"]):
            values = stored[k] * scale["slope"] + scale["intercept"]
            assert np.allclose(values, series.volume.slice_image(k), atol=0.51 * (scale["slope"] % 1 or 1e-9))


def test_labels_lie_on_the_same_pixels(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    row = manifest["series"][0]
    labels = slices_of(files, labels_file("S1"), row, "<u2")
    level = next(item for item in row["levels"] if item["name"] == "L4-L5")
    x, y = (round(value) for value in level["centre_px"])
    assert labels[MIDDLE, y, x] == disc_label("L4-L5")
    assert not labels[0].any()
    assert row["has_labels"] is True
    assert manifest["series"][1]["has_labels"] is False


def test_boxes_hold_what_they_name(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    row = manifest["series"][0]
    labels = slices_of(files, labels_file("S1"), row, "<u2")
    assert {box["finding_id"] for box in row["boxes"]} >= {"g13", "g14"}
    for box in row["boxes"]:
        x0, y0, x1, y1 = box["box_px"]
        inside = labels[box["slice"], round(y0) : round(y1), round(x0) : round(x1)]
        assert (inside == disc_label(box["level"])).any()
    bulge = next(box for box in row["boxes"] if box["finding_id"] == "g14")
    assert bulge["is_positive"] is True
    assert bulge["words"] == "disc bulge at L4-L5: present"
    assert next(box for box in row["boxes"] if box["finding_id"] == "g2")["is_positive"] is False


def test_geometry_directions_and_window_are_told(manifest: dict[str, Any]) -> None:
    first, second = manifest["series"]
    assert (first["row_mm"], first["column_mm"], first["slice_mm"]) == (0.5, 0.5, 4.0)
    assert first["directions"] == {"left": "A", "right": "P", "top": "H", "bottom": "F"}
    assert first["window"] == {"centre": 200.0, "width": 300.0}
    assert first["start_slice"] == MIDDLE
    assert second["row_mm"] is None
    assert second["affine"] is None
    assert second["start_slice"] == 1


def test_unknown_directions_stay_unknown(manifest: dict[str, Any]) -> None:
    assert manifest["series"][1]["directions"] == dict.fromkeys(("left", "right", "top", "bottom"))


def test_lines_are_those_of_the_reading(reading: Reading, manifest: dict[str, Any]) -> None:
    rows = manifest["series"][0]["measurements"]
    assert len(rows) == len(reading.findings.measurements)
    assert rows[0]["name"] == "disc height"
    assert rows[0]["line_px"] == [[65.0, 25.0], [65.0, 35.0]]


def test_structures_have_the_overlays_colours(manifest: dict[str, Any]) -> None:
    disc = next(row for row in manifest["structures"] if row["label"] == disc_label("L4-L5"))
    assert disc["name"] == "disc L4-L5"
    assert disc["level"] == "L4-L5"
    assert disc["colour"] == "#{:02x}{:02x}{:02x}".format(*structure_colours()[disc["label"]])
    assert structure_names().keys() == structure_colours().keys()


def test_the_manifest_fits_its_schema(manifest: dict[str, Any]) -> None:
    ViewerManifest.model_validate({**manifest, "saliency": {}})
    assert manifest["series"][0]["slices"] == SLICES


def test_a_reading_without_label_maps_is_packed_too(reading: Reading) -> None:
    bare = replace(reading, segmented=replace(reading.segmented, label_maps=()))
    content = json.loads(viewer_files(bare)["viewer.json"])
    assert content["structures"] == []
    assert not content["series"][0]["has_labels"]
