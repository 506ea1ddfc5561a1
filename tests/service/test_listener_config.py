"""The listener's settings: read from the file, wrong ones refused by name."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from reporting.export.classes import Classes, SEGClass, SRClass
from reporting.export.formats import ExportFormat
from runtime.errors import ConfigError
from service.pacs.listener_config import ListenerConfig, PushWhen, load_listener_config

EXAMPLE = Path(__file__).parents[2] / "configs" / "pacs.example.yaml"


def load(folder: Path, **section: Any) -> ListenerConfig:
    file = folder / "pacs.yaml"
    file.write_text(
        yaml.safe_dump({"listener": {"callers": ["MR1"], "owner": "pacs", **section}}), encoding="utf-8"
    )
    return load_listener_config(file)


def test_the_example_is_one() -> None:
    config = load_listener_config(EXAMPLE)
    assert config.callers == ("MR1", "ORTHANC")
    assert (config.push, config.has_push) == (PushWhen.NONE, False)
    assert config == ListenerConfig(callers=config.callers, owner="pacs", push=PushWhen.NONE, push_to="archive")


def test_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        tls_certificate="ours.pem",
        tls_key="/etc/key.pem",
        push="draft",
        push_to="archive",
        push_formats=["sr"],
        push_sr_class="comprehensive-3d",
        push_seg_class="labelmap",
    )
    assert config.tls_certificate == str(tmp_path / "ours.pem")
    assert config.tls_key == "/etc/key.pem"
    assert (config.push, config.push_formats) == (PushWhen.DRAFT, (ExportFormat.SR,))
    assert config.push_classes == Classes(SRClass.COMPREHENSIVE_3D, SEGClass.LABELMAP)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"callers": []}, r"listener.callers: expected a list"),
        ({"callers": "MR1"}, r"listener.callers: expected a list"),
        ({"callers": ["A TITLE TOO LONG FOR DICOM"]}, r"expected an AE title"),
        ({"ae_title": "BACK\\SLASH"}, r"expected an AE title"),
        ({"owner": ""}, r"listener.owner: expected the name"),
        ({"port": 70000}, r"listener.port: expected a port"),
        ({"quiet_s": 0}, r"listener.quiet_s: expected a positive number"),
        ({"push": "always"}, r"listener.push: expected one of none, draft, signed"),
        ({"push": "signed"}, r"listener.push_to: expected the name of a node"),
        ({"push_sr_class": "3d"}, r"listener.push_sr_class: expected one of comprehensive, comprehensive-3d"),
        ({"push_seg_class": "fractional"}, r"listener.push_seg_class: expected one of binary, labelmap"),
        ({"push_formats": []}, r"listener.push_formats: expected at least one of seg"),
        ({"push_formats": ["docx"]}, r"listener.push_formats: expected one of seg"),
        ({"tls_certificate": "ours.pem"}, r"go together"),
        ({"tls_callers": "callers.pem"}, r"needs tls_certificate"),
        ({"caller": ["MR1"]}, r"unknown keys caller"),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, section: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(tmp_path, **section)


def test_a_missing_file_or_section_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_listener_config(tmp_path / "none.yaml")
    (tmp_path / "pacs.yaml").write_text("nodes: {}", encoding="utf-8")
    with pytest.raises(ConfigError, match="expected a section 'listener'"):
        load_listener_config(tmp_path / "pacs.yaml")
