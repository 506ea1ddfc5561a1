"""Segmentation of all regions and planes: phantoms of the frozen test sets, and real cords.

``python -m benchmarks.regions [phantoms|cords|pictures]``; each command tells its options by ``--help``.
"""

from benchmarks.regions.cords import score_cords
from benchmarks.regions.phantoms import score_phantoms
from benchmarks.regions.stacks import Stack, masks_of_stack, truth_of
from benchmarks.regions.surface import surface_distance_px

__all__ = ["Stack", "masks_of_stack", "score_cords", "score_phantoms", "surface_distance_px", "truth_of"]
