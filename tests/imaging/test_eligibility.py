"""The gate before segmentation: each refusal from a made case, warnings apart from refusals, real slices pass."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from anatomy import load_protocol
from imaging import check_eligibility, load_study
from imaging.admission import admit, after_segmentation, eligibility_notices, refused, without_unusable
from imaging.types import (
    Eligibility,
    GateFinding,
    OutOfDistribution,
    Plane,
    Sequence,
    Series,
    SourceKind,
    Spacing,
    Study,
    Volume,
)
from runtime.errors import NotEligibleError

Grey = NDArray[np.float32]
ROOMY = Spacing(1.0, 1.0, 4.0)


@cache
def anatomy(seed: int = 0, shape: tuple[int, int] = (240, 180)) -> Grey:
    """Return edges on even ground, as anatomy has: overlapping ellipses, a corner of air, soft, a little noisy."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.full(shape, 90.0)
    for _ in range(40):
        centre, half = rng.random(2) * shape, rng.uniform(8, 40, 2)
        inside = ((y - centre[0]) / half[0]) ** 2 + ((x - centre[1]) / half[1]) ** 2 < 1
        image[inside] = rng.uniform(70, 200)
    image[: shape[0] // 4, : shape[1] // 5] = 5
    noisy = gaussian_filter(image, 0.7) + rng.normal(0, 1.5, shape)
    return noisy.astype(np.float32)


def study(
    *images: Grey,
    plane: Plane = Plane.SAGITTAL,
    role: str | None = "sagittal_t2",
    spacing: Spacing | None = None,
    source: SourceKind = SourceKind.PICTURE,
    series_id: str = "S1",
    has_contrast: bool | None = None,
    protocol: str = "lumbar",
) -> Study:
    array = np.stack([image.T for image in images], axis=2).astype(np.float32)
    columns, rows, slices = array.shape
    volume = Volume(array, spacing, None, (columns, rows, slices))
    series = Series(series_id, role, plane, Sequence.T2, volume, has_contrast=has_contrast)
    return Study("0" * 16, source, protocol, (series,))


def together(*items: Study) -> Study:
    """Return one study of the series of several."""
    return replace(items[0], series=tuple(item.series[0] for item in items))


def refusal(item: Study) -> str | None:
    outcome = check_eligibility(item)
    assert outcome.is_eligible == (outcome.code is None) == (not outcome.reasons)
    assert tuple(finding.text for finding in outcome.refusals) == outcome.reasons
    for reason in outcome.reasons:
        assert "\n" not in reason
        assert reason.endswith(".")
    return outcome.code


def warned(item: Study) -> list[str]:
    outcome = check_eligibility(item)
    assert outcome.is_eligible
    return [finding.code for finding in outcome.warnings]


def ghosted(image: Grey, strength: float) -> Grey:
    """Add a copy a quarter of the rows away, as a periodic motion along the phase direction gives."""
    return image + strength * np.roll(image, image.shape[0] // 4, axis=0)


def with_metal(image: Grey, radius: float) -> Grey:
    """Empty a disc and pile its signal up on one side, as a metal implant does."""
    rows, columns = image.shape
    y, x = np.mgrid[:rows, :columns]
    distance = np.hypot(y - rows / 2, x - columns / 2)
    spoilt = np.where(distance < radius, 0.0, image)
    rim = (distance >= radius) & (distance < radius + 6) & (np.abs(x - columns / 2) < radius * 0.9)
    return np.where(rim, image.max() * 1.5, spoilt).astype(np.float32)


def test_anatomy_passes_without_remark() -> None:
    outcome = check_eligibility(study(anatomy()))
    assert outcome == Eligibility(is_eligible=True)
    assert outcome.to_dict() == {"eligible": True, "reasons": []}


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((200, 200)),
        np.full((200, 200), 255.0),
        np.where(np.arange(40000).reshape(200, 200) == 7, 255.0, 0.0),
        np.tile([0.0, 1, 2, 3], (200, 50)),
        np.pad(np.arange(225.0).reshape(15, 15), 100),
    ],
    ids=["black", "white", "one pixel", "label mask", "a speck"],
)
def test_images_without_content_are_blank_and_nothing_overrides_that(image: Grey) -> None:
    outcome = check_eligibility(study(image))
    assert outcome.code == "blank_image"
    assert not outcome.can_be_overridden


