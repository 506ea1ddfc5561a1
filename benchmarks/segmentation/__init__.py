"""Segmentation on patients never seen: scores, comparisons, the ablation's screen, renders.

``python -m benchmarks.segmentation [score|compare|screen|folds|render|bench]``; each command tells its options by
``--help``. Figures are defined in ``scoring`` and ``rare``; nothing is scored on a patient a network has seen.
"""

from benchmarks.segmentation.scoring import Row, score_points, score_space, score_vertebrae
from benchmarks.segmentation.tables import figure_record, summarise

__all__ = ["Row", "figure_record", "score_points", "score_space", "score_vertebrae", "summarise"]
