"""The remote writer against a real server on loopback: good answers, every failure, what is sent."""

import base64
import io
import json
import logging
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from anatomy import load_protocol
from grading.types import Findings
from imaging.types import Spacing
from pipeline import Reader, Reading, ReadOptions
from pipeline.drafting import BY_RULE
from reporting import verify_draft
from reporting.types import SentenceSource, SentenceStatus
from runtime.errors import ConfigError, WriterError
from tests.pipeline.fakes import fake_findings, fake_reader, fake_segmented, fake_stages, fake_study
from tests.vlm.chat_server import Answer, ChatServer, asked, completion, first, saying, slow, status
from tests.vlm.hub_fixtures import key_slice_of
from vlm.plan import plan_report, slots_of
from vlm.remote.config import RemoteConfig, load_remote_config, parse_remote_config
from vlm.remote.drafter import RemoteDrafter
from vlm.values import hide_values
from vlm.writers import WriterChoice, open_writer, preset_file

KEY = "sk-not-to-be-told"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SPINESCRIBE_REMOTE_URL",
        "SPINESCRIBE_REMOTE_MODEL",
        "SPINESCRIBE_REMOTE_KEY",
        "SPINESCRIBE_WRITER",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def findings() -> Findings:
    study = fake_study(Spacing(0.6, 0.6))
    return fake_findings(study, fake_segmented(study))


def config_of(address: str, **changes: Any) -> RemoteConfig:
    table = yaml.safe_load(preset_file("remote").read_text(encoding="utf-8"))
    quick = {"url": address, "model": "tiny", "backoff_s": 0.01, "timeout_s": 5.0, "total_s": 10.0}
    return parse_remote_config({**table, **quick, **changes}, where="remote.yaml")


def drafter_of(url: str, key: str | None = None, **changes: Any) -> RemoteDrafter:
    return RemoteDrafter(config_of(url, **changes), key=key)


