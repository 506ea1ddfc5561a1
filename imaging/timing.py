"""Weighting from the numbers of a header: echo, repetition and inversion time, flip angle, field strength.

The numbers are physics: they say what the image is, whatever it is called. Where they leave two weightings open
they say nothing.
"""

from dataclasses import dataclass

from imaging.acquisition import Acquisition, Kind

# Spin echo, ms. Ours, wide around routine spine protocols; checked on the headers of SPIDER's 360 series (T1: TE 7
# to 14, TR 446 to 746; T2 and T2 SPACE: TE 80 to 124, TR 1000 to 5570), doi 10.1038/s41597-024-03090-w.
T1_MAX_ECHO_MS = 35.0
T1_MAX_REPETITION_MS = 1300.0
T2_MIN_ECHO_MS = 60.0
T2_MIN_REPETITION_MS = 1000.0
PD_MIN_REPETITION_MS = 1800.0
"""Between this and ``T1_MAX_REPETITION_MS`` a short echo may be T1 or proton density: words decide. Own choice."""
MYELOGRAPHY_MIN_ECHO_MS = 400.0
"""Past it only fluid gives signal. Own choice: T2 SPACE of spines has up to about 300 ms."""

STIR_INVERSION_MS: tuple[tuple[float, tuple[float, float]], ...] = (
    (0.6, (60.0, 140.0)),
    (1.25, (90.0, 190.0)),
    (2.0, (110.0, 220.0)),
    (8.0, (150.0, 300.0)),
)
"""Highest field in T, and the inversion times in ms that null fat there.

Fat is nulled at T1 x ln 2 with a long repetition time, earlier with a shorter one. Source: T1 of subcutaneous fat
288 ms at 1.5 T and 371 ms at 3 T (Gold et al., AJR 2004;183:343), hence 200 and 257 ms at most; usual protocols
have 140 to 180 and 180 to 240 ms. The windows around them are ours."""
ANY_STIR_INVERSION_MS = (60.0, 320.0)
"""When the field is not told, or the time is odd for it; nothing else inverts so shortly before its echo."""
T1_FLAIR_INVERSION_MS = (400.0, 1300.0)
"""T1 FLAIR nulls fluid between the times of fat and of T2 FLAIR. Own choice."""
T2_FLAIR_MIN_INVERSION_MS = 1500.0

# Gradient echo. Own choice, from the Ernst angle: small flips let T2* show, large ones T1; in a fast train of
# repetitions of some ms even 8 to 20 degrees are T1-weighted.
STAR_MIN_ECHO_MS = 8.0
STAR_MAX_FLIP_DEG = 40.0
T1_MIN_FLIP_DEG = 50.0
FAST_REPETITION_MS = 30.0
FAST_FLIP_DEG = (5.0, 30.0)


@dataclass(frozen=True)
class Clue:
    """A kind with its reason."""

    kind: Kind
    reason: str
    is_gradient_echo: bool = False


def kind_from_timing(acquisition: Acquisition) -> Clue | None:
    """Return what the numbers tell; None when they leave it open."""
    echo, repetition = acquisition.number("echo_time_ms"), acquisition.number("repetition_time_ms")
    b_value = acquisition.number("diffusion_b_value")
    if b_value is not None:
        return Clue(Kind.DIFFUSION, f"diffusion weighting of b {b_value:g} s/mm2")
    if "EP" in acquisition.scanning:
        return None
    if "GR" in acquisition.scanning and "SE" not in acquisition.scanning:
        return _gradient_echo(acquisition, echo, repetition)
    inversion = acquisition.number("inversion_time_ms")
    if inversion is not None:
        return _inversion(acquisition, inversion, echo, repetition)
    if "IR" in acquisition.scanning or echo is None or repetition is None:
        return None  # an inversion without its time may be STIR or FLAIR
    return _spin_echo(echo, repetition)


def stir_window(field_t: float | None) -> tuple[float, float]:
    """Return the inversion times, ms, that null fat at a field strength in tesla."""
    if field_t is None:
        return ANY_STIR_INVERSION_MS
    return next((window for highest, window in STIR_INVERSION_MS if field_t <= highest), ANY_STIR_INVERSION_MS)


def _spin_echo(echo: float, repetition: float) -> Clue | None:
    timing = f"TE {echo:g} ms, TR {repetition:g} ms"
    if echo >= MYELOGRAPHY_MIN_ECHO_MS:
        return Clue(Kind.MYELOGRAPHY, f"TE {echo:g} ms shows fluid only")
    if echo >= T2_MIN_ECHO_MS and repetition >= T2_MIN_REPETITION_MS:
        return Clue(Kind.T2, timing)
    if echo <= T1_MAX_ECHO_MS and repetition <= T1_MAX_REPETITION_MS:
        return Clue(Kind.T1, timing)
    if echo <= T1_MAX_ECHO_MS and repetition >= PD_MIN_REPETITION_MS:
        return Clue(Kind.PROTON_DENSITY, f"{timing} is proton-density weighting")
    return None


def _inversion(
    acquisition: Acquisition, inversion: float, echo: float | None, repetition: float | None
) -> Clue | None:
    field_t = acquisition.number("field_strength_t")
    low, high = stir_window(field_t)
    if low <= inversion <= high:
        at_field = "" if field_t is None else f" at {field_t:g} T"
        return Clue(Kind.STIR, f"inversion time {inversion:g} ms nulls fat{at_field}")
    if ANY_STIR_INVERSION_MS[0] <= inversion <= ANY_STIR_INVERSION_MS[1]:
        reason = f"inversion time {inversion:g} ms, though {low:g} to {high:g} ms are usual at {field_t:g} T"
        return Clue(Kind.STIR, reason)
    is_flair = T1_FLAIR_INVERSION_MS[0] <= inversion <= T1_FLAIR_INVERSION_MS[1]
    if is_flair and echo is not None and echo <= T1_MAX_ECHO_MS:
        return Clue(Kind.T1, f"inversion recovery with TE {echo:g} ms, TI {inversion:g} ms")
    if inversion >= T2_FLAIR_MIN_INVERSION_MS and echo is not None and echo >= T2_MIN_ECHO_MS:
        return Clue(Kind.FLAIR, f"inversion time {inversion:g} ms nulls fluid")
    return None


def _gradient_echo(acquisition: Acquisition, echo: float | None, repetition: float | None) -> Clue | None:
    flip = acquisition.number("flip_angle_deg")
    if echo is None or repetition is None or flip is None:
        return None
    timing = f"gradient echo with TE {echo:g} ms, TR {repetition:g} ms, flip {flip:g} degrees"
    is_fast = repetition <= FAST_REPETITION_MS
    if "SS" in acquisition.variant and "SP" not in acquisition.variant and is_fast and flip > FAST_FLIP_DEG[1]:
        return Clue(Kind.STEADY_STATE, timing, is_gradient_echo=True)
    if is_fast and echo < STAR_MIN_ECHO_MS and FAST_FLIP_DEG[0] <= flip <= FAST_FLIP_DEG[1]:
        return Clue(Kind.T1, timing, is_gradient_echo=True)
    if not is_fast and flip >= T1_MIN_FLIP_DEG and echo < STAR_MIN_ECHO_MS:
        return Clue(Kind.T1, timing, is_gradient_echo=True)
    if not is_fast and flip <= STAR_MAX_FLIP_DEG and echo >= STAR_MIN_ECHO_MS:
        return Clue(Kind.T2_STAR, timing, is_gradient_echo=True)
    return None
