"""The scanner of the phantom against formulas by hand."""

from dataclasses import replace

import numpy as np
import pytest

from imaging.phantom.canvas import Canvas
from imaging.phantom.grid import Grid
from imaging.phantom.scan.artefacts import flow_change, ghosts, move
from imaging.phantom.scan.coil import rician, sensitivity
from imaging.phantom.scan.image import take_image
from imaging.phantom.scan.kspace import echo_decay, measure_lines
from imaging.phantom.scan.signal import fat_shift_pixels, magnetisation, null_time, pool_signals
from imaging.phantom.scan.slices import mean_slices, profile_weights, slice_major
from imaging.phantom.scan.texture import prepare, sheet_field, smooth_field
from imaging.phantom.scan.values import at_field, tissue_values
from imaging.phantom.scene import Coil
from imaging.phantom.setup import Artefacts, SeriesRow, Setup, load_setup
from imaging.phantom.tissues import Palette, Tissue, fat_pool, spin_echo, train_fat_t2
from runtime.errors import ConfigError

ROW = SeriesRow("r", 1, "d", "t2", "sagittal", 64, 48, 1.0, 3, 4.0, 4.0, tr=3000.0, te=100.0, flip=150.0, turbo=1)
SETUP = Setup("setup_test", "lumbar", (ROW,), field_strength_t=1.5, noise_share=0.0, coil_depth_mm=1e6)
COIL = Coil(back=lambda z: np.zeros_like(z) - 1e3, middle_z=0.0, reach_mm=1e6)


def plain(palette: Palette, field_strength_t: float = 1.5) -> object:
    return tissue_values(palette, field_strength_t=field_strength_t, spread=0.0, seed=0)


def block(palette: Palette, name: str, *, shape: tuple[int, int, int] = (48, 64, 3)) -> Canvas:
    """Return a canvas with a block of a tissue in air: columns 16 to 31, rows 24 to 39, all slices."""
    canvas = Canvas(Grid(np.diag([1.0, 1.0, 4.0, 1.0]), shape, sub_slices=3))
    canvas.tissue[16:32, 24:40] = palette.number(name)
    return canvas


def test_signal_of_water_and_fat_by_hand() -> None:
    palette = Palette()
    palette.add("half", Tissue(t1=1000.0, t2=80.0, pd=0.9, fat_fraction=0.5))
    row = replace(ROW, tr=700.0, te=20.0, turbo=3)
    water, fat = pool_signals(plain(palette), row)
    number = palette.number("half")
    assert water[number] == pytest.approx(0.45 * (1 - np.exp(-0.7)) * np.exp(-0.25), rel=1e-5)
    fat_t2 = train_fat_t2(68.0, 3)
    assert fat[number] == pytest.approx(0.45 * (1 - np.exp(-700 / 290)) * np.exp(-20 / fat_t2), rel=1e-5)
    total = spin_echo(palette.tissue("half"), tr=700.0, te=20.0, turbo=3)
    assert water[number] + fat[number] == pytest.approx(total, rel=1e-5)


def test_fat_is_null_at_t1_ln_2_and_stir_has_the_order_of_a_stir_picture() -> None:
    assert null_time(290.0, tr=1e9) == pytest.approx(290.0 * np.log(2.0))
    assert magnetisation(290.0, tr=4000.0, ti=null_time(290.0, tr=4000.0)) == pytest.approx(0.0, abs=1e-12)
    palette = Palette()
    for field_strength, ti in ((1.5, 200.0), (3.0, 256.0)):
        water, fat = pool_signals(
            plain(palette, field_strength), replace(ROW, tr=4000.0, te=50.0, ti=ti, turbo=11)
        )
        seen = {name: abs(float(water[n] + fat[n])) for n, name in enumerate(palette.names)}
        assert seen["fat"] < 0.02
        assert seen["csf"] > seen["modic_1"] > seen["marrow"] > seen["fat"]
        assert seen["cord"] > seen["muscle"] > seen["fat"]


def test_inversion_turns_what_is_slow_upside_down() -> None:
    assert magnetisation(1000.0, tr=1e9, ti=1e-3) == pytest.approx(-1.0, abs=1e-5)
    assert magnetisation(100.0, tr=1e9, ti=1e4) == pytest.approx(1.0)
    assert magnetisation(1000.0, tr=1000.0, ti=0.0) == pytest.approx(1 - np.exp(-1))


