"""The Dockerfile, read: two stages, pinned bases, no root, nothing left behind; and its steps, run where cheap."""

import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.deployment.dockerfile import DEPLOYMENT, ROOT, Instruction, stages_of

IGNORED = DEPLOYMENT / "Dockerfile.dockerignore"


@pytest.fixture(scope="module")
def stages() -> list[list[Instruction]]:
    return stages_of((DEPLOYMENT / "Dockerfile").read_text(encoding="utf-8"))


def values(stage: list[Instruction], word: str) -> list[str]:
    return [instruction.value for instruction in stage if instruction.word == word]


def environment(stage: list[Instruction]) -> dict[str, str]:
    return dict(pair.split("=", 1) for value in values(stage, "ENV") for pair in value.split())


def test_both_stages_stand_on_the_same_pinned_python(stages: list[list[Instruction]]) -> None:
    build, final = stages
    assert build[0].value.endswith(" AS build")
    assert build[0].value.split()[0] == final[0].value
    assert fnmatch(final[0].value, "python:3.11.[0-9]*-slim-bookworm")


def test_only_known_instructions_are_used(stages: list[list[Instruction]]) -> None:
    known = {
        "FROM",
        "ARG",
        "ENV",
        "WORKDIR",
        "RUN",
        "COPY",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
    }
    assert {step.word for stage in stages for step in stage} <= known | {"ENTRYPOINT", "CMD"}


def test_the_image_holds_no_sources_and_no_compilers(stages: list[list[Instruction]]) -> None:
    _, final = stages
    assert values(final, "COPY") == ["--from=build /opt/spinescribe /opt/spinescribe"]
    installed = " ".join(values(final, "RUN"))
    assert "--no-install-recommends" in installed
    assert "rm -rf /var/lib/apt/lists/*" in installed
    assert not any(word in installed for word in ("gcc", "build-essential", "-dev", "pip install"))


def test_nothing_runs_as_root(stages: list[list[Instruction]]) -> None:
    _, final = stages
    words = [step.word for step in final]
    assert values(final, "USER") == ["10001:10001"]
    assert not {"RUN", "COPY"} & set(words[words.index("USER") :])
    assert "install -d -o 10001 -g 10001 -m 0700 /var/lib/spinescribe /backups" in " ".join(values(final, "RUN"))


def test_what_is_written_lies_in_volumes(stages: list[list[Instruction]]) -> None:
    _, final = stages
    (volumes,) = [step.words for step in final if step.word == "VOLUME"]
    assert volumes == ["/var/lib/spinescribe", "/backups"]
    assert environment(final)["SPINESCRIBE_HOME"] == "/var/lib/spinescribe"
    assert environment(final)["HOME"] == "/tmp"
    assert environment(final)["SPINESCRIBE_SECURE_COOKIES"] == "1"


def test_no_secret_is_built_in(stages: list[list[Instruction]]) -> None:
    named = [name for stage in stages for name in environment(stage)] + [
        value for stage in stages for value in values(stage, "ARG")
    ]
    assert not [
        name for name in named if any(word in name.upper() for word in ("SECRET", "PASSWORD", "_TOKEN", "_KEY"))
    ]


def test_the_health_check_is_a_program_that_works(stages: list[list[Instruction]]) -> None:
    _, final = stages
    (check,) = values(final, "HEALTHCHECK")
    options, _, command = check.partition(" CMD ")
    assert {word.split("=")[0] for word in options.split()} == {
        "--interval",
        "--timeout",
        "--start-period",
        "--retries",
    }
    program, flag, code = Instruction("CMD", command).words
    assert (program, flag) == ("python", "-c")
    done = subprocess.run([sys.executable, "-c", code.replace("7860", "9")], capture_output=True, check=False)
    assert done.returncode == 1  # nobody listens there
    assert b"Connection refused" in done.stderr


def test_the_commands_exist(stages: list[list[Instruction]]) -> None:
    from cli.main import build_parser

    _, final = stages
    (entry,), (words,) = ([step.words for step in final if step.word == word] for word in ("ENTRYPOINT", "CMD"))
    assert entry == ["spinescribe"]
    assert build_parser().parse_args(words).no_worker
    build_parser().parse_args(["worker"])


def test_torch_comes_first_and_by_argument(stages: list[list[Instruction]]) -> None:
    build, _ = stages
    steps = values(build, "RUN")
    assert 'pip install --index-url "$TORCH_INDEX" -c constraints.txt torch torchvision' in steps[1]
    assert 'pip install -c constraints.txt ".[oidc]"' in steps[2]
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "torch==" in pinned
    assert "torchvision==" in pinned
    assert values(build, "ARG") == ["TORCH_INDEX=https://download.pytorch.org/whl/cpu"]


def allowed() -> list[str]:
    """Return what the build may see."""
    lines = IGNORED.read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    return [line[1:] for line in lines if line.startswith("!")]


def packages() -> list[str]:
    """Return the packages of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]]


def test_the_build_sees_the_packages_and_nothing_else() -> None:
    described = {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "app.py", "docs/manual"}
    assert set(allowed()) == described | set(packages())


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    """Build as the Dockerfile does, from what the build may see, and look for templates, pages and migrations."""
    listed = subprocess.run(["git", "ls-files", "-z", "--", *allowed()], cwd=ROOT, capture_output=True, check=True)
    tracked = [name for name in listed.stdout.decode().split("\0") if name]
    for name in tracked:
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).symlink_to(ROOT / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        "out",
        "./src",
    ]
    subprocess.run(command, cwd=tmp_path, check=True)
    (wheel,) = (tmp_path / "out").glob("spinescribe-*.whl")
    with zipfile.ZipFile(wheel) as opened:
        inside = set(opened.namelist())
        entry = opened.read(next(name for name in inside if name.endswith("entry_points.txt"))).decode()
    expected = {name for name in tracked if name.split("/")[0] in packages()} | {"app.py"}
    assert expected - inside == set()
    beside = (".dist-info/", ".data/data/share/spinescribe/manual/")
    code = {name.split("/")[0] for name in inside if not any(part in name for part in beside)}
    assert code == {*packages(), "app.py"}
    assert "spinescribe = cli.main:main" in entry
    for ending in (
        "migrations/versions/0001_first.py",
        "templates/base.html",
        "static/css/base.css",
        "script.py.mako",
        ".data/data/share/spinescribe/manual/getting-started.md",
        ".data/data/share/spinescribe/manual/images/reading-room.webp",
    ):
        assert [name for name in inside if name.endswith(ending)], ending
