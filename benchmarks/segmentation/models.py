"""The networks that are scored: the shipped one, one folder, or a folder of five folds; who held out whom."""

from pathlib import Path

from runtime.errors import WeightsError
from runtime.folds import FOLD_COUNT
from runtime.settings import load_settings
from runtime.weights import CHECKSUMS, open_weights
from segmentation.predict import SliceSegmenter

SHIPPED = "shipped"


def load_models(source: str, folds: list[int] | None = None) -> dict[int, SliceSegmenter]:
    """Load fold -> network.

    Args:
        source: ``shipped`` (``weights/segmentation``), a model folder, or a folder of ``fold0`` ... ``fold4``.
        folds: Only these; None takes all there are.

    Raises:
        WeightsError: If there is nothing to load, a fold that was asked for is missing, or a network saw all
            patients, so that none is left to score it on.
    """
    root = load_settings().weights_dir / "segmentation" if source == SHIPPED else Path(source)
    places = {held_out_fold(root): root} if (root / CHECKSUMS).is_file() else _fold_folders(root)
    wanted = sorted(places) if folds is None else folds
    if missing := [fold for fold in wanted if fold not in places]:
        raise WeightsError(
            f"weights {root.name!r}: expected models of the folds {missing}, found those of {sorted(places)}; "
            "train them with `python -m benchmarks.segmentation folds`"
        )
    return {fold: load_model(places[fold]) for fold in wanted}


def load_model(folder: Path) -> SliceSegmenter:
    """Load one model folder, for the CPU."""
    return SliceSegmenter.load(weights_root=folder.parent, name=folder.name, device="cpu")


def held_out_fold(folder: Path) -> int:
    """Return the fold whose patients a network has not seen.

    Raises:
        WeightsError: If it has seen all.
    """
    fold = open_weights(folder.name, folder.parent).config.get("training", {}).get("held_out_fold")
    if fold is None:
        raise WeightsError(
            f"weights {folder.name!r}: expected a fold that was held out (training.held_out_fold of config.json), "
            "found none: no patient is left to score it on"
        )
    return int(fold)


def _fold_folders(root: Path) -> dict[int, Path]:
    found = {fold: root / f"fold{fold}" for fold in range(FOLD_COUNT)}
    found = {fold: folder for fold, folder in found.items() if (folder / CHECKSUMS).is_file()}
    if not found:
        raise WeightsError(
            f"weights {root.name!r}: expected a model folder or fold0 to fold{FOLD_COUNT - 1} in it, found neither"
        )
    return found
