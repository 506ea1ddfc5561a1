"""The routes of the pages. Each needs a signed-in actor (``request.state.actor``) or leads to the sign-in page.

A page that the actor may not open is answered as a page too, with 403 or 404, not as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from anatomy import protocol_names
from reporting.notice import NOTICE
from service.accounts.actor import Actor
from service.errors import NotFoundError
from service.pages import manual
from service.pages.filters import filter_choices
from service.pages.paths import HOME, local_path, login_path
from service.pages.templating import render
from service.services import Services
from service.store.tables import User
from service.studies.access import open_study

THEMES = ("dark", "light", "system")
"""How pages look: dark as in reading rooms by default, or light, or as the system has it."""

_Show = Callable[[Request, Actor], Response]
_Next = Annotated[str, Query(alias="next", max_length=2000)]


def build_pages(services: Services) -> APIRouter:
    """Return the routes of the pages; they are not part of the API's document."""
    router = APIRouter(include_in_schema=False)
    frame = _Frame(services)
    _add_entry(router, frame)
    _add_plain_pages(router, frame)
    _add_reading_room(router, frame)
    _add_manual(router, frame)
    return router


class _Frame:
    """What all pages share: who is signed in, how it looks, what the head of the page holds."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def show(self, request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
        """Return a page for the one who is signed in, or nobody."""
        actor: Actor | None = getattr(request.state, "actor", None)
        preferences = {} if actor is None else self._preferences(actor)
        theme = preferences.get("theme")
        shared = {
            "actor": actor,
            "preferences": preferences,
            "theme": theme if theme in THEMES else THEMES[0],
            "path": request.url.path,
            "notice": NOTICE,
        }
        return render(template, status=status, **(shared | context))

    def guarded(self, request: Request, show: _Show, *, is_for_administrators: bool = False) -> Response:
        """Return the page of a signed-in actor, else lead to the sign-in page."""
        actor: Actor | None = getattr(request.state, "actor", None)
        if actor is None:
            wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(login_path(wanted), 303)
        if is_for_administrators and not actor.is_administrator:
            words = "This page is for administrators. Ask one of yours if you need something done here."
            return self.show(request, "error.html", status=403, heading="Not your page", words=words)
        try:
            return show(request, actor)
        except NotFoundError as error:
            words = f"{str(error)[:1].upper()}{str(error)[1:]}."
            return self.show(request, "error.html", status=404, heading="Not found", words=words)

    def _preferences(self, actor: Actor) -> dict[str, Any]:
        with self.services.database.read() as session:
            user = session.get(User, actor.user_id)
            return {} if user is None else dict(user.preferences)


def _add_entry(router: APIRouter, frame: _Frame) -> None:
    """Add the root and the sign-in page."""

    @router.get("/")
    def root() -> Response:
        """Lead to the worklist."""
        return RedirectResponse(HOME, 303)

    @router.get("/login")
    def login(request: Request, wanted: _Next = "") -> Response:
        """Show the sign-in page; one who is signed in already is led on."""
        back = local_path(wanted)
        if getattr(request.state, "actor", None) is not None:
            return RedirectResponse(back, 303)
        has_oidc = bool(frame.services.config.oidc_issuer)
        return frame.show(request, "login.html", next_path=back, has_oidc=has_oidc)


def _add_plain_pages(router: APIRouter, frame: _Frame) -> None:
    """Add the pages that fetch everything from the API themselves."""

    @router.get("/worklist")
    def worklist(request: Request) -> Response:
        """Show the worklist."""
        limit = frame.services.config.max_upload_bytes
        return frame.guarded(
            request,
            lambda request, _actor: frame.show(
                request, "worklist.html", choices=filter_choices(), protocols=protocol_names(), max_bytes=limit
            ),
        )

    @router.get("/history")
    def history(request: Request) -> Response:
        """Show one's own past readings."""
        return frame.guarded(request, lambda request, _actor: frame.show(request, "history.html"))

    @router.get("/account")
    def account(request: Request) -> Response:
        """Show one's own account."""
        return frame.guarded(request, lambda request, _actor: frame.show(request, "account.html", themes=THEMES))

    @router.get("/admin")
    def admin(request: Request) -> Response:
        """Show users and groups."""
        return frame.guarded(
            request, lambda request, _actor: frame.show(request, "admin.html"), is_for_administrators=True
        )

    @router.get("/audit")
    def audit(request: Request) -> Response:
        """Show the audit log."""
        return frame.guarded(
            request, lambda request, _actor: frame.show(request, "audit.html"), is_for_administrators=True
        )


def _add_reading_room(router: APIRouter, frame: _Frame) -> None:
    """Add the page on which a study is read."""

    @router.get("/read/{study_id}")
    def read(request: Request, study_id: str) -> Response:
        """Show a study that the actor may see."""

        def show(request: Request, actor: Actor) -> Response:
            with frame.services.database.read() as session:
                study = open_study(session, actor, study_id)
                return frame.show(request, "reading.html", study_id=study.id, label=study.label)

        return frame.guarded(request, show)


def _add_manual(router: APIRouter, frame: _Frame) -> None:
    """Add the manual and its pictures."""

    @router.get("/manual")
    def manual_start(request: Request) -> Response:
        """Show the manual's first page."""
        return frame.guarded(request, lambda request, _actor: show_page(request, manual.FIRST))

    @router.get("/manual/images/{name}")
    def manual_image(request: Request, name: str) -> Response:
        """Send a picture of the manual."""
        return frame.guarded(request, lambda *_: FileResponse(manual.picture(name)))

    @router.get("/manual/{page}")
    def manual_page(request: Request, page: str) -> Response:
        """Show a page of the manual."""
        return frame.guarded(request, lambda request, _actor: show_page(request, page))

    def show_page(request: Request, name: str) -> Response:
        pages = manual.contents()
        return frame.show(request, "manual.html", pages=pages, page=manual.load_page(name))