@pytest.mark.parametrize("size", [96, 256, 512])
@pytest.mark.parametrize("kind", ["uniform", "normal", "rayleigh", "exponential"])
def test_noise_is_refused(size: int, kind: str) -> None:
    image = getattr(np.random.default_rng(size), kind)(size=(size, size)).astype(np.float32)
    assert refusal(study(image * 100)) == "noise_image"


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0, 4.0, 6.0, 10.0, 20.0])
@pytest.mark.parametrize("size", [(200, 180), (400, 360), (560, 500)])
def test_blurred_noise_is_refused_at_every_scale(size: tuple[int, int], sigma: float) -> None:
    rng = np.random.default_rng(int(sigma * 10))
    code = refusal(study(gaussian_filter(rng.normal(size=size), sigma).astype(np.float32)))
    assert code in {"noise_image", "blurred_image"}


def test_anatomy_blurred_beyond_reading_is_refused_and_warned_of_before() -> None:
    codes = [check_eligibility(study(gaussian_filter(anatomy(), sigma))) for sigma in (0.0, 3.0, 12.0)]
    assert [item.is_eligible for item in codes] == [True, True, False]
    assert [finding.code for finding in codes[1].warnings] == ["blurred_image"]
    assert codes[2].code == "blurred_image"


def test_a_series_is_judged_by_its_middle_and_one_good_slice_is_enough() -> None:
    black, good = np.zeros_like(anatomy()), anatomy()
    assert refusal(study(black, good, good, good, black)) is None
    assert warned(study(good, *[black] * 4, good, *[good] * 2)) == ["blank_image"]
    assert refusal(study(good, *[black] * 10)) == "blank_image"


def test_small_images_are_refused() -> None:
    assert refusal(study(anatomy(shape=(95, 180)))) == "too_small"
    assert refusal(study(anatomy(shape=(96, 180)))) is None
    assert refusal(study(anatomy()[:4])) == "too_small"


@pytest.mark.parametrize(
    ("spacing", "code", "is_refused"),
    [
        (Spacing(2.1, 1.0), "too_coarse", True),
        (Spacing(1.0, 1.3), "too_coarse", False),
        (Spacing(1.0, 1.0), None, False),
    ],
)
def test_coarse_pixels(spacing: Spacing, code: str | None, is_refused: bool) -> None:
    item = study(anatomy(), spacing=spacing)
    assert refusal(item) == (code if is_refused else None)
    if not is_refused:
        assert warned(item) == ([code] if code else [])


def test_distant_slices_of_a_volume() -> None:
    slices = [anatomy()] * 9
    assert warned(study(*slices, spacing=Spacing(1, 1, 4))) == []
    assert warned(study(*slices, spacing=Spacing(1, 1, 7))) == ["slices_too_far_apart"]
    assert refusal(study(*slices, spacing=Spacing(1, 1, 13))) == "slices_too_far_apart"


def test_coverage_is_measured_without_the_empty_margin() -> None:
    image = anatomy()
    assert image.shape == (240, 180)
    assert warned(study(image, spacing=Spacing(1, 1))) == []
    padded = np.pad(image[:100], ((70, 70), (0, 0)), constant_values=0.0)
    outcome = check_eligibility(study(padded, spacing=Spacing(1, 1)))
    assert outcome.code == "coverage_too_small"
    assert "Series S1 has 100 mm of field of view along; at least 110 mm can be read." in outcome.reasons[0]
    assert warned(study(image[:150], spacing=Spacing(1, 1))) == ["coverage_too_small"]
    assert refusal(study(image, spacing=Spacing(1, 0.3))) == "coverage_too_small", "54 mm across"
    assert refusal(study(padded)) is None, "without a spacing nothing is known in mm"


def test_a_picture_may_be_one_slice_and_a_volume_is_told_when_it_has_few() -> None:
    assert warned(study(anatomy())) == []
    assert warned(study(*[anatomy()] * 5, spacing=ROOMY, source=SourceKind.DICOM)) == ["too_few_slices"]
    joints = study(
        anatomy(), plane=Plane.CORONAL, role="coronal_stir", source=SourceKind.DICOM, protocol="sacroiliac"
    )
    assert refusal(joints) == "too_few_slices", "two slices in a row must show a lesion"
    assert refusal(replace(joints, source=SourceKind.PICTURE)) is None


