"""The segmentation benchmark's figures: by hand on drawn masks, and whole on a made-up data folder."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.segmentation.cases import (
    LEVELS,
    SpacePatient,
    look,
    masks_of,
    point_slices,
    space_patients,
    with_neighbours,
)
from benchmarks.segmentation.metrics import dice, hd95_mm
from benchmarks.segmentation.models import held_out_fold, load_models
from benchmarks.segmentation.rare import Limits, canal_places, disc_places, load_limits
from benchmarks.segmentation.render import Scored, error_map, outlined, pick, refuse_tracked, render, slice_dice
from benchmarks.segmentation.scoring import Row, peak_distances, score_all, space_figures
from benchmarks.segmentation.tables import compare, comparison_table, read_rows, summarise, write_record
from imaging.types import Spacing
from runtime.errors import ConfigError, WeightsError
from runtime.folds import spider_folds
from segmentation.build import build_network, build_prompts
from segmentation.config import NetworkConfig
from segmentation.predict import SliceSegmenter
from segmentation.types import SliceMaps

SPACING = (0.5, 0.5)
FOLD_0 = min(patient for patient, fold in spider_folds().items() if fold == 0)


def spine(
    heights: tuple[int, ...] = (20, 20, 8), canal_width: tuple[int, ...] = (30, 30, 12)
) -> NDArray[np.uint8]:
    """Discs 80 pixels long of given heights, 60 rows apart; a canal behind them, of given width at each."""
    labels = np.zeros((80 + 60 * len(heights), 200), dtype=np.uint8)
    for index, (height, width) in enumerate(zip(heights, canal_width, strict=True)):
        middle = 70 + 60 * index
        labels[middle - 30 : middle + 30, 115 : 115 + width] = 3
        labels[middle - height // 2 : middle + height // 2, 25:105] = 1
    labels[:40, 115:145] = 3
    labels[-40:, 115:145] = 3
    return labels


def case(labels: NDArray[np.uint8], slices: int = 1, patient: int = FOLD_0) -> SpacePatient:
    stack = np.repeat(labels[None], slices, axis=0)
    images = stack.astype(np.float32) * 60
    files = tuple(f"s{index}.png" for index in range(slices))
    return SpacePatient(
        patient, files, images, stack, with_neighbours(images, [2 * n for n in range(slices)]), SPACING
    )


def truth(item: SpacePatient) -> dict[str, NDArray[np.bool_]]:
    return {name: item.reference(name).copy() for name in ("disc", "vertebra", "spinal_canal")}


def test_dice_and_distance_by_hand() -> None:
    one, other = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    one[10:20, 10:20] = True
    other[10:20, 14:24] = True
    assert dice(one, other) == pytest.approx(2 * 60 / 200)
    assert np.isnan(dice(one & ~one, one & ~one))
    assert hd95_mm(one, one, SPACING) == 0
    assert hd95_mm(one, other, (0.5, 2.0)) == pytest.approx(8.0)  # four columns of 2 mm
    assert hd95_mm(one, other, (0.5, 0.5)) == pytest.approx(2.0)
    assert np.isnan(hd95_mm(one, one & ~one, SPACING))


def test_neighbours_stop_at_ends_and_gaps() -> None:
    images = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
    found = with_neighbours(images, [10, 12, 14, 20, 22])[:, :, 0, 0]
    assert found.tolist() == [[0, 1], [0, 2], [1, 2], [3, 4], [3, 4]]


def test_neighbours_are_shown_only_to_networks_that_take_them() -> None:
    asked: list[bool] = []

    class Watcher:
        def __init__(self, context_slices: int) -> None:
            self.config = NetworkConfig(context_slices=context_slices)

        def segment_slices(self, images: object, spacing: object, neighbours: object = None) -> None:
            asked.append(neighbours is not None)

    for context in (0, 1):
        look(Watcher(context), np.zeros((1, 4, 4)), None, np.zeros((1, 2, 4, 4)))
    assert asked == [False, True]


def test_height_index_and_canal_width_by_hand() -> None:
    item = case(spine())
    indices = sorted(place.value for place in disc_places(item))
    assert indices == pytest.approx([8 / 80, 20 / 80, 20 / 80], rel=0.03)
    widths = sorted(place.value for place in canal_places(item))
    assert widths == pytest.approx([6.0, 15.0, 15.0], abs=0.6)  # 12, 30 and 30 pixels of 0.5 mm


def test_specks_and_cut_off_canals_have_no_place() -> None:
    labels = spine()
    labels[2:8, 20:26] = 1  # a speck 3 mm long
    labels[140:, 110:150] = 0  # the canal ends 5 mm below the middle disc
    item = case(labels)
    assert len(list(disc_places(item))) == 3
    assert [place.value for place in canal_places(item)] == pytest.approx([15.0], abs=0.6)


def test_a_rare_place_is_scored_within_its_own_zone() -> None:
    item = case(spine())
    masks = truth(item)
    masks["disc"][0, 180:200] = False  # the thin disc (rows 186 to 193) is missed
    masks["disc"][0, :30] = True  # what is added far away is no disc's business
    thin, *_ = sorted(disc_places(item), key=lambda place: place.value)
    other = sorted(disc_places(item), key=lambda place: place.value)[1:]
    assert not masks["disc"][0][thin.zone].any()
    for place in other:
        assert np.array_equal(masks["disc"][0][place.zone], item.reference("disc")[0][place.zone])


def test_figures_of_a_patient() -> None:
    item = case(spine(), slices=4)
    masks = truth(item)
    masks["spinal_canal"][0] = False
    figures = space_figures(item, masks)
    assert figures["disc Dice"] == 1
    assert figures["disc HD95 mm"] == 0
    assert np.isnan(figures["vertebra Dice"])  # drawn nowhere
    assert figures["spinal_canal Dice"] == pytest.approx(2 * 3 / 7)  # three of four equal slices, pooled
    assert figures["structures missed in a slice"] == pytest.approx(1 / 8)
    assert figures["mean foreground Dice"] == pytest.approx((1 + 6 / 7) / 2)


def rows(values: Mapping[int, float], task: str = "disc Dice") -> list[Row]:
    return [Row(task, patient, value) for patient, value in values.items()]


def test_comparison_pairs_patients_and_knows_what_is_better() -> None:
    base = {patient: 0.5 + 0.04 * patient for patient in range(10)}
    first = rows({patient: value + 0.05 for patient, value in base.items()} | {99: 1.0})
    found = compare(
        [*first, *rows(dict.fromkeys(base, 2.0), "disc HD95 mm")],
        [*rows(base), *rows(dict.fromkeys(base, 3.0), "disc HD95 mm")],
    )
    assert found["disc Dice"].interval.value == pytest.approx(0.05)  # patient 99 has no partner
    assert found["disc Dice"].interval.low == pytest.approx(
        0.05
    )  # equal differences: the spread of patients cancels
    assert found["disc Dice"].interval.patients == 10
    table = comparison_table(found, "ours", "theirs")
    assert table.count("| ours |\n") + table.endswith("| ours |") == 2  # less distance is better
    assert "not told apart" in comparison_table(compare(rows({1: 0.5, 2: 0.7}), rows({1: 0.7, 2: 0.5})), "a", "b")


def test_several_seeds_of_a_patient_count_once() -> None:
    found = compare([*rows({1: 0.4, 2: 0.6}), *rows({1: 0.6, 2: 0.8})], rows({1: 0.5, 2: 0.5}))
    assert found["disc Dice"].interval.value == pytest.approx(0.1)
    assert found["disc Dice"].interval.patients == 2


def test_summary_leaves_out_what_is_nan_and_names_the_worst(tmp_path: Path) -> None:
    scored = [
        *rows({1: 0.9, 2: 0.7, 3: float("nan")}),
        *rows({1: 2.0, 2: 5.0}, "disc HD95 mm"),
        Row("empty", 1, float("nan")),
    ]
    tasks = summarise(scored)
    assert list(tasks) == ["disc Dice", "disc HD95 mm"]
    assert (tasks["disc Dice"]["worst_patient"], tasks["disc HD95 mm"]["worst_patient"]) == (2, 2)
    write_record(tmp_path / "record.json", scored, models="x")
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["figures"]["disc Dice"]["value"] == pytest.approx(0.8)
    assert read_rows(tmp_path / "record.json")[:2] == scored[:2]


class Oracle(SliceSegmenter):
    """Sees the truth in the grey values: 60 times the label. Levels peak where the picture is white."""

    def __init__(self) -> None:
        config = NetworkConfig(widths=(8, 8, 8, 16, 16), token_dim=32, heads=4, text_width=32, text_layers=1)
        torch.manual_seed(0)
        super().__init__(build_network(config), build_prompts(config)().detach(), config)

    def segment_slices(
        self,
        images: NDArray[np.floating],
        spacing: Spacing | None,
        neighbours: NDArray[np.floating] | None = None,
    ) -> SliceMaps:
        labels = np.round(images / 60)
        masks = np.stack([labels == number for number in (1, 2, 3)], axis=1).astype(np.float32)
        levels = np.zeros((len(images), 5, *images.shape[1:]), np.float32)
        for level, grey in enumerate((201, 203, 205, 207, 209)):
            levels[:, level] = images == grey
        return SliceMaps(
            self.config.structures,
            masks,
            self.config.levels,
            levels,
            (1.0, 1.0),
            (),
            np.zeros((1, 0, 0), np.float32),
        )


def write_table(file: Path, lines: list[dict[str, object]]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of one patient: two SPACE slices, a T1 slice with vertebrae, a T2 slice with points."""
    spider = tmp_path / "data" / "spider"
    for folder in ("space/images", "space/masks", "vertebrae/images", "vertebrae/masks", "midsagittal"):
        (spider / folder).mkdir(parents=True)
    labels = spine()
    labels[95:115, 25:105] = 2
    space = []
    for number in (12, 10):  # the table need not be in order
        Image.fromarray(labels * 60 + number % 3).save(spider / "space/images" / f"a{number}.png")
        Image.fromarray(labels).save(spider / "space/masks" / f"a{number}.png")
        space.append(
            {
                "file": f"a{number}.png",
                "patient": FOLD_0,
                "slice": number,
                "row_spacing_mm": 0.5,
                "col_spacing_mm": 0.5,
            }
        )
    write_table(spider / "space.csv", space)
    Image.fromarray((labels == 2).astype(np.uint8) * 120).save(spider / "vertebrae/images/v.png")
    Image.fromarray((labels == 2).astype(np.uint8)).save(spider / "vertebrae/masks/v.png")
    vertebra = {
        "file": "v.png",
        "series": f"{FOLD_0}_t1",
        "patient": FOLD_0,
        "mask_pixels": int((labels == 2).sum()),
    }
    write_table(spider / "vertebrae.csv", [vertebra, {**vertebra, "file": "lateral.png", "mask_pixels": 500}])
    picture, points = np.zeros((100, 50), np.uint8), []
    greys, places = range(201, 210, 2), range(9, 100, 20)
    for level, grey, row in zip(LEVELS, greys, places, strict=True):
        picture[row + (8 if level == "L5-S1" else 0), 24] = (
            grey  # L5-S1 is found 0.4 of the pitch (20 rows) too low
        )
        points.append(
            {
                "file": "p_t2.png",
                "patient": FOLD_0,
                "level": level,
                "relative_x": 24.5 / 50,
                "relative_y": (row + 0.5) / 100,
            }
        )
    Image.fromarray(picture).save(spider / "midsagittal/p_t2.png")
    write_table(spider / "disc_points.csv", points)
    listed = {
        "file": "p_t2.png",
        "patient": FOLD_0,
        "spacing_trusted": "no",
        "row_spacing_mm": 1,
        "col_spacing_mm": 1,
    }
    write_table(spider / "midsagittal.csv", [listed])
    return tmp_path / "data"