def test_relaxation_at_both_fields_and_between() -> None:
    palette = Palette()
    low, high = plain(palette, 1.5), plain(palette, 3.0)
    muscle, organ = palette.number("muscle"), palette.number("organ")
    assert (low.t1[muscle], high.t1[muscle]) == pytest.approx((856.0, 898.0))
    assert high.t1[organ] == pytest.approx(1.21 * low.t1[organ])  # no value at 3 T: scaled
    assert (low.fat_t1, high.fat_t1) == pytest.approx((fat_pool().t1, fat_pool().t1_3t))
    assert at_field(400.0, 900.0, 1.5 * 2**0.5) == pytest.approx(600.0)  # half-way in the logarithm


def test_patients_differ_by_the_spread_and_not_otherwise() -> None:
    palette = Palette()
    base = plain(palette)
    drawn = np.array(
        [tissue_values(palette, field_strength_t=1.5, spread=0.1, seed=seed).t1 / base.t1 for seed in range(200)]
    )
    assert np.log(drawn).std() == pytest.approx(0.1, rel=0.05)
    assert np.array_equal(
        tissue_values(palette, field_strength_t=1.5, spread=0.1, seed=3).t2,
        tissue_values(palette, field_strength_t=1.5, spread=0.1, seed=3).t2,
    )


def test_a_long_train_shows_fat_brighter_and_a_single_echo_its_own_t2() -> None:
    assert train_fat_t2(68.0, 1) == 68.0
    assert train_fat_t2(68.0, 3) < train_fat_t2(68.0, 17) == pytest.approx(165.0, rel=0.02)


def test_fat_is_displaced_by_3_4_ppm_over_the_bandwidth() -> None:
    assert fat_shift_pixels(field_strength_t=1.5, bandwidth=200.0) == pytest.approx(3.4 * 42.577478 * 1.5 / 200.0)
    assert fat_shift_pixels(field_strength_t=3.0, bandwidth=0.0) == 0.0
    palette = Palette()
    zero, fat = np.zeros((1, 48, 64), np.float32), np.zeros((1, 48, 64), np.float32)
    fat[0, 20, 30] = 1.0
    hertz = 3.4 * 42.577478518 * 1.5 / 2.0  # two pixels
    for phase, place in (("j", (18, 30)), ("i", (20, 28))):
        row = replace(ROW, bandwidth=hertz, phase=phase, blur=0.3)
        image = measure_lines(zero, fat, row, plain(palette), field_strength_t=1.5)
        assert np.unravel_index(int(image[0].argmax()), image[0].shape) == place
        still = measure_lines(fat, zero, row, plain(palette), field_strength_t=1.5)
        assert np.unravel_index(int(still[0].argmax()), still[0].shape) == (20, 30)  # water stays


def test_blur_keeps_the_signal_and_has_the_width_asked_for() -> None:
    point = np.zeros((1, 48, 64), np.float32)
    point[0, 24, 32] = 1.0
    image = measure_lines(
        point, np.zeros_like(point), replace(ROW, blur=1.5), plain(Palette()), field_strength_t=1.5
    )[0]
    assert image.sum() == pytest.approx(1.0, abs=1e-4)
    columns = np.arange(48) - 24
    assert (image.sum(axis=1) * columns**2).sum() == pytest.approx(1.5**2, rel=0.02)


def test_echoes_near_the_echo_time_lie_in_the_middle_of_k_space() -> None:
    radius = np.linspace(0.0, 1.0, 11)
    row = replace(ROW, turbo=5, echo_spacing=10.0, te=10.0)
    decay = echo_decay(radius, row, 40.0)
    assert decay[0] == 1.0
    assert np.all(np.diff(decay) < 0)  # first echo in the middle: edges fade
    assert decay[-1] == pytest.approx((np.exp(-30 / 40) + np.exp(-40 / 40)) / 2)
    centred = echo_decay(radius, replace(row, te=30.0), 40.0)
    assert centred[-1] == pytest.approx(np.cosh(20 / 40))  # third of five: earlier and later ones outside
    assert np.all(echo_decay(radius, replace(row, turbo=1), 40.0) == 1.0)


def test_fewer_phase_encoding_steps_ring_along_their_axis_only() -> None:
    step = np.zeros((1, 64, 64), np.float32)
    step[0, 20:44, 20:44] = 1.0
    row = replace(ROW, blur=0.01, acquired=0.5, phase="j")
    image = measure_lines(step, np.zeros_like(step), row, plain(Palette()), field_strength_t=1.5)[0]
    along, across = image[32, :], image[:, 32]
    assert along.max() == pytest.approx(1.09, abs=0.04)  # Gibbs: 9 % over the edge
    assert across.max() - across[32] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("profile", ["gaussian", "box"])
