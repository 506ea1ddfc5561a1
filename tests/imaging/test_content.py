"""The content classifier: its arithmetic, its rules, and what it says of phantoms and real slices."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from imaging.content import ContentClassifier, ContentFinding, Position, decide_by_content
from imaging.content.classify import ContentSettings
from imaging.content.network import STRIDES, Network, _convolve
from imaging.content.view import SIDE_PX, channels, standard_view
from imaging.load import load_study
from imaging.phantom import Phantom, phantom_picture
from imaging.roles import Candidate
from imaging.sequences import sequence_from_name
from imaging.types import Plane, Sequence, Series, Volume
from runtime.errors import WeightsError
from runtime.folds import spider_folds
from runtime.paths import configs_dir
from runtime.weights import seal_weights
from tests.built_phantoms import built_phantom

Grey = NDArray[np.float32]


@pytest.fixture(scope="module")
def classifier() -> ContentClassifier:
    return ContentClassifier.load()


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return built_phantom("lumbar")


def read(file: Path) -> Grey:
    with Image.open(file) as image:
        return np.asarray(image.convert("L"), dtype=np.float32)


def test_the_view_does_not_hang_on_size_brightness_or_margin() -> None:
    rng = np.random.default_rng(0)
    small = ndimage.gaussian_filter(rng.random((192, 144)), 25).astype(np.float32)
    small = (small - small.min()) / np.ptp(small)
    first = standard_view(small)
    assert first.shape == (SIDE_PX, SIDE_PX)
    brighter = standard_view(small * 700 + 30)
    np.testing.assert_allclose(brighter, first, atol=1e-4)
    body = np.pad(small + 0.2, 10)  # black at the border of the picture, as around a patient
    with_margin = standard_view(np.pad(body, ((10, 60), (80, 5))))
    assert np.corrcoef(with_margin.ravel(), standard_view(body).ravel())[0, 1] > 0.95


def test_an_even_or_tiny_picture_has_a_view() -> None:
    for image in (np.zeros((100, 80)), np.ones((3, 200)), np.full((1, 1), 7.0)):
        view = channels(standard_view(image.astype(np.float32)))
        assert view.shape == (2, SIDE_PX, SIDE_PX)
        assert np.isfinite(view).all()


@pytest.mark.parametrize(("stride", "size"), [(1, 3), (2, 3), (2, 5)])
def test_convolution_is_that_of_torch(stride: int, size: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    planes = rng.normal(size=(3, 12, 12)).astype(np.float32)
    kernel = rng.normal(size=(4, 3, size, size)).astype(np.float32)
    theirs = torch.nn.functional.conv2d(
        torch.from_numpy(planes)[None], torch.from_numpy(kernel), stride=stride, padding=size // 2
    )[0].numpy()
    np.testing.assert_allclose(_convolve(planes, kernel, stride), theirs, atol=1e-4)


def test_folding_batch_normalisation_changes_nothing() -> None:
    torch = pytest.importorskip("torch")
    from segmentation.training.content import ContentNet, folded_state

    torch.manual_seed(0)
    net = ContentNet()
    with torch.no_grad():
        for norm in net.norms:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
            norm.weight.uniform_(0.5, 1.5)
    net.eval()
    planes = np.random.default_rng(2).random((2, SIDE_PX, SIDE_PX)).astype(np.float32)
    with torch.no_grad():
        view, sequence = net(torch.from_numpy(planes)[None])
    ours = Network.from_state(folded_state(net)).logits(planes)
    np.testing.assert_allclose(ours[0], view[0].numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(ours[1], sequence[0].numpy(), rtol=1e-3, atol=1e-3)


def test_weights_must_be_whole(tmp_path: Path, classifier: ContentClassifier) -> None:
    with pytest.raises(WeightsError, match="plane-sequence"):
        ContentClassifier.load(weights_root=tmp_path)
    from safetensors.numpy import save_file

    folder = tmp_path / "plane-sequence"
    folder.mkdir()
    save_file({"kernel_0": classifier.network.kernels[0]}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    seal_weights(folder)
    with pytest.raises(WeightsError, match="expected a content classifier"):
        ContentClassifier.load(weights_root=tmp_path)


class Fixed(ContentClassifier):
    """Says what it is told to."""

    def __init__(self, finding: ContentFinding) -> None:
        settings = ContentSettings((), (), ("lumbar",), ("sagittal",), 1.0, 1.0, 0.9, 0.9, 0.9)
        super().__init__(Network((), (), *[np.zeros(1, np.float32)] * 4), settings)
        self.finding = finding

    def judge(self, images: object) -> ContentFinding:
        return self.finding


SEEN = ContentFinding(Plane.SAGITTAL, 0.99, Plane.SAGITTAL, Position.UPRIGHT, Sequence.T2, 0.98, Sequence.T2)


def bare(name: str = "4", plane: Plane = Plane.SAGITTAL) -> Candidate:
    finding = sequence_from_name(name)
    volume = Volume(np.zeros((200, 180, 1), dtype=np.float32), None, None, (200, 180, 1))
    reasons = (f"plane {plane.value}: assumed, a picture does not tell its plane", *finding.reasons)
    return Candidate(Series("S1", None, plane, finding.sequence, volume, reasons=reasons), finding)


def decide(
    finding: ContentFinding, candidate: Candidate, *, words: str = "", is_plane_told: bool = False
) -> tuple[Candidate, tuple[str, ...]]:
    return decide_by_content(
        candidate, Fixed(finding), protocol="lumbar", words=words, is_plane_told=is_plane_told
    )


def test_content_tells_what_the_name_does_not() -> None:
    decided, notices = decide(SEEN, bare())
    assert decided.series.sequence is Sequence.T2
    assert decided.finding.sequence is Sequence.T2
    assert notices == ()
    assert any("sequence T2: from the content (98%)" in reason for reason in decided.series.reasons)
    assert not any(reason.startswith("sequence unknown") for reason in decided.series.reasons)


def test_an_axial_picture_is_taken_as_axial_and_said_so() -> None:
    axial = replace(SEEN, plane=Plane.AXIAL, likeliest_plane=Plane.AXIAL, position=Position.UNKNOWN)
    decided, notices = decide(axial, bare())
    assert decided.series.plane is Plane.AXIAL
    assert "looks axial and is taken as such" in notices[0]
    named, notices = decide(axial, bare("sag_1"), words="sag 1")
    assert named.series.plane is Plane.SAGITTAL
    assert "read as sagittal, but its content looks axial" in notices[0]
    told, notices = decide(axial, bare(), is_plane_told=True)
    assert told.series.plane is Plane.SAGITTAL
    assert "content looks axial" in notices[0]


def test_a_name_wins_over_content_and_the_reader_is_told() -> None:
    decided, notices = decide(SEEN, bare("4_t1"), words="4 t1")
    assert decided.series.sequence is Sequence.T1
    assert "named T1, but its content looks T2" in notices[0]
    other, notices = decide(SEEN, bare("x_t2star"))
    assert other.finding.is_other
    assert notices == ()


def test_below_its_confidence_the_content_stays_silent() -> None:
    unsure = replace(SEEN, plane=Plane.UNKNOWN, position=Position.UNKNOWN, sequence=Sequence.UNKNOWN)
    decided, notices = decide(unsure, bare())
    assert decided.series.plane is Plane.SAGITTAL
    assert decided.series.sequence is Sequence.UNKNOWN
    assert notices == ()
    assert any("the content does not tell" in reason for reason in decided.series.reasons)


@pytest.mark.parametrize(
    ("position", "words"),
    [
        (Position.MIRRORED, "front of the body at the right"),
        (Position.UPSIDE_DOWN, "head below and the front"),
        (Position.FLIPPED, "head below"),
    ],
)
def test_a_mirrored_picture_gives_a_notice_and_is_not_flipped(position: Position, words: str) -> None:
    candidate = bare()
    decided, notices = decide(replace(SEEN, position=position), candidate)
    assert words in notices[0]
    assert "it is read as it is" in notices[0]
    assert decided.series.volume is candidate.series.volume


def test_the_content_is_not_asked_where_it_was_not_measured() -> None:
    decided, notices = decide_by_content(bare(), Fixed(SEEN), protocol="cervical", words="", is_plane_told=False)
    assert decided.series.sequence is Sequence.UNKNOWN
    assert notices == ()
    assert "not measured for the cervical protocol" in decided.series.reasons[-1]
    small = replace(bare().series.volume, array=np.zeros((120, 300, 1), dtype=np.float32))
    tiny = replace(bare(), series=replace(bare().series, volume=small))
    assert "at least 160 on each side" in decide(SEEN, tiny)[0].series.reasons[-1]
    without, _ = decide_by_content(bare(), None, protocol="lumbar", words="", is_plane_told=False)
    assert "no weights are installed" in without.series.reasons[-1]


def test_phantom_pictures_are_told_right(classifier: ContentClassifier, phantom: Phantom) -> None:
    for role, sequence in (("sagittal_t1", "t1"), ("sagittal_t2", "t2")):
        image = phantom_picture(phantom, role=role).astype(np.float32)
        finding = classifier.judge([image])
        assert finding.likeliest_plane is Plane.SAGITTAL
        assert finding.likeliest_sequence.value == sequence
    axial = phantom.series_by_role("axial_t2").array
    found = classifier.judge([axial[:, :, k].T for k in range(axial.shape[2] // 3, axial.shape[2] // 2)])
    assert found.plane is Plane.AXIAL
    views, sequences = classifier.probabilities([image])
    assert sum(views.values()) == pytest.approx(1.0)
    assert sum(sequences.values()) == pytest.approx(1.0)


def test_a_phantom_picture_loads_with_its_weighting_from_content(tmp_path: Path, phantom: Phantom) -> None:
    file = tmp_path / "slice.png"
    Image.fromarray(phantom_picture(phantom, role="sagittal_t1")).save(file)
    series = load_study(file).series[0]
    assert series.plane is Plane.SAGITTAL
    assert series.role == f"sagittal_{series.sequence.value if series.sequence is not Sequence.UNKNOWN else 't2'}"


def test_real_middle_slices_of_unseen_patients_are_told_right(
    data_dir: Path, classifier: ContentClassifier
) -> None:
    with (data_dir / "spider/midsagittal.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if spider_folds()[int(row["patient"])] == 0][::4]
    found = [classifier.judge([read(data_dir / "spider/midsagittal" / row["file"])]) for row in rows]
    truth = [row["sequence"].split("_")[0] for row in rows]
    assert len(rows) >= 15  # benchmarks.planes judges all
    assert all(item.plane in (Plane.SAGITTAL, Plane.UNKNOWN) for item in found)
    right = [item.likeliest_sequence.value == true for item, true in zip(found, truth, strict=True)]
    assert np.mean(right) >= 0.95
    answered = [(item.sequence.value, true) for item, true in zip(found, truth, strict=True)]
    wrong = [said != true for said, true in answered if said != "unknown"]
    assert np.mean(wrong) <= 0.03


def test_hand_labelled_planes_are_told_right(data_dir: Path, classifier: ContentClassifier) -> None:
    with (configs_dir() / "planes/sudirman.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 198
    rows = rows[::6]  # benchmarks.planes judges all
    found = [classifier.judge([read(data_dir / "sudirman/planes" / row["file"])]) for row in rows]
    answered = [
        item.plane.value == row["plane"]
        for item, row in zip(found, rows, strict=True)
        if item.plane is not Plane.UNKNOWN
    ]
    assert np.mean(answered) >= 0.95
    assert len(answered) >= 0.8 * len(rows)
    assert len(STRIDES) == len(classifier.network.kernels)


def test_an_axial_picture_given_alone_is_refused_with_its_plane(data_dir: Path, tmp_path: Path) -> None:
    from imaging.eligibility import check_eligibility

    file = tmp_path / "picture.png"
    file.write_bytes((data_dir / "sudirman/planes/slice_007.png").read_bytes())
    study = load_study(file)
    verdict = check_eligibility(study)
    assert not verdict.is_eligible
    assert "needs a sagittal series" in verdict.reasons[0]
    assert "axial" in verdict.reasons[0]
