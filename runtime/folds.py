"""The one patient-wise split of SPIDER that every stage uses (``configs/folds/spider.csv``).

Made once, stratified by which masks a patient has and by the mean Pfirrmann grade, so that no patient is in
training for one stage and in testing for the next.
"""

import csv
from functools import cache

from runtime.paths import configs_dir

FOLD_COUNT = 5


@cache
def spider_folds() -> dict[int, int]:
    """Return patient number -> fold (0 to 4) in which the patient is held out."""
    with (configs_dir() / "folds" / "spider.csv").open(encoding="utf-8", newline="") as stream:
        return {int(row["patient"]): int(row["fold"]) for row in csv.DictReader(stream)}