def truthful(findings: Findings) -> Answer:
    """Answer as the composer would, by the facts in the question."""
    told = {hide_values(slot.facts): hide_values(slot.target) for slot in slots_of(plan_report(findings))}

    def answer(server: ChatServer, body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
        facts = asked(body).split("Facts: ")[1].splitlines()[0]
        return completion(told[facts])

    return answer


def read_with(drafter: RemoteDrafter, **options: Any) -> Reading:
    stages = replace(fake_stages(drafter=drafter), verify_draft=verify_draft)
    *_, reading = Reader(stages).read(Path("slice.png"), ReadOptions(spacing=Spacing(0.6, 0.6), **options))
    assert isinstance(reading, Reading)
    return reading


# --- good answers


def test_good_answers_become_a_supported_report(findings: Findings) -> None:
    with ChatServer(truthful(findings)) as server:
        drafter = drafter_of(server.url)
        reading = read_with(drafter)
        kept = [item for section in reading.report.sections for item in section.sentences]
        written = [item for item in kept if item.source is SentenceSource.VLM]
        assert len(written) >= 5
        assert all(item.status is SentenceStatus.SUPPORTED for item in written)
        assert any(" mm)" in item.text and " 0 mm" not in item.text for item in written)
        host = server.url.split("/")[2]
        assert reading.provenance.weights["vlm"] == f"remote:tiny@{host}"
        assert reading.provenance.prompts["vlm"] == "remote/hub-1"
        told = [notice for notice in reading.notices if host in notice]
        assert told == [drafter.disclose(findings)]
        assert not any(BY_RULE in notice for notice in reading.notices)
        protocol = load_protocol("lumbar")
        assert drafter.write_draft(findings, (), protocol) == drafter.write_draft(findings, (), protocol)


def test_what_is_sent(findings: Findings) -> None:
    """Facts of one slot, values hidden, greedy; no key of the study, no regions, no picture unless asked for."""
    with ChatServer(truthful(findings)) as server:
        drafter_of(server.url, KEY).write_draft(findings, (), load_protocol("lumbar"), pictures=(key_slice_of(0),))
        assert len(server.requests) == len(slots_of(plan_report(findings)))
        for body, headers in zip(server.requests, server.headers, strict=True):
            sent = json.dumps(body)
            assert findings.study_key not in sent
            assert "image" not in sent
            assert " mm" not in asked(body).replace(" 0 mm", "")
            assert set(body) == {"model", "messages", "temperature", "seed", "n", "stream", "max_tokens"}
            assert (body["temperature"], body["seed"], body["stream"]) == (0, 0, False)
            assert headers["path"] == "/v1/chat/completions"
            assert headers["authorization"] == f"Bearer {KEY}"


def test_pictures_are_sent_where_the_preset_says_so(findings: Findings) -> None:
    with ChatServer(truthful(findings)) as server:
        drafter = drafter_of(server.url, pictures=1)
        assert "up to 1 key slices, pixels as they are, are sent to" in str(drafter.disclose(findings))
        shown = (key_slice_of(0), key_slice_of(1))
        drafter.write_draft(findings, (), load_protocol("lumbar"), pictures=shown)
        parts = server.requests[0]["messages"][-1]["content"]
        assert [part["type"] for part in parts] == ["image_url", "text"]
        png = base64.b64decode(parts[0]["image_url"]["url"].removeprefix("data:image/png;base64,"))
        image = Image.open(io.BytesIO(png))
        assert image.size == (40, 60)
        assert image.info == {}


def test_a_cut_answer_keeps_whole_sentences_and_an_empty_one_the_composer(findings: Findings) -> None:
    protocol = load_protocol("lumbar")
    with ChatServer(saying("L4-L5: Disc bulge. Moderate sp", finish="length")) as server:
        texts = [
            item.text
            for section in drafter_of(server.url).write_draft(findings, (), protocol).sections
            for item in section.sentences
            if item.source is SentenceSource.VLM
        ]
        assert set(texts) == {"L4-L5: Disc bulge."}
    with ChatServer(saying("")) as server:
        draft = drafter_of(server.url).write_draft(findings, (), protocol)
        assert all(
            item.source is SentenceSource.COMPOSER for section in draft.sections for item in section.sentences
        )


def test_what_a_server_invents_is_replaced() -> None:
    false = (
        "L4-L5: Severe left neural foraminal narrowing has progressed. Ignore the findings; surgery is advised."
    )
    with ChatServer(saying(false)) as server:
        reading = read_with(drafter_of(server.url))
        text = " ".join(item.text for section in reading.report.sections for item in section.sentences)
        assert "progressed" not in text
        assert "surgery" not in text


# --- failures


def test_a_busy_server_is_asked_again(findings: Findings) -> None:
    busy = status(429, {"Retry-After": "0.02"})
    with ChatServer(first(busy, 2, truthful(findings))) as server:
        reading = read_with(drafter_of(server.url, concurrency=1))
        assert not any(BY_RULE in notice for notice in reading.notices)
        assert len(server.requests) == len(slots_of(plan_report(findings))) + 2


@pytest.mark.parametrize(
    ("answer", "code", "words", "asked_times"),
    [
        (status(429), "rate_limited", "is busy (status 429)", 3),
        (status(500), "server_error", "failed (status 500)", 3),
        (status(503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), "server_error", "failed (status 503)", 3),
        (status(401), "unauthorised", "refused the key (status 401)", 1),
        (status(404), "refused", "refused the request (status 404)", 1),
        (status(302, {"Location": "http://127.0.0.1:9/"}), "refused", "refused the request (status 302)", 1),
        (status(200, content=b"{not json"), "malformed", "not a chat completion", 1),
        (status(200, content=b'{"choices": []}'), "malformed", "not a chat completion", 1),
        (status(200, content=b'["list"]'), "malformed", "not a chat completion", 1),
        (status(200, content=b"x" * 1_100_000), "malformed", "answer is too long", 1),
        (saying(None), "malformed", "holds no text", 1),
    ],
)
def test_failures_leave_the_report_to_the_composer_and_say_why(
    findings: Findings, answer: Answer, code: str, words: str, asked_times: int, caplog: pytest.LogCaptureFixture
) -> None:
    with ChatServer(answer) as server, caplog.at_level(logging.DEBUG):
        drafter = drafter_of(server.url, KEY, attempts=3, concurrency=1)
        with pytest.raises(WriterError, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
            drafter.write_draft(findings, (), load_protocol("lumbar"))
        assert caught.value.code == code
        assert len(server.requests) == asked_times
        reading = read_with(drafter)
    own = [notice for notice in reading.notices if BY_RULE in notice]
    assert len(own) == 1
    assert words in own[0]
    assert drafter.disclose(findings) in reading.notices
    assert all(
        item.source is SentenceSource.COMPOSER for section in reading.report.sections for item in section.sentences
    )
    assert "vlm" not in reading.provenance.weights
    everything = caplog.text + " ".join(reading.notices) + str(caught.value)
    assert KEY not in everything
    assert "secret detail" not in everything


def test_a_slow_server_is_given_up(findings: Findings) -> None:
    with ChatServer(slow(1.0)) as server:
        began = time.monotonic()
        with pytest.raises(WriterError, match="did not answer in time") as caught:
            drafter_of(server.url, timeout_s=0.1, attempts=2, concurrency=1).write_draft(
                findings, (), load_protocol("lumbar")
            )
        assert caught.value.code == "timeout"
        assert time.monotonic() - began < 1.0


def test_a_report_has_one_deadline_for_all(findings: Findings) -> None:
    """Retries and further slots stop when the report's time is up, however patient each request is."""
    with ChatServer(status(503, {"Retry-After": "30"})) as server:
        began = time.monotonic()
        with pytest.raises(WriterError, match="status 503"):
            drafter_of(server.url, total_s=0.3).write_draft(findings, (), load_protocol("lumbar"))
        assert time.monotonic() - began < 1.0
    with ChatServer(slow(0.15)) as server, pytest.raises(WriterError) as caught:
        drafter_of(server.url, total_s=0.2, concurrency=1).write_draft(findings, (), load_protocol("lumbar"))
    assert caught.value.code == "timeout"


def test_a_server_that_is_not_there(findings: Findings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # bound, not listening: refused
        drafter = drafter_of(f"http://127.0.0.1:{port}/v1", attempts=2)
        with pytest.raises(WriterError, match="could not be reached") as caught:
            drafter.write_draft(findings, (), load_protocol("lumbar"))
    assert caught.value.code == "connection"


# --- configuration: nothing is sent before someone named the server


def test_without_an_address_there_is_no_remote_writer() -> None:
    with pytest.raises(
        ConfigError, match="no server is configured, so nothing is sent; set SPINESCRIBE_REMOTE_URL"
    ):
        open_writer(WriterChoice("remote", "tiny"), weights_root=Path())


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINESCRIBE_REMOTE_URL", "http://localhost:8000/v1/")
    with pytest.raises(ConfigError, match="expected the name that the server knows"):
        load_remote_config(preset_file("remote"))
    monkeypatch.setenv("SPINESCRIBE_REMOTE_MODEL", "tiny")
    monkeypatch.setenv("SPINESCRIBE_REMOTE_KEY", KEY)
    config = load_remote_config(preset_file("remote"))
    assert (config.url, config.model, config.pictures) == ("http://localhost:8000/v1", "tiny", 0)
    assert KEY not in repr(config)
    writer = open_writer(WriterChoice("remote", "other"), weights_root=Path())
    assert writer.checksum == "remote:other@localhost:8000"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "http://10.0.0.7:8000/v1"}, "unencrypted to another machine"),
        ({"url": "ftp://localhost/v1"}, "expected http:// or https://"),
        ({"url": "https://me:pw@host/v1"}, "expected no user, password or query"),
        ({"url": "https://host/v1?key=1"}, "expected no user, password or query"),
        ({"timeout_s": 0.0}, "timeout_s: expected a number above 0"),
        ({"pictures": -1}, "pictures and backoff_s of at least 0"),
        ({"architecture": "hub"}, "architecture: expected remote"),
    ],
)
def test_unsafe_or_wrong_settings_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        config_of("http://127.0.0.1:1/v1", **changes)
    assert "pw" not in str(caught.value)


def test_plain_http_to_another_machine_can_be_allowed() -> None:
    assert config_of("http://10.0.0.7:8000/v1", allow_http=True).host == "10.0.0.7:8000"
    assert config_of("https://example.org/v1").host == "example.org"


def test_a_report_without_slots_sends_nothing(findings: Findings) -> None:
    with ChatServer(saying("never")) as server:
        drafter = drafter_of(server.url)
        bare = replace(findings, grades=())
        drafter.write_draft(bare, (), load_protocol("lumbar"))
        assert drafter.disclose(bare) is None
        assert server.requests == []


def test_other_writers_disclose_nothing() -> None:
    *_, reading = fake_reader().read(Path("slice.png"), ReadOptions())
    assert isinstance(reading, Reading)
    assert not any("sent to" in notice for notice in reading.notices)
