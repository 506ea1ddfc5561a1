"""The words of the spine, in plain Python: levels, structures, sides, conditions, scales, protocols.

Nothing here knows images, networks or files of patients.
"""

from anatomy.conditions import CONDITIONS, Condition, ConditionInfo
from anatomy.levels import DISC_LEVELS, SIJ, VERTEBRAE, disc_label, neighbours, parse_level, vertebra_label
from anatomy.protocol import Protocol, SeriesRole, load_protocol, protocol_names
from anatomy.scales import SCALES, Scale, ScaleStep
from anatomy.sides import Side
from anatomy.structures import STRUCTURES, Structure

__all__ = [
    "CONDITIONS",
    "DISC_LEVELS",
    "SCALES",
    "SIJ",
    "STRUCTURES",
    "VERTEBRAE",
    "Condition",
    "ConditionInfo",
    "Protocol",
    "Scale",
    "ScaleStep",
    "SeriesRole",
    "Side",
    "Structure",
    "disc_label",
    "load_protocol",
    "neighbours",
    "parse_level",
    "protocol_names",
    "vertebra_label",
]
