"""One grade explained on drawn spines with a small untrained grader."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from anatomy import Condition, load_protocol
from grading.crops import crop_pixels
from grading.predict import Grader
from grading.saliency import Saliency, SaliencyMethod, explain_grade
from grading.saliency.discs import disc_heats, disc_windows
from grading.saliency.focus import Region, find_region, series_frames
from grading.saliency.place import WindowPlace, window_mask
from grading.storage import StoredGrader
from grading.types import Findings
from imaging.types import Study
from runtime.errors import ConfigError, NotEligibleError
from segmentation.types import SegmentedStudy
from tests.grading.factories import LEVELS, canal_measurement, chain
from tests.grading.saliency.tiny import CONFIG, GEOMETRY, outlined_study, tiny_grader

LUMBAR = load_protocol("lumbar")
SECOND = {level: (x + 15, y - 6) for level, (x, y) in chain().items()}


@pytest.fixture(scope="module")
def grader() -> Grader:
    return tiny_grader()


def read(grader: Grader, **options: object) -> tuple[Study, SegmentedStudy, Findings]:
    study, segmented = outlined_study(chain(), **options)  # type: ignore[arg-type]
    measured = tuple(canal_measurement(n, level, 8.0 + n) for n, level in enumerate(chain(), 1))
    segmented = replace(segmented, measurements=measured)
    return study, segmented, grader.grade(study, segmented, LUMBAR)


def id_of(findings: Findings, condition: Condition, level: str = "L4-L5") -> str:
    return next(grade.id for grade in findings.grades_at(level) if grade.condition is condition)


def explain(grader: Grader, condition: Condition, **options: object) -> tuple[Saliency, ...]:
    study, segmented, findings = read(grader, **options)
    return explain_grade(grader, study, segmented, findings, id_of(findings, condition))


@pytest.mark.parametrize("method", list(SaliencyMethod))
def test_a_record_a_series_on_the_slices_own_pixels(grader: Grader, method: SaliencyMethod) -> None:
    study, segmented, findings = read(grader, second=SECOND)
    name = id_of(findings, Condition.DISC_NARROWING)
    found = explain_grade(grader, study, segmented, findings, name, method=method)
    assert [(item.series_id, item.outlined_on, item.level) for item in found] == [
        ("S1", "S1", "L4-L5"),
        ("S2", "S1", "L4-L5"),
    ]
    assert sum(item.window_share or 0 for item in found) == pytest.approx(1.0)
    assert max(float(item.map.max()) for item in found) == pytest.approx(1.0, abs=0.05)
    for item, series in zip(found, study.series, strict=True):
        pixels = crop_pixels(series_frames(series, segmented)["L4-L5"], GEOMETRY)
        window = window_mask(WindowPlace.of_pixels(pixels, (340, 220)))
        assert item.map.shape == (340, 220)
        assert item.map.dtype == np.float32
        assert item.map.min() >= 0
        assert item.map[~window].max() == 0
        assert item.cell_px == pytest.approx((4 * 2.1 * 40 / 48,) * 2)
        assert item.level_share is not None
        assert 0 < item.level_share <= 1
        assert (item.view, item.side) == ("midline", None)
        x0, y0, x1, y1 = item.box_px
        assert not window[: int(y0)].any()
        assert window[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1].sum() == window.sum()


def test_the_focused_map_lies_in_the_region_and_its_share_is_told(grader: Grader) -> None:
    study, segmented, _ = read(grader)
    (item,) = explain(grader, Condition.DISC_NARROWING)
    region = find_region(Condition.DISC_NARROWING, "L4-L5", study.series[0], study, segmented, GEOMETRY)
    assert isinstance(region, Region)
    assert item.focused_map is not None
    assert item.focused_map[~region.mask].max() == 0
    assert np.array_equal(item.focused_map[region.mask], item.map[region.mask])
    assert item.energy_share == pytest.approx(float(item.focused_map.sum() / item.map.sum()), rel=1e-4)
    assert item.area_share is not None
    assert 0 < item.area_share < 1
    assert item.reason is None


def test_a_head_that_reads_one_corner_of_the_crop_has_heat_there(grader: Grader) -> None:
    corner = tiny_grader(seed=3)
    pooling = corner.members[0].encoder.pooling
    kept = torch.zeros(32, 4, 6)
    kept[:, 0, 0] = 1.0  # the upper front corner of the pooling's grid
    with torch.no_grad():
        pooling.project.weight *= kept.flatten()
    heats = []
    for condition in (Condition.DISC_NARROWING, Condition.DISC_BULGING, Condition.SPONDYLOLISTHESIS):
        (item,) = explain(corner, condition)
        heats.append(item.map)
    heat = np.sum(heats, axis=0)
    assert heat.max() > 0
    rows, columns = np.nonzero(heat > 0.05 * heat.max())
    x, y = chain()["L4-L5"]
    top, front = y - GEOMETRY.half_height_pitches * 40, x - GEOMETRY.front_pitches * 40
    assert rows.min() >= top - 1
    assert rows.max() < top + 20
    assert columns.min() >= front - 1
    assert columns.max() < front + 20


def test_the_same_study_gives_the_same_map_and_other_weights_another(grader: Grader) -> None:
    first, second = (explain(grader, Condition.DISC_BULGING)[0].map for _ in range(2))
    assert np.array_equal(first, second)
    other = explain(tiny_grader(seed=5), Condition.DISC_BULGING)[0].map
    assert np.corrcoef(first[first > 0], other[first > 0])[0, 1] < 0.9


@pytest.mark.parametrize(
    "encoder",
    ["hybrid", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mobilenet_v3", "efficientnet"))],
)
def test_the_other_encoders_can_be_explained(encoder: str) -> None:
    (item,) = explain(tiny_grader(encoder=encoder), Condition.DISC_BULGING)
    stride = 4 if encoder == "hybrid" else 16
    assert item.cell_px == pytest.approx((stride * 2.1 * 40 / 48,) * 2)
    assert 0 < item.map.max() <= 1


def test_members_are_averaged() -> None:
    both = tiny_grader(members=2)
    study, segmented, findings = read(both)
    grade = next(item for item in findings.grades_at("L4-L5") if item.condition is Condition.DISC_BULGING)
    windows = disc_windows(both, study, segmented)

    def heat_of(grader: Grader) -> np.ndarray:
        found = disc_heats(grader, windows, grade, SaliencyMethod.HIRES_CAM)
        return next(item.heat for item in found if item.window.level == "L4-L5")

    alone = [
        Grader(StoredGrader(CONFIG, (member,), {}, LEVELS), checksum="", device=torch.device("cpu"))
        for member in both.members
    ]
    first, second = (heat_of(item) for item in alone)
    assert not np.allclose(first, second)
    assert np.allclose(heat_of(both), (first + second) / 2, atol=1e-6)


def test_without_outlines_the_share_is_unknown_and_says_why(grader: Grader) -> None:
    study, segmented, findings = read(grader)
    bare = replace(segmented, label_maps=())
    (item,) = explain_grade(grader, study, bare, findings, id_of(findings, Condition.DISC_BULGING))
    assert (item.focused_map, item.energy_share, item.area_share) == (None, None, None)
    assert item.reason == "no outlines at L4-L5"
    assert item.map.max() > 0


def test_a_record_as_plain_data(grader: Grader) -> None:
    (item,) = explain(grader, Condition.DISC_DEGENERATION)
    table = item.to_dict()
    assert (table["series"], table["slice"], table["method"]) == ("S1", 0, "hires_cam")
    assert table["target"] == "log-odds of III or worse"
    assert table["structures"] == ["disc"]
    assert "map" not in table


def test_what_cannot_be_explained(grader: Grader) -> None:
    study, segmented, findings = read(grader)

    def ask(name: str, given: Findings = findings) -> tuple[Saliency, ...]:
        return explain_grade(grader, study, segmented, given, name)

    with pytest.raises(ConfigError, match=r"grade: expected one of g1, .*, got 'g999'"):
        ask("g999")
    with pytest.raises(ConfigError, match=r"spinal_canal_stenosis at L4-L5\) has no saliency: no network gave it"):
        ask(id_of(findings, Condition.SPINAL_CANAL_STENOSIS))
    with pytest.raises(NotEligibleError, match="could not be given: needs a sagittal T1 image of this level"):
        ask(id_of(findings, Condition.MODIC))
