"""Boxes: average precision as COCO counts it, recall and false positives of what is shown."""

from evaluation.detection.boxes import Box, ImageBoxes
from evaluation.detection.precision import average_precision, precision_intervals

__all__ = ["Box", "ImageBoxes", "average_precision", "precision_intervals"]