@pytest.mark.parametrize(("deviation", "code"), [(1.0, None), (18.0, "warned"), (80.0, "refused")])
def test_noise_over_anatomy(deviation: float, code: str | None) -> None:
    rng = np.random.default_rng(3)
    image = anatomy() + rng.normal(0, deviation, anatomy().shape).astype(np.float32)
    outcome = check_eligibility(study(image))
    assert outcome.is_eligible == (code != "refused")
    if code == "warned":
        assert [item.code for item in outcome.warnings] == ["severe_noise"]
    if code == "refused":
        assert outcome.code in {"severe_noise", "noise_image"}


def test_ghosts_are_refused_and_weak_ones_warned_of() -> None:
    image = gaussian_filter(anatomy(1, (400, 300)), 0.7)
    assert warned(study(image)) == []
    assert warned(study(ghosted(image, 0.14))) == ["severe_ghosting"]
    assert refusal(study(ghosted(image, 0.6))) == "severe_ghosting"


def test_clipped_pixels() -> None:
    image = anatomy()
    assert warned(study(np.minimum(image, np.quantile(image, 0.80)))) == ["saturated_image"]
    assert refusal(study(np.minimum(image, np.quantile(image, 0.65)))) == "saturated_image"


def test_a_void_with_a_bright_rim_is_metal_and_a_plain_void_is_not() -> None:
    assert refusal(study(with_metal(anatomy(), 25))) == "metal_artefact"
    assert refusal(study(with_metal(anatomy(), 4))) is None
    y, x = np.mgrid[:240, :180]
    gas = np.where(np.hypot(y - 120, x - 90) < 25, 0, anatomy()).astype(np.float32)
    assert refusal(study(gas)) is None
    spoilt = [anatomy(), anatomy(), with_metal(anatomy(), 25), with_metal(anatomy(), 25)]
    assert warned(study(*spoilt)) == ["metal_artefact"], "two of the four slices are clean"


def test_lumbar_needs_a_sagittal_series_with_a_role() -> None:
    outcome = check_eligibility(study(anatomy(), plane=Plane.AXIAL, role="axial_t2"))
    assert outcome.code == "no_sagittal_series"
    assert not outcome.can_be_overridden
    assert "a sagittal series of T2, T1 or STIR weighting; the series found are: axial t2" in outcome.reasons[0]
    assert refusal(study(anatomy(), role=None)) == "no_sagittal_series"
    joints = study(anatomy(), protocol="sacroiliac")
    assert refusal(joints) == "no_coronal_series"


def test_t1_alone_is_eligible_with_a_warning() -> None:
    outcome = check_eligibility(study(anatomy(), role="sagittal_t1"))
    assert outcome.is_eligible
    assert outcome.reasons == ()
    assert [item.to_dict() for item in outcome.warnings] == [
        {
            "code": "missing_series",
            "text": "No sagittal T2 series: what needs it is not assessable.",
            "series": None,
        }
    ]


def test_a_series_that_fails_beside_one_that_passes_is_not_read() -> None:
    both = together(study(np.zeros_like(anatomy())), study(anatomy(), role="sagittal_t1", series_id="S2"))
    outcome = check_eligibility(both)
    assert outcome.is_eligible
    assert outcome.unusable_series == ("S1",)
    assert [item.code for item in outcome.warnings] == ["blank_image", "missing_series"]
    assert [item.id for item in without_unusable(both, outcome).series] == ["S2"]
    assert eligibility_notices(outcome, None)[0].startswith("Not read: Series S1 shows no anatomy")


def test_of_two_refused_series_the_one_that_can_be_computed_may_be_overridden() -> None:
    both = together(study(np.zeros_like(anatomy())), study(anatomy()[:95], role="sagittal_t1", series_id="S2"))
    outcome = check_eligibility(both)
    assert outcome.code == "too_small"
    assert outcome.can_be_overridden
    assert outcome.unusable_series == ("S1",)


def test_contrast_only_is_refused_and_one_series_before_it_is_enough() -> None:
    after = study(anatomy(), has_contrast=True)
    outcome = check_eligibility(after)
    assert outcome.code == "contrast_enhanced_only"
    assert outcome.can_be_overridden
    assert "S1 (sagittal T2)" in outcome.reasons[0]
    before = study(anatomy(), role="sagittal_t1", series_id="S2", has_contrast=False)
    assert warned(together(after, before)) == ["after_contrast"]
    assert warned(study(anatomy(), has_contrast=None)) == [], "unknown is not a refusal"


