"""Agreement of masks: overlap, distance between surfaces, and whether each level was found under its name."""

from evaluation.segmentation.label_map import LabelImage, read_label_map
from evaluation.segmentation.levels import LevelMatches, match_levels
from evaluation.segmentation.overlap import STRUCTURE_LABELS, Overlap, overlap
from evaluation.segmentation.surface import SurfaceAgreement, compare_surfaces

__all__ = [
    "STRUCTURE_LABELS",
    "LabelImage",
    "LevelMatches",
    "Overlap",
    "SurfaceAgreement",
    "compare_surfaces",
    "match_levels",
    "overlap",
    "read_label_map",
]
