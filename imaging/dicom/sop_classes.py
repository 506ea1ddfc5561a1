"""Kinds of DICOM object that are newer than pydicom's table. Source: PS3.4 B.5."""

from pydicom.uid import UID, SegmentationStorage

LABEL_MAP_SEGMENTATION = UID("1.2.840.10008.5.1.4.1.1.66.7")
SEGMENTATIONS = (SegmentationStorage, LABEL_MAP_SEGMENTATION)
