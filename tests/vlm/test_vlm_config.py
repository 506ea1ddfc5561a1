"""Presets: read, checked, refused by name of the key."""

from pathlib import Path

import pytest
import yaml

from runtime.errors import ConfigError
from runtime.paths import configs_dir
from vlm.config import load_preset, load_training_table, parse_config
from vlm.training.adapt import parse_adapt
from vlm.training.pretrain import parse_pretrain
from vlm.training.train import train


def preset_table() -> dict:
    return yaml.safe_load((configs_dir() / "vlm" / "spine-tiny.yaml").read_text(encoding="utf-8"))


def test_the_shipped_preset_loads_and_survives_a_round_trip() -> None:
    config = load_preset("spine-tiny")
    assert config.decoder.hidden_size % config.decoder.heads == 0
    assert "embed_tokens" not in config.adapter.targets
    assert parse_config(config.to_dict(), where="copy") == config


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected a file nowhere\.yaml"):
        load_preset("nowhere")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.update(colour="red"), "unknown or missing keys: colour"),
        (lambda table: table["decoder"].pop("layers"), "decoder: unknown or missing keys: layers"),
        (lambda table: table["decoder"].update(layers="six"), "layers: expected int, got 'six'"),
        (lambda table: table.update(decoder=None), "expected a table under 'decoder'"),
        (lambda table: table["decoder"].update(heads=7), "must be a multiple"),
        (lambda table: table["generation"].update(max_new_tokens=512), "leaves no room for a prompt"),
    ],
)
def test_a_wrong_preset_is_refused_naming_the_key(change, words: str) -> None:
    table = preset_table()
    change(table)
    with pytest.raises(ConfigError, match=words):
        parse_config(table, where="spine-tiny.yaml")


def test_the_training_configurations_are_read() -> None:
    pretrain = load_training_table(configs_dir() / "vlm" / "pretrain.yaml")
    adapt = load_training_table(configs_dir() / "vlm" / "adapt.yaml")
    assert parse_pretrain(pretrain, where="pretrain.yaml").loop.steps > 0
    assert parse_adapt(adapt, where="adapt.yaml").held_out_fold == 0


def test_wrong_training_tables_are_refused(tmp_path: Path) -> None:
    table = load_training_table(configs_dir() / "vlm" / "pretrain.yaml")
    table["mix"]["pairs"] = 0.5
    with pytest.raises(ConfigError, match="shares that sum to 1"):
        parse_pretrain(table, where="pretrain.yaml")
    adapt = load_training_table(configs_dir() / "vlm" / "adapt.yaml")
    adapt["mix"]["real"] = 1.5
    with pytest.raises(ConfigError, match="real: expected a share from 0 to 1"):
        parse_adapt(adapt, where="adapt.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="expected a table of keys, got list"):
        load_training_table(tmp_path / "list.yaml")
    (tmp_path / "stage.yaml").write_text("stage: fly\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="expected pretrain, adapt or adapt-hub, got 'fly'"):
        train(tmp_path / "stage.yaml")
    with pytest.raises(ConfigError, match=r"found nothing at absent\.yaml"):
        train(tmp_path / "absent.yaml")
