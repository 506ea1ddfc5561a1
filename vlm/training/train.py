"""The one public door to training: the YAML says which stage."""

from pathlib import Path

from runtime.errors import ConfigError
from vlm.config import load_training_table


def train(config_path: Path, *, fold: int | None = None, resume: bool = False, out: Path | None = None) -> Path:
    """Train a stage of the report writer.

    Args:
        config_path: YAML with ``stage: pretrain``, ``stage: adapt`` or ``stage: adapt-hub``.
        fold: SPIDER patients of this fold are held out of adaptation; None takes the configured fold.
        resume: Continue a stopped run.
        out: Folder of the run; None takes the configured one.

    Returns:
        The folder with what was trained; of ``adapt-hub`` the preset that names it.

    Raises:
        ConfigError: If the stage is unknown, or a key or value of the YAML is wrong.
    """
    table = load_training_table(config_path)
    stage = table.get("stage")
    if stage == "pretrain":
        from vlm.training.pretrain import parse_pretrain, pretrain

        return pretrain(parse_pretrain(table, where=config_path.name), out=out, resume=resume)
    if stage == "adapt":
        from vlm.training.adapt import adapt, parse_adapt

        return adapt(parse_adapt(table, where=config_path.name), fold=fold, out=out, resume=resume)
    if stage == "adapt-hub":
        from vlm.hub.tune import parse_tune, tune

        return tune(parse_tune(table, where=config_path.name), fold=fold, out=out, resume=resume)
    raise ConfigError(f"{config_path.name}: stage: expected pretrain, adapt or adapt-hub, got {stage!r}")
