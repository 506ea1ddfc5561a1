"""The worker beside the server and the one of the command line: started, restarted, ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cli.main import main
from service.accounts.actor import Actor
from service.config import load_service_config
from service.jobs.embedded import embedded_worker, environment_of
from service.jobs.process import child_environment
from service.services import Services
from service.store.tables import WorkerBeat
from tests.service.jobs.fakes import READER, picture
from tests.service.jobs.steps import accept, jobs_of, study_of


def test_a_killed_worker_is_started_again_and_ends_with_the_server(services: Services, radiologist: Actor) -> None:
    with embedded_worker(services.config, reader=READER) as worker:
        _until(lambda: _beats(services) == 1)
        first = worker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        study_id = accept(services, radiologist)
        _until(lambda: study_of(services, study_id).status == "ready")
        assert worker.pid != first
        hangs = accept(services, radiologist, picture("hang"))
        _until(lambda: jobs_of(services, hangs)[0].stage == "imaging")
        pid = worker.pid
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert (jobs_of(services, hangs)[0].state, jobs_of(services, hangs)[0].attempt) == ("queued", 0)


def test_a_worker_ends_when_its_server_is_killed(services: Services) -> None:
    program = (
        "import sys, time\n"
        "from service.config import load_service_config\n"
        "from service.jobs.embedded import embedded_worker\n"
        f"with embedded_worker(load_service_config(), reader={READER!r}) as worker:\n"
        "    while worker.pid is None: time.sleep(0.01)\n"
        "    print(worker.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, **environment_of(services.config)}
    server = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE)
    assert server.stdout is not None
    worker = psutil.Process(int(server.stdout.readline()))
    _until(lambda: _beats(services) == 1)
    server.kill()
    server.wait()
    server.stdout.close()
    _until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    assert _beats(services) == 0


def test_the_worker_gets_the_settings_of_the_server(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(services.config).items():
        monkeypatch.setenv(name, value)
    assert load_service_config() == services.config


def test_the_process_that_reads_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "SECRET_KEY_FILE", "DATABASE_URL", "DATABASE_PASSWORD", "OIDC_CLIENT_SECRET"):
        monkeypatch.setenv(f"SPINESCRIBE_{name}", "hush")
    monkeypatch.setenv("SPINESCRIBE_WEIGHTS", "/weights")
    assert "hush" not in child_environment().values()
    assert child_environment()["SPINESCRIBE_WEIGHTS"] == "/weights"


def test_the_command_ends_when_nothing_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPINESCRIBE_HOME", str(tmp_path / "home"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert main(["worker", "--once"]) == 0
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert "reading what waits" in capsys.readouterr().err
    assert (tmp_path / "home" / "spinescribe.sqlite").is_file()


def _beats(services: Services) -> int:
    with services.database.read() as session:
        return session.query(WorkerBeat).count()


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
