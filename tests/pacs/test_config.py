"""The PACS configuration: what is wrong is told, naming the key; the example loads."""

from pathlib import Path

import pytest

from runtime.errors import ConfigError
from service.pacs.config import DicomwebConfig, DimseConfig, load_pacs_config
from service.pacs.errors import PacsError
from service.pacs.node import build_node
from service.pacs.query import Level, Query, checked
from service.pacs.retry import with_retries

EXAMPLE = Path(__file__).parents[2] / "configs" / "pacs.example.yaml"
DIMSE = "kind: dimse, host: pacs, port: 104, ae_title: ARCHIVE"
WEB = "kind: dicomweb, url: 'https://pacs/dicom-web/'"


def test_the_example_loads() -> None:
    config = load_pacs_config(EXAMPLE)
    assert config.own.ae_title == "SPINESCRIBE"
    assert isinstance(config.node("archive"), DimseConfig)
    assert isinstance(config.node("web"), DicomwebConfig)


def test_a_listener_section_is_another_ones(tmp_path: Path) -> None:
    assert load_pacs_config(_written(tmp_path, "listener: {anything: 1}")).nodes == {}


def test_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    file = _written(tmp_path, f"nodes: {{a: {{{DIMSE}, tls: true, tls_ca: ca.pem}}}}")
    assert load_pacs_config(file).node("a").tls_ca == str(tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "expected the sections"),
        ("own: {x: 1}", "own: unknown keys x"),
        ("own: {ae_title: 'A\\\\B'}", "own.ae_title: expected an AE title"),
        ("own: {move_port: 0}", "own.move_port: expected 1 to 65535"),
        ("nodes: [1]", "nodes: expected a table"),
        ("nodes: {a: 1}", "nodes.a: expected a table"),
        ("nodes: {a: {kind: ftp}}", "nodes.a.kind: expected dimse or dicomweb"),
        ("nodes: {a: {kind: dimse}}", "nodes.a: .*missing"),
        (f"nodes: {{a: {{{DIMSE}, fetch: push}}}}", "fetch: expected get or move"),
        (f"nodes: {{a: {{{DIMSE}, attempts: 0}}}}", "attempts: expected a positive"),
        (f"nodes: {{a: {{{DIMSE}, tls_ca: ca.pem}}}}", "need tls: true"),
        (f"nodes: {{a: {{{DIMSE}, tls: true, tls_key: k.pem}}}}", "go together"),
        (f"nodes: {{a: {{{DIMSE.replace('104', '104000')}}}}}", "port: expected 1 to 65535"),
        (f"nodes: {{a: {{{WEB}, secret: abc}}}}", "unknown keys secret"),
        (f"nodes: {{a: {{{WEB}, user: u}}}}", "user: needs secret_variable"),
        (f"nodes: {{a: {{{WEB}, secret_variable: A, secret_file: b}}}}", "got both"),
        ("nodes: {a: {kind: dicomweb, url: 'http://pacs/x'}}", "unencrypted"),
        ("nodes: {a: {kind: dicomweb, url: 'https://u:p@pacs/x'}}", "no user, password"),
        ("nodes: {a: {kind: dicomweb, url: 'ftp://pacs'}}", "http:// or https://"),
        ("nodes: {", "expected YAML"),
    ],
)
def test_what_is_wrong_is_told(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        load_pacs_config(_written(tmp_path, text))


def test_a_file_or_a_node_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_pacs_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="no node 'x'; expected one of archive, web"):
        load_pacs_config(EXAMPLE).node("x")


def test_a_secret_must_be_where_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _written(
        tmp_path, f"nodes: {{a: {{{WEB}, secret_file: token}}, b: {{{WEB}, secret_variable: NOT_SET}}}}"
    )
    config = load_pacs_config(file)
    with pytest.raises(ConfigError, match="secret_file: cannot be read"):
        build_node(config, "a")
    with pytest.raises(ConfigError, match="NOT_SET: expected the password"):
        build_node(config, "b")
    (tmp_path / "token").write_text("abc\n")
    build_node(config, "a")
    monkeypatch.setenv("NOT_SET_FILE", str(tmp_path / "token"))
    build_node(config, "b")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (Query(study_instance_uid="1.2*"), "expected a UID"),
        (Query(study_instance_uid="1" * 65), "expected a UID"),
        (Query(level=Level.SERIES), "needs the Study Instance UID"),
        (Query(date="2026-01-01"), "expected YYYYMMDD"),
        (Query(limit=0), "limit"),
    ],
)
def test_a_query_that_cannot_be_asked(query: Query, words: str) -> None:
    with pytest.raises(PacsError, match=words):
        checked(query)


@pytest.mark.parametrize(("again", "times"), [(True, 3), (False, 1)])
def test_only_what_may_pass_is_tried_again(again: bool, times: int) -> None:
    tried: list[int] = []

    def fail() -> None:
        tried.append(1)
        raise PacsError("no", code="busy", again=again)

    with pytest.raises(PacsError, match="no"):
        with_retries(fail, attempts=3, backoff_s=0.001)
    assert len(tried) == times


def _written(folder: Path, text: str) -> Path:
    file = folder / "pacs.yaml"
    file.write_text(text)
    return file
