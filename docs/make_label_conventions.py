"""Write docs/label-conventions.md from the table: ``python docs/make_label_conventions.py``."""

from pathlib import Path

from anatomy.conventions import Convention, LabelRule, Match, conventions
from anatomy.structures import label_codes

OUT = Path(__file__).parent / "label-conventions.md"
_RELATIONS = {
    Match.SAME: "same",
    Match.PARTIAL: "same, cut off by the image border",
    Match.PART: "part of ours",
    Match.POINT: "mark",
    Match.NONE: "left out",
}
_HEAD = """# Label conventions

Made from `anatomy/conventions.yaml` and `anatomy/conventions.csv` by `python docs/make_label_conventions.py`; edit
the tables, not this page.

A segmentation of another tool can take the place of ours, for naming, measuring, grading and the report:

```
spinescribe import-labels LABELS --out DIR [--convention C]                  # our numbers + labels.json
spinescribe import-labels LABELS --out DIR [--convention C] --image STUDY    # and a reading
spinescribe read STUDY --labels LABELS [--label-convention C] --out DIR      # the same reading
```

LABELS is NIfTI (`.nii`, `.nii.gz`), MetaImage (`.mha`) or DICOM SEG (`.dcm`), which says itself what its segments
are. C is `auto`, a tool (`spineps`) or one kind of file of a
tool (`spineps:vert`). `auto` takes a convention only if it is the only one that fits: every number known, and the
anatomy in order.

What is checked, because numbers alone lie:

- Vertebrae and discs run from head to foot as they are named, and each disc lies between its vertebrae; else the
  file is refused (wrong convention, or an orientation that was lost).
- A disc name given in two places, or names and distances that disagree (a level skipped), put the level in doubt.
- Labels on another grid are sampled by nearest neighbour, and that is said; labels beside the image are refused,
  and if turning x and y round would make them fit, the message says so (LPS written as RAS).
- Numbers that the convention does not define, and structures that we have no place for, are left out and listed in
  `labels.json` with voxels and reason. Probability maps, 4-D files and files without orientation are refused.
- Imported names have confidence 1, or 0.5 with a doubt. They are checked for order, not for being right.
- Labels that outline no disc (marks of the Spinal Cord Toolbox, vertebrae of TotalSegmentator) name the levels;
  the outlines are then our own, one level is taken as confirmed, and a level named otherwise is put in doubt.

Our own numbers are in `anatomy/codes.csv`: vertebrae L5 = 1 upward to C1 = 24, sacrum 50, ilium 51 and 52, joint
space 53 and 54, canal 100 (without the cord where the cord is outlined), cord 101, a disc 200 + the vertebra
above.
"""


def label_conventions_page() -> str:
    """Return the page."""
    parts = [_HEAD, _overview(), *(_section(item) for item in conventions().values())]
    return "\n".join(parts)


def _overview() -> str:
    lines = [
        "| convention | what | version | licence of the tool | numbers | with a counterpart |",
        "|---|---|---|---|---|---|",
    ]
    for item in conventions().values():
        mapped = sum(rule.our_label is not None for rule in item.rules.values())
        lines.append(
            f"| `{item.name}` | {item.title} | {item.version} | {item.licence} | {len(item.rules)} | {mapped} |"
        )
    return "\n".join([*lines, ""])


def _section(item: Convention) -> str:
    mapped = [rule for rule in item.rules.values() if rule.our_label is not None]
    left = [rule for rule in item.rules.values() if rule.our_label is None]
    lines = [f"## {item.name}", "", f"{item.title}, {item.version}. {item.description}", "", "Written at:", ""]
    lines += [f"- {source}" for source in item.sources]
    lines += ["", "| theirs | their name | ours | our name | relation | note |", "|---:|---|---:|---|---|---|"]
    for rule in mapped:
        assert rule.our_label is not None
        name = label_codes()[rule.our_label].name
        unless = f" Void with {', '.join(map(str, sorted(rule.unless)))} in the file." if rule.unless else ""
        lines.append(
            f"| {rule.their_label} | {rule.their_name} | {rule.our_label} | {name} | {_RELATIONS[rule.match]} | "
            f"{rule.note + unless if rule.note else unless.strip()} |"
        )
    if left:
        lines += ["", "Left out:", ""]
        lines += [f"- {why}: {names}" for why, names in _by_reason(left)]
    return "\n".join([*lines, ""])


def _by_reason(rules: list[LabelRule]) -> list[tuple[str, str]]:
    """Return reason -> the numbers and names left out for it, in the order of the table."""
    found: dict[str, list[str]] = {}
    for rule in rules:
        found.setdefault(rule.note, []).append(f"{rule.their_label} {rule.their_name}")
    return [(why, ", ".join(names)) for why, names in found.items()]


if __name__ == "__main__":
    OUT.write_text(label_conventions_page(), encoding="utf-8")
