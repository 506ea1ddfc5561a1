"""Is a score worth anything? Baselines that saw no image, collapse, copies, leakage, and tests of differences.

``judge`` looks at predictions and references, ``paired_test`` at two systems, ``check_splits`` at the data they
were trained and tested on; docs/honesty.md gives each threshold with its reason.
"""

from evaluation.honesty.judge import Honesty, judge, read_embeddings
from evaluation.honesty.leakage import Leakage, SplitRow, check_splits, find_images, read_splits
from evaluation.honesty.paired import PairedTest, paired_test

__all__ = [
    "Honesty",
    "Leakage",
    "PairedTest",
    "SplitRow",
    "check_splits",
    "find_images",
    "judge",
    "paired_test",
    "read_embeddings",
    "read_splits",
]