def test_the_slice_profile_sums_to_one(profile: str) -> None:
    weights = profile_weights(profile, 5)
    assert weights.sum() == pytest.approx(1.0)
    assert np.allclose(weights, weights[::-1])
    assert (weights[2] > weights[0]) is np.bool_(profile == "gaussian")


def test_half_a_slice_of_csf_gives_half_its_signal() -> None:
    palette = Palette()
    canvas = Canvas(Grid(np.diag([1.0, 1.0, 4.0, 1.0]), (4, 4, 2), sub_slices=2))
    canvas.tissue[:, :, 1:] = palette.number("csf")
    values = np.zeros(len(palette.names), np.float32)
    values[palette.number("csf")] = 0.8
    mean = mean_slices(values, slice_major(canvas), "gaussian")
    assert mean[0] == pytest.approx(0.4)
    assert mean[1] == pytest.approx(0.8)


def test_noise_in_air_is_rayleigh_and_in_tissue_keeps_the_signal() -> None:
    rng = np.random.default_rng(0)
    air = rician(np.zeros((1, 400, 400), np.float32), 2.0, rng)
    assert air.mean() == pytest.approx(2.0 * np.sqrt(np.pi / 2), rel=0.01)
    bright = rician(np.full((1, 400, 400), 100.0, np.float32), 2.0, rng)
    assert bright.mean() == pytest.approx(100.0 + 2.0**2 / 200.0, rel=1e-3)
    assert bright.std() == pytest.approx(2.0, rel=0.02)


def test_ghosts_move_signal_and_make_none() -> None:
    image = np.zeros((1, 40, 60), np.float32)
    image[0, 20, 30] = 1.0
    change = ghosts(image, 0.2, axis=2, distance_share=0.1)
    assert change.sum() == pytest.approx(0.0, abs=1e-6)
    assert change[0, 20, 30] == pytest.approx(-0.2)
    assert np.nonzero(change[0, 20] > 0)[0].tolist() == [18, 24, 36, 42]
    assert not change[0, :20].any()


def test_flow_only_takes_signal_from_csf_where_it_is() -> None:
    csf = np.zeros((2, 64, 64), np.float32)
    csf[:, 30:34] = 1.0
    change = flow_change(csf, replace(ROW, phase="i"), 0.5, np.random.default_rng(1))
    assert change[:, 30:34].max() <= 0.0
    assert change[:, 30:34].min() < -0.3
    assert change[:, :30].min() >= 0.0


def test_a_patient_who_lies_still_is_not_blurred_and_one_who_moves_is_along_phase_encoding_first() -> None:
    image = np.zeros((1, 64, 64), np.float32)
    image[0, 24:40, 24:40] = 1.0
    row = replace(ROW, phase="j", turbo=4)
    still = move(image, row, 0.0, pixel=1.0, rng=np.random.default_rng(0))
    assert np.abs(still - image).max() < 1e-5
    moved = move(image, row, 1.5, pixel=1.0, rng=np.random.default_rng(0))
    assert np.sum(moved**2) == pytest.approx(np.sum(image**2), rel=1e-4)  # lines only turn their phase
    outside = np.ones_like(image, bool)
    outside[0, 20:44, 20:44] = False
    assert moved[outside].max() > 0.03
    beside, before = moved[0, 28:36, :16].mean(), moved[0, :16, 28:36].mean()
    assert beside > 2 * before


def test_a_coil_behind_the_back_loses_the_front() -> None:
    grid = Grid(np.diag([1.0, 1.0, 4.0, 1.0]), (8, 200, 3), sub_slices=3)
    coil = Coil(back=lambda z: np.zeros_like(z), middle_z=4.0, reach_mm=200.0)
    found = sensitivity(grid, coil, 60.0)
    assert found.shape == (3, 8, 200)
    assert found.max() == 1.0
    assert np.all(np.diff(found[1, 0]) <= 1e-6)
    assert found[1, 0, 60] > 2 * found[1, 0, 140]
    near = sensitivity(grid, coil, 60.0, near=1.5)
    assert near[1, 0, 0] == pytest.approx(2.5 * found[1, 0, 0], rel=1e-3)  # on the coil
    assert near[1, 0, 30] == pytest.approx((1 + 1.5 * np.exp(-1)) * found[1, 0, 30], rel=1e-3)


