"""The notice that stands wherever a report appears."""

NOTICE = "Research use only. Draft for a radiologist's review. Not a medical device."
