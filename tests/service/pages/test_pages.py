"""The pages' frame: who is let in, where the sign-in may lead, what every page has, what is escaped."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.staticfiles import StaticFiles

from service.accounts.actor import Actor
from service.pages import STATIC_FOLDER, build_pages
from service.pages.manual import FOLDER, PAGES, load_page
from service.pages.paths import local_path, login_path
from service.services import Services
from service.store.tables import User
from tests.service.conftest import add_study

PLAIN = ("/worklist", "/history", "/account", "/manual", *(f"/manual/{name}" for name in PAGES))
ADMINISTRATORS = ("/admin", "/audit")
UNESCAPED = '<script>alert("x")</script>'


@pytest.fixture
def pages_of(services: Services, client_of: Callable[..., TestClient]) -> Callable[[Actor | None], TestClient]:
    """Return a function (actor) -> client of the pages that follows no redirect."""

    def build(actor: Actor | None) -> TestClient:
        client = client_of([], actor)
        app = client.app
        assert isinstance(app, FastAPI)
        app.include_router(build_pages(services))
        app.mount("/static", StaticFiles(directory=STATIC_FOLDER))
        client.follow_redirects = False
        return client

    return build


Pages = Callable[[Actor | None], TestClient]


def test_nobody_is_led_to_the_sign_in_page_and_back(pages_of: Pages) -> None:
    client = pages_of(None)
    for path in (*PLAIN, *ADMINISTRATORS, "/read/abc", "/manual/images/worklist.webp"):
        answer = client.get(path, params={"search": "disc & canal"})
        assert answer.status_code == 303, path
        wanted = answer.headers["location"]
        assert wanted.startswith("/login?next=%2F")
        assert "disc" in wanted
        assert answer.text == ""


def test_the_root_leads_to_the_worklist(pages_of: Pages) -> None:
    answer = pages_of(None).get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/worklist")


ELSEWHERE = (
    "https://example.org/", "//example.org", "///example.org", "/\\example.org", "\\\\example.org", "/\x7f",
    "/\t/example.org", "/ /example.org", "/\n/example.org", "\x00/worklist", "worklist", "", "/login", "//[::1",
    "/api/v1/session", "http:/worklist", "/%0d%0aLocation:/x\r\n", "javascript:alert(1)", "/login?next=/",
)  # fmt: skip


def test_the_sign_in_leads_to_no_other_host(pages_of: Pages) -> None:
    client = pages_of(None)
    for wanted in ELSEWHERE:
        assert local_path(wanted) == "/worklist", wanted
        answer = client.get("/login", params={"next": wanted})
        assert answer.status_code == 200
        assert 'data-next="/worklist"' in answer.text


def test_the_sign_in_leads_back_to_a_page_of_this_host(pages_of: Pages) -> None:
    answer = pages_of(None).get("/login", params={"next": '/worklist?search="a"&mine=true'})
    assert 'data-next="/worklist?search=&#34;a&#34;&amp;mine=true"' in answer.text
    assert login_path("/read/0f") == "/login?next=%2Fread%2F0f"


def test_who_is_signed_in_is_led_on(pages_of: Pages, radiologist: Actor) -> None:
    client = pages_of(radiologist)
    assert client.get("/login", params={"next": "/history"}).headers["location"] == "/history"
    assert client.get("/login", params={"next": "//example.org"}).headers["location"] == "/worklist"


def test_the_institutions_sign_in_is_offered_only_where_there_is_one(pages_of: Pages) -> None:
    assert "/api/v1/session/oidc" not in pages_of(None).get("/login").text


def test_every_page_has_title_heading_navigation_and_token(pages_of: Pages, administrator: Actor) -> None:
    client = pages_of(administrator)
    for path in (*PLAIN, *ADMINISTRATORS):
        answer = client.get(path)
        assert answer.status_code == 200, path
        _check_frame(answer.text)
        assert f'<meta name="csrf-token" content="{administrator.csrf_token}">' in answer.text
        assert 'data-role="administrator"' in answer.text
        assert 'href="/admin"' in answer.text


def _check_frame(text: str) -> None:
    assert re.search(r"<title>\S.* · SpineScribe</title>", text)
    assert len(re.findall("<h1", text)) == 1
    assert text.startswith('<!doctype html>\n<html lang="en"')
    for part in ('class="skip-link"', "<header", "<nav", '<main id="content"', "<footer"):
        assert part in text
    assert re.search(r"\sstyle\s*=", text) is None, "the policy forbids inline style"
    assert re.search(r"\son[a-z]+\s*=", text) is None, "the policy forbids inline script"
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert re.search(r'(?:src|href)="(?:https?:)?//', text) is None, "a page asks for something outside"


def test_pages_of_administrators_are_theirs_alone(pages_of: Pages, radiologist: Actor, researcher: Actor) -> None:
    for actor, path in ((radiologist, "/admin"), (radiologist, "/audit"), (researcher, "/admin")):
        answer = pages_of(actor).get(path)
        assert answer.status_code == 403
        assert "for administrators" in answer.text
        assert f'href="{path}"' not in answer.text
        _check_frame(answer.text)


def test_a_study_of_somebody_else_is_not_found(
    pages_of: Pages, services: Services, radiologist: Actor, stranger: Actor, document: dict[str, Any]
) -> None:
    with services.database.begin() as session:
        study, _ = add_study(session, radiologist, document)
    answer = pages_of(stranger).get(f"/read/{study.id}")
    assert answer.status_code == 404
    assert answer.text == pages_of(stranger).get("/read/" + "0" * 32).text.replace("0" * 32, study.id)
    assert pages_of(radiologist).get(f"/read/{study.id}").status_code == 200


def test_names_and_labels_are_escaped(
    pages_of: Pages, services: Services, radiologist: Actor, document: dict[str, Any]
) -> None:
    with services.database.begin() as session:
        study, _ = add_study(session, radiologist, document)
        study.label = UNESCAPED
        user = session.get_one(User, radiologist.user_id)
        user.display_name = UNESCAPED
        actor = Actor.of(user, csrf_token='"><script>')
    client = pages_of(actor)
    for path in (f"/read/{study.id}", "/worklist", "/account"):
        answer = client.get(path)
        assert UNESCAPED not in answer.text
        assert '"><script>' not in answer.text
        assert "&lt;script&gt;" in answer.text


def test_the_chosen_theme_and_preference_reach_the_page(
    pages_of: Pages, services: Services, radiologist: Actor
) -> None:
    assert 'data-theme="dark"' in pages_of(radiologist).get("/worklist").text
    with services.database.begin() as session:
        chosen = {"theme": "light", "hide_ai_until_first_look": True}
        session.get_one(User, radiologist.user_id).preferences = chosen
    text = pages_of(radiologist).get("/worklist").text
    assert 'data-theme="light"' in text
    assert 'data-hide-ai="true"' in text
    with services.database.begin() as session:
        session.get_one(User, radiologist.user_id).preferences = {"theme": '"><script>'}
    assert 'data-theme="dark"' in pages_of(radiologist).get("/worklist").text


def test_the_manual_tells_of_no_page_it_lacks(pages_of: Pages, radiologist: Actor) -> None:
    client = pages_of(radiologist)
    for path in (
        "/manual/nothing",
        "/manual/..%2fbenchmarks",
        "/manual/images/..%2f..%2fmain.py",
        "/manual/images/x.png",
    ):
        assert client.get(path).status_code == 404
    assert sorted(PAGES) == sorted(file.stem for file in FOLDER.glob("*.md"))


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_the_manual_lead_to_pages_and_pictures_that_exist(name: str) -> None:
    page = load_page(name)
    assert page.title
    for target in re.findall(r'href="([^"]+)"', page.body):
        assert target.removeprefix("/manual/").partition("#")[0] in PAGES
    for source in re.findall(r'src="([^"]+)"', page.body):
        picture = FOLDER / source.removeprefix("/manual/")
        assert picture.is_file(), f"{name} shows {source}, which is not there"
        assert picture.stat().st_size < 200_000


def test_html_in_the_manual_is_shown_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "chat.md").write_text(f"# Chat\n{UNESCAPED}\n[x](javascript:alert(1))\n")
    monkeypatch.setattr("service.pages.manual.FOLDER", tmp_path)
    load_page.cache_clear()
    try:
        body = load_page("chat").body
    finally:
        load_page.cache_clear()
    assert "<script" not in body
    assert 'href="javascript' not in body


def test_static_files_are_sent_without_a_sign_in_and_nothing_beside_them(pages_of: Pages) -> None:
    client = pages_of(None)
    answer = client.get("/static/js/api.js")
    assert answer.status_code == 200
    assert "javascript" in answer.headers["content-type"]
    assert client.get("/static/..%2froutes.py").status_code == 404
    assert client.get("/static/").status_code == 404


def test_no_script_or_style_names_another_host_or_reads_text_as_html() -> None:
    for file in STATIC_FOLDER.rglob("*"):
        if file.suffix not in (".js", ".css"):
            continue
        text = file.read_text(encoding="utf-8")
        assert re.search(r"https?://(?!www\.w3\.org/)", text) is None, file.name
        assert not re.search(r"\.innerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|outerHTML\s*=", text), (
            file.name
        )
        assert "@import" not in text or file.suffix == ".js", file.name