def test_smooth_noise_has_unit_variance_and_the_width_asked_for() -> None:
    field = smooth_field((20, 200, 200), (4.0, 2.0), np.random.default_rng(0))
    assert field.std() == pytest.approx(1.0, rel=0.06)
    near = np.mean(field[:, 4:] * field[:, :-4]), np.mean(field[:, :, 4:] * field[:, :, :-4])
    # Gaussian bumps of a sigma correlate over a distance d as exp(-d^2 / (4 sigma^2)).
    assert near == pytest.approx((np.exp(-16 / 64), np.exp(-16 / 16)), abs=0.05)


@pytest.mark.parametrize("name", ["csf", "fat", "muscle"])
def test_the_image_of_a_block_is_its_signal(name: str) -> None:
    palette, row = Palette(), replace(ROW, turbo=5)
    palette.add("plain", replace(palette.tissue(name), texture=0.0, fat=0.0, septa=0.0))
    painted = prepare(block(palette, "plain"), palette, seed=(0, 0))
    values = plain(palette)
    image = take_image(painted, palette, values, row, COIL, SETUP, seed=(0, 1))
    water, fat = pool_signals(values, row)
    expected = abs(float((water + fat)[palette.number("plain")])) / float(np.abs(water + fat).max())
    assert image[24, 32, 1] / 1400.0 == pytest.approx(expected, abs=2e-3)
    assert image[4, 4, 1] == 0.0
    assert np.array_equal(image, np.rint(image))


@pytest.mark.parametrize("faults", [Artefacts(motion_mm=1.0), Artefacts(breathing=0.3), Artefacts(flow=0.5)])
def test_every_fault_changes_the_picture_and_is_the_same_again(faults: Artefacts) -> None:
    palette = Palette()
    painted = prepare(block(palette, "csf"), palette, seed=(0, 0))
    setup = replace(SETUP, artefacts=faults)
    args = (painted, palette, plain(palette), ROW, replace(COIL, back=lambda z: np.zeros_like(z) - 150.0))
    clean = take_image(*args, SETUP, seed=(0, 1))
    spoilt = take_image(*args, setup, seed=(0, 1))
    assert np.abs(spoilt - clean).max() > 20
    assert np.array_equal(spoilt, take_image(*args, setup, seed=(0, 1)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"phase": "k"}, "phase: expected 'i' or 'j', got 'k'"), ({"acquired": 1.5}, "acquired: expected 0.25 to 1")],
)
def test_a_series_that_cannot_be_taken_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(ROW, **changes)


def test_a_setup_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="contrast: expected one of physics, random, got 'any'"):
        replace(SETUP, contrast="any")
    with pytest.raises(ConfigError, match="slice_profile: expected one of gaussian, box"):
        replace(SETUP, slice_profile="sinc")


def test_default_setups_name_the_roles_of_their_protocol_and_null_fat() -> None:
    for name in ("lumbar", "cervical", "sacroiliac"):
        setup = load_setup(f"setup_{name}")
        for row in setup.series:
            assert (row.sequence == "stir") is (row.ti > 0)
            if row.ti:
                assert row.ti == pytest.approx(null_time(fat_pool().t1, tr=row.tr), rel=0.02)


def test_a_palette_holds_what_eight_bits_can_name() -> None:
    palette = Palette()
    for number in range(256 - len(palette.names)):
        palette.add(f"t{number}", Tissue(t1=1, t2=1, pd=1))
    with pytest.raises(ValueError, match="expected at most 256 tissues, got 'more' as one more"):
        palette.add("more", Tissue(t1=1, t2=1, pd=1))


def test_muscle_has_the_fat_of_its_source_on_average() -> None:
    palette = Palette()
    canvas = block(palette, "multifidus", shape=(160, 160, 12))
    canvas.tissue[40:] = palette.number("multifidus")
    painted = prepare(canvas, palette, seed=(0, 3))
    sheets = sheet_field(canvas.grid, np.random.default_rng(1))
    assert sheets.mean() == pytest.approx(0.5 * 0.4 / np.sqrt(0.4**2 + 2), abs=0.02)
    assert 0.0 <= sheets.min() < sheets.max() <= 1.0
    assert painted.streak[:, 40:].mean() == pytest.approx(0.16, abs=0.03)  # PMC7063279: 12 to 19 %
    assert painted.streak[:, :10].max() == 0.0  # none in air
