"""Report writers by name: a preset of ``configs/vlm``, a YAML of one's own, or the folder of a tuning run.

``spine-tiny`` is the default. Hub and remote presets are only opened when someone names them; importing this
module loads none of their libraries.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import ConfigError
from runtime.paths import configs_dir
from vlm.config import load_training_table

if TYPE_CHECKING:
    from vlm.hub.drafter import HubDrafter
    from vlm.predict import Drafter
    from vlm.remote.drafter import RemoteDrafter

DEFAULT = "spine-tiny"
RUN_PRESET = "preset.yaml"
"""What a tuning run leaves in its folder."""


@dataclass(frozen=True)
class WriterChoice:
    """Which writer, as a person chose it.

    Attributes:
        name: Preset, path of a YAML, or folder of a tuning run.
        model: Folder or hub id in place of the preset's; a hub id is fetched. None takes what is installed.
    """

    name: str
    model: str | None = None


def writer_names() -> tuple[str, ...]:
    """Return the presets that can write a report, by name."""
    tables = sorted((configs_dir() / "vlm").glob("*.yaml"))
    return tuple(file.stem.replace("_", "-") for file in tables if "architecture" in load_training_table(file))


def preset_file(name: str) -> Path:
    """Return the YAML of a writer.

    Args:
        name: Preset, path of a YAML, or folder of a tuning run.

    Raises:
        ConfigError: If there is none.
    """
    for file in (Path(name) / RUN_PRESET, Path(name)):
        if file.is_file():
            return file
    for stem in (name, name.replace("-", "_")):
        file = configs_dir() / "vlm" / f"{stem}.yaml"
        if Path(stem).name == stem and file.is_file():
            return file
    known = ", ".join(("composer", *writer_names()))
    raise ConfigError(f"writer: expected {known}, a YAML or the folder of a tuning run, got {name!r}")


def open_writer(
    choice: WriterChoice, *, weights_root: Path, device: str = "auto"
) -> "Drafter | HubDrafter | RemoteDrafter":
    """Load the chosen writer.

    Args:
        choice: Which.
        weights_root: Folder of all weights.
        device: ``auto``, ``cpu``, ``cuda`` ...

    Raises:
        ConfigError: If there is no such writer, it is not fully configured, or its model is not on this machine.
        WeightsError: If weights are missing or damaged.
    """
    file = preset_file(choice.name)
    architecture = load_training_table(file).get("architecture")
    openers: dict[object, Callable[[], Drafter | HubDrafter | RemoteDrafter]] = {
        DEFAULT: lambda: _open_tiny(choice, weights_root, device),
        "hub": lambda: _open_hub(file, choice, weights_root, device),
        "remote": lambda: _open_remote(file, choice),
    }
    if architecture not in openers:
        known = ", ".join(str(name) for name in openers)
        raise ConfigError(f"{file.name}: architecture: expected one of {known}, got {architecture!r}")
    return openers[architecture]()


def _open_tiny(choice: WriterChoice, weights_root: Path, device: str) -> "Drafter":
    from vlm.predict import Drafter

    if choice.model is not None:
        raise ConfigError("writer spine-tiny: expected no model; its weights are named by SPINESCRIBE_WEIGHTS")
    return Drafter.load(weights_root=weights_root, name=DEFAULT, device=device)


def _open_hub(file: Path, choice: WriterChoice, weights_root: Path, device: str) -> "HubDrafter":
    from vlm.hub.config import load_hub_config
    from vlm.hub.drafter import HubDrafter

    is_run = file.name == RUN_PRESET
    name = file.resolve().parent.name if is_run else file.stem.replace("_", "-")
    return HubDrafter.load(
        load_hub_config(file), name=name, weights_root=weights_root, device=device, model=choice.model
    )


def _open_remote(file: Path, choice: WriterChoice) -> "RemoteDrafter":
    from vlm.remote.config import load_remote_config
    from vlm.remote.drafter import RemoteDrafter

    return RemoteDrafter.load(load_remote_config(file, model=choice.model))