def test_contrast_comes_from_the_header(series_writer) -> None:  # type: ignore[no-untyped-def]
    image = np.clip(anatomy(2, (300, 200)), 0, 4000).astype(np.uint16)
    volume = np.stack([image] * 7)
    timing = {"EchoTime": 10.0, "RepetitionTime": 600.0}
    series_writer.write(volume, spacing=(0.8, 0.8), ContrastBolusAgent="gadolinium", **timing)
    assert refusal(load_study(series_writer.folder)) == "contrast_enhanced_only"
    series_writer.write(volume, number=2, spacing=(0.8, 0.8), **timing)
    assert "contrast_enhanced_only" not in [str(refusal(load_study(series_writer.folder)))]


def test_an_eligible_study_is_admitted_and_a_refused_one_needs_a_reason() -> None:
    eligible = Eligibility(is_eligible=True)
    assert admit(eligible, None) == eligible
    assert admit(eligible, "why not") == eligible
    assert eligibility_notices(eligible, "why not") == (
        "An override was given and not needed: the study is eligible.",
    )
    soft = refused([GateFinding("too_coarse", "Too coarse.", "S1")])
    with pytest.raises(NotEligibleError, match=r"^Too coarse\.$") as caught:
        admit(soft, None)
    assert caught.value.code == "too_coarse"
    assert admit(soft, "follow-up").to_dict() == {
        "eligible": False,
        "reasons": ["Too coarse."],
        "overridden": {"reason": "follow-up", "codes": ["too_coarse"]},
    }
    hard = refused([GateFinding("blank_image", "Black.", can_be_overridden=False)])
    with pytest.raises(NotEligibleError, match=r"Black\. An override does not help"):
        admit(hard, "follow-up")


def test_what_the_segmentation_refuses_joins_the_override_and_the_log_has_no_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = admit(refused([GateFinding("too_coarse", "Too coarse.", "S1")]), "asked by Dr Secret")
    ood = OutOfDistribution(score=-2.0, p_value=0.007, threshold=0.02)
    assert ood.is_refused
    outcome = after_segmentation(
        before,
        [GateFinding("no_spine_found", "No spine.", "S1")],
        ood,
        study_key="key",
        override="asked by Dr Secret",
    )
    assert outcome.to_dict() == {
        "eligible": False,
        "reasons": ["Too coarse.", "No spine."],
        "overridden": {"reason": "asked by Dr Secret", "codes": ["too_coarse", "no_spine_found"]},
        "ood": {"score": -2.0, "p_value": 0.007, "threshold": 0.02},
    }
    assert "study key: read although not eligible (too_coarse, no_spine_found)" in caplog.text
    assert "Secret" not in caplog.text
    assert eligibility_notices(outcome, "asked by Dr Secret")[0].startswith(
        "Read although not eligible, on a person's word (“asked by Dr Secret”). Too coarse."
    )


def test_every_protocol_has_its_own_bounds() -> None:
    lumbar, cervical, joints = (load_protocol(name).eligibility for name in ("lumbar", "cervical", "sacroiliac"))
    assert cervical.along_mm.refuse < lumbar.along_mm.refuse, "three cervical levels are shorter"
    assert joints.slices.refuse == 2
    assert lumbar.slices.refuse == 1
    assert not lumbar.allows_contrast_only


# Limits of the protocols hold for every real slice at hand. Counts say that all files are there.
@pytest.mark.parametrize(
    ("folder", "count", "step"),
    [("sudirman/planes", 198, 8), ("spider/midsagittal", 360, 12), ("spider/space/images", 320, 16)],
)
def test_no_real_slice_is_refused_for_its_quality(data_dir: Path, folder: str, count: int, step: int) -> None:
    from PIL import Image

    files = sorted((data_dir / folder).glob("*.png"))
    assert len(files) == count
    refusals = {}
    for file in files[::step]:
        image = np.asarray(Image.open(file).convert("L"), dtype=np.float32)
        if (code := refusal(study(image))) is not None:
            refusals[file.name] = code
    assert refusals == {}
