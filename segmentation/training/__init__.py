"""Training of the segmentation network; only ``train`` is for others."""

from segmentation.training.loop import train

__all__ = ["train"]
