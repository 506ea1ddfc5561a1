"""Heat maps for the viewer: pictures, places, reasons; the joint pass gives what grade by grade gives."""

import io
import json
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from pipeline import Reader
from service.viewing.saliency import heat_png, saliency_files
from tests.pipeline.fakes import fake_reader
from tests.service.viewing.made import made_reading


def test_heat_becomes_opacity() -> None:
    heat = np.zeros((6, 9), dtype=np.float32)
    heat[2, 3], heat[4, 4] = 1.0, 0.04
    with Image.open(io.BytesIO(heat_png(heat))) as picture:
        assert picture.size == (9, 6)
        pixels = np.asarray(picture)
    assert pixels[2, 3].tolist() == [255, 235, 90, 217]
    assert pixels[4, 4, 3] == 0
    assert pixels[..., 3].astype(bool).sum() == 1


def test_without_a_network_every_finding_has_a_reason() -> None:
    files = saliency_files(fake_reader(), made_reading())
    assert list(files) == ["saliency.json"]
    index: dict[str, Any] = json.loads(files["saliency.json"])
    assert set(index["reasons"]) == {grade.id for grade in made_reading().findings.grades}
    assert index["maps"] == {}
    assert "a measurement decided" in index["reasons"]["g3"]
    assert "could not be given" in index["reasons"]["g4"]
    assert "positive grades" in index["reasons"]["g2"]


def test_a_fault_loses_the_maps_not_the_reading(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def models(self, protocol: object) -> object:
            raise RuntimeError("the network fell over")

    files = saliency_files(cast("Reader", Broken()), made_reading())
    index = json.loads(files["saliency.json"])
    assert index["maps"] == {}
    assert "went wrong on our side" in index["reasons"]["g14"]
    assert "heat maps could not be made" in caplog.text


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_map_is_a_png_with_alpha(value: float) -> None:
    with Image.open(io.BytesIO(heat_png(np.full((4, 4), value, dtype=np.float32)))) as picture:
        assert picture.mode == "RGBA"
