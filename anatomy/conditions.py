"""Conditions: what can be found at a level, on which scales it is graded, and whether it has a side."""

from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """Every condition the project names; LANGUAGE.md says which words mean which."""

    SPINAL_CANAL_STENOSIS = "spinal_canal_stenosis"
    NEURAL_FORAMINAL_NARROWING = "neural_foraminal_narrowing"
    SUBARTICULAR_STENOSIS = "subarticular_stenosis"
    DISC_DEGENERATION = "disc_degeneration"
    MODIC = "modic"
    DISC_NARROWING = "disc_narrowing"
    DISC_BULGING = "disc_bulging"
    DISC_HERNIATION = "disc_herniation"
    SPONDYLOLISTHESIS = "spondylolisthesis"
    UPPER_ENDPLATE_CHANGE = "upper_endplate_change"
    LOWER_ENDPLATE_CHANGE = "lower_endplate_change"
    CORD_COMPRESSION = "cord_compression"
    SACROILIITIS = "sacroiliitis"
    THECAL_SAC_COMPRESSION = "thecal_sac_compression"
    ANNULAR_TEAR = "annular_tear"
    NERVE_ROOT_COMPRESSION = "nerve_root_compression"


@dataclass(frozen=True)
class ConditionInfo:
    """What is fixed about a condition.

    Attributes:
        condition: Which.
        words: The usual noun phrase, such as ``spinal canal stenosis``.
        scales: Scales it is graded on (``anatomy.scales``), the first is the usual one; none means that it is
            known from text only. One of them may be a check of another.
        is_sided: True when it is graded for left and right apart.
        checks: Scales of a second way of grading that stands beside the first and is not reported on its own; in
            ``scales`` too where a network grades it.
    """

    condition: Condition
    words: str
    scales: tuple[str, ...]
    is_sided: bool = False
    checks: tuple[str, ...] = ()

    @property
    def reported_scales(self) -> tuple[str, ...]:
        """Return the scales whose grades a report states: those that are no check of another."""
        return tuple(scale for scale in self.scales if scale not in self.checks)


CONDITIONS: dict[Condition, ConditionInfo] = {
    info.condition: info
    for info in (
        ConditionInfo(Condition.SPINAL_CANAL_STENOSIS, "spinal canal stenosis", ("rsna",), checks=("canal_ap",)),
        ConditionInfo(
            Condition.NEURAL_FORAMINAL_NARROWING, "neural foraminal narrowing", ("rsna",), is_sided=True
        ),
        ConditionInfo(Condition.SUBARTICULAR_STENOSIS, "subarticular stenosis", ("rsna",), is_sided=True),
        ConditionInfo(Condition.DISC_DEGENERATION, "disc degeneration", ("pfirrmann",)),
        ConditionInfo(Condition.MODIC, "Modic endplate marrow change", ("modic",)),
        ConditionInfo(Condition.DISC_NARROWING, "disc height loss", ("presence",)),
        ConditionInfo(Condition.DISC_BULGING, "disc bulge", ("presence",)),
        ConditionInfo(Condition.DISC_HERNIATION, "disc herniation", ("presence",)),
        ConditionInfo(Condition.SPONDYLOLISTHESIS, "spondylolisthesis", ("presence",)),
        ConditionInfo(Condition.UPPER_ENDPLATE_CHANGE, "upper endplate change", ("presence",)),
        ConditionInfo(Condition.LOWER_ENDPLATE_CHANGE, "lower endplate change", ("presence",)),
        ConditionInfo(Condition.CORD_COMPRESSION, "cord compression", ("presence", "kang"), checks=("presence",)),
        ConditionInfo(
            Condition.SACROILIITIS,
            "sacroiliitis",
            ("as_status", "as_stage"),
            is_sided=True,
            checks=("asas_rule",),
        ),
        ConditionInfo(Condition.THECAL_SAC_COMPRESSION, "thecal sac compression", ()),
        ConditionInfo(Condition.ANNULAR_TEAR, "annular tear", ()),
        ConditionInfo(Condition.NERVE_ROOT_COMPRESSION, "nerve root compression", ()),
    )
}
