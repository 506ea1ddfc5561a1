"""What a header tells of how a series was taken, and what that makes of it. Plain records; no DICOM here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from imaging.types import Sequence


class Kind(StrEnum):
    """What a series is. Only the first three are weightings that a role can ask for."""

    T1 = "t1"
    T2 = "t2"
    STIR = "stir"
    PROTON_DENSITY = "proton_density"
    T2_STAR = "t2_star"
    STEADY_STATE = "steady_state"
    FLAIR = "flair"
    DIFFUSION = "diffusion"
    MAP = "map"
    MYELOGRAPHY = "myelography"
    ANGIOGRAPHY = "angiography"
    SUBTRACTION = "subtraction"
    OPPOSED_PHASE = "opposed_phase"
    FAT_IMAGE = "fat_image"
    UNKNOWN = "unknown"

    @property
    def sequence(self) -> Sequence:
        """The weighting as roles know it; ``unknown`` for all else."""
        return Sequence(self.value) if self.value in set(Sequence) else Sequence.UNKNOWN

    @property
    def is_other(self) -> bool:
        """Whether it is known to be none of T1, T2 and STIR."""
        return self is not Kind.UNKNOWN and self.sequence is Sequence.UNKNOWN

    @property
    def words(self) -> str:
        """In words, such as ``T2*`` or ``diffusion``."""
        return _SPOKEN.get(self, self.value.upper() if self.sequence is not Sequence.UNKNOWN else self.value)


_SPOKEN = {
    Kind.PROTON_DENSITY: "proton density",
    Kind.T2_STAR: "T2* gradient echo",
    Kind.STEADY_STATE: "steady-state gradient echo",
    Kind.FLAIR: "FLAIR",
    Kind.MAP: "a computed map",
    Kind.MYELOGRAPHY: "MR myelography",
    Kind.OPPOSED_PHASE: "Dixon opposed phase",
    Kind.FAT_IMAGE: "Dixon fat image",
}


@dataclass(frozen=True)
class Acquisition:
    """What the header of a series says of its making. All of it may be empty.

    Attributes:
        facts: Numbers as in ``Series.header``: ``echo_time_ms``, ``repetition_time_ms``, ``inversion_time_ms``,
            ``flip_angle_deg``, ``field_strength_t``, ``diffusion_b_value`` (s/mm2).
        words: Plain text (``imaging.words.plain_text``) of descriptions and sequence names.
        scanning: Codes of ScanningSequence: ``SE``, ``IR``, ``GR``, ``EP``, ``RM``.
        variant: Codes of SequenceVariant: ``SK``, ``SP``, ``SS``, ``MP``, ...
        options: Codes of ScanOptions, and ``FS`` where an enhanced header tells of suppressed fat.
        image_type: Values of ImageType (or FrameType), upper case.
        contrast_code: AcquisitionContrast of an enhanced header, upper case, such as ``T2`` or ``DIFFUSION``.
        has_contrast_agent: A contrast agent is named.
    """

    facts: Mapping[str, float | str] = field(default_factory=dict)
    words: str = ""
    scanning: frozenset[str] = frozenset()
    variant: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    image_type: tuple[str, ...] = ()
    contrast_code: str = ""
    has_contrast_agent: bool = False

    def number(self, name: str) -> float | None:
        """Return a fact that is a number above zero; None otherwise (vendors write 0 for "not used")."""
        value = self.facts.get(name)
        return value if isinstance(value, float) and value > 0 else None


@dataclass(frozen=True)
class SequenceFinding:
    """What is known about the weighting of a series.

    Attributes:
        sequence: T1, T2, STIR, or unknown.
        reasons: One short sentence each.
        is_other: True when it is known to be none of T1, T2 and STIR (then it takes no role).
        is_fat_suppressed: By words, scan options or as water image; not set for STIR, which always is.
        has_contrast: After contrast medium.
        kind: The same more finely.
        is_gradient_echo: A T1-weighted gradient echo comes after a spin echo.
        is_reformatted: Computed from another series; comes after an acquired one.
    """

    sequence: Sequence
    reasons: tuple[str, ...]
    is_other: bool = False
    is_fat_suppressed: bool = False
    has_contrast: bool = False
    kind: Kind = Kind.UNKNOWN
    is_gradient_echo: bool = False
    is_reformatted: bool = False