def test_a_perfect_network_scores_perfectly(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    figures = {row.task: row.value for row in score_all(data, {0: Oracle()})}
    for task in (
        "SPACE disc Dice",
        "SPACE vertebra Dice",
        "SPACE spinal_canal Dice",
        "SPACE mean foreground Dice",
    ):
        assert figures[task] == 1
    for task in ("thin discs", "other discs", "narrowed canal", "canal at other levels"):
        assert figures[f"SPACE {task} Dice"] == 1
    assert figures["SPACE disc HD95 mm"] == figures["SPACE structures missed in a slice"] == 0
    assert figures["T1 vertebra Dice"] == figures["T1 and T2 vertebra Dice"] == 1
    assert figures["T1 and T2 vertebra Dice near the midline"] == 1
    assert figures["T2 points within 0.3 pitch (raw peaks)"] == pytest.approx(0.8)
    assert score_all(data, {1: Oracle()}) == []  # fold 1's network has seen this patient


def test_peaks_are_measured_in_pitches(data: Path) -> None:
    (item,) = point_slices(data)
    assert item.spacing is None  # not trusted
    assert peak_distances(Oracle(), item) == pytest.approx([0, 0, 0, 0, 0.4], abs=1e-6)


def test_slices_come_in_order_with_their_neighbours(data: Path) -> None:
    (item,) = space_patients(data)
    assert item.files == ("a10.png", "a12.png")
    assert np.array_equal(item.neighbours[0], item.images)  # nobody before the first: itself, and the second
    assert list(space_patients(data, {FOLD_0 + 100000})) == []


def test_limits_are_kept_until_the_table_changes(data: Path, tmp_path: Path) -> None:
    limits = load_limits(data, tmp_path)
    assert limits.disc == pytest.approx(0.1375, rel=0.05)  # the quarter of twice 0.1 and four times 0.25
    (kept,) = tmp_path.glob("rare_limits_*.json")
    kept.write_text(json.dumps({"disc": 1.0, "canal": 2.0}))
    assert load_limits(data, tmp_path) == Limits(1.0, 2.0)
    with (data / "spider/space.csv").open("a") as stream:
        stream.write("\n")
    assert load_limits(data, tmp_path) == limits


def test_structures_the_weights_do_not_have_are_unknown() -> None:
    maps = Oracle().segment_slices(np.zeros((1, 8, 8)), None)
    assert masks_of(maps, "sacrum") is None
    assert masks_of(maps, "disc") is not None


def test_renders_best_median_and_worst(data: Path, tmp_path: Path) -> None:
    files = list(render(data, {0: Oracle()}, tmp_path / "pictures"))
    assert len(files) == 6
    for file in files:
        with Image.open(file) as picture:
            assert picture.size[1] == 640 + 2 * 22
    ranked = pick([Scored(value, patient, {}) for patient, value in enumerate([0.9, 0.7, 0.8, 0.6])])
    assert {place: item.patient for place, item in ranked.items()} == {"best": 0, "median": 1, "worst": 3}
    with pytest.raises(ConfigError, match="expected patients of the held-out folds"):
        list(render(data, {1: Oracle()}, tmp_path / "pictures"))


def test_the_worst_slice_is_the_one_with_the_errors() -> None:
    item = case(spine(), slices=3)
    masks = truth(item)
    masks["disc"][1] = False
    assert slice_dice(item, masks).argmin() == 1
    picture = np.full((*item.labels.shape[1:], 3), 100, np.uint8)
    painted = error_map(picture, {"disc": masks["disc"][1]}, {"disc": item.reference("disc")[1]})
    assert (painted[item.reference("disc")[1]] == (255, 60, 60)).all()
    assert (painted[~item.reference("disc")[1]] == 45).all()
    drawn = outlined(picture, {"disc": item.reference("disc")[0]}, 1)
    assert tuple(drawn[60, 25]) == (255, 176, 0)
    assert tuple(drawn[70, 60]) == (100, 100, 100)  # inside stays the picture


def test_pictures_of_patients_go_to_ignored_folders_only(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    with pytest.raises(ConfigError, match="pictures of real patients are never committed"):
        refuse_tracked(root / "docs" / "new" / "folder")
    refuse_tracked(root / "out" / "segmentation")
    refuse_tracked(tmp_path / "outside" / "any")


def test_models_of_unknown_folds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="expected a model folder or fold0 to fold4"):
        load_models(str(tmp_path))
    from runtime.weights import seal_weights

    seen = tmp_path / "all"
    seen.mkdir()
    (seen / "config.json").write_text(json.dumps({"training": {"held_out_fold": None}}))
    seal_weights(seen)
    with pytest.raises(WeightsError, match="no patient is left to score it on"):
        load_models(str(seen))
    (seen / "config.json").write_text(json.dumps({"training": {"held_out_fold": 3}}))
    seal_weights(seen)
    assert held_out_fold(seen) == 3
    with pytest.raises(WeightsError, match=r"expected models of the folds \[0\], found those of \[3\]"):
        load_models(str(seen), [0])
