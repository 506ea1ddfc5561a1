"""A page with nothing but the viewer, on the real routes, for one signed-in user: what the browser tests open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from pipeline import reading_to_dict
from pipeline.types import Reading
from service.accounts.actor import Actor
from service.api.application import build_api
from service.api.readings import router
from service.services import Services
from service.store.tables import ReadingFile
from service.viewing.pack import viewer_files
from tests.service.conftest import add_study

STATIC = Path(__file__).parents[3] / "service" / "pages" / "static"
POLICY = "default-src 'self'"
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Viewer</title>
<link rel="stylesheet" href="/static/css/viewer.css"><link rel="stylesheet" href="/bare.css"></head>
<body><main><h1 class="sv-hidden">Viewer</h1><div id="viewer"></div></main>
<script type="module" src="/bare.js"></script></body></html>"""
_STYLE = "html, body, main { margin: 0; height: 100%; background: #0a0f12; } #viewer { height: 100vh; }"
_SCRIPT = """import { createViewer } from "/static/js/viewer/viewer.js";
const base = "/api/v1";
const bytes = async (path) => {
  const answer = await fetch(base + path);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.arrayBuffer();
};
const readingId = READING;
const manifest = await (await fetch(`${base}/readings/${readingId}/viewer`)).json();
const api = { bytes, get: async (path) => (await fetch(base + path)).json(), url: (path) => base + path };
window.heard = [];
window.viewer = createViewer(document.getElementById("viewer"), { readingId, manifest, api });
for (const event of ["pick", "level", "slice"]) {
  window.viewer.on(event, (data) => window.heard.push({ event, ...data }));
}
"""


def keep_reading(services: Services, owner: Actor, reading: Reading, extra: dict[str, bytes]) -> str:
    """Keep a reading with the viewer's files and further ones; return its id."""
    with services.database.begin() as session:
        _, row = add_study(session, owner, reading_to_dict(reading))
        for name, content in {**viewer_files(reading), **extra}.items():
            blob = services.blobs.put(content)
            session.add(ReadingFile(reading_id=row.id, name=name, sha256=blob.sha256, bytes=blob.bytes))
        return row.id


def bare_app(services: Services, actor: Actor, reading_id: str) -> FastAPI:
    """Return the page, the viewer's modules and the routes of a reading, all for one user."""
    app = build_api(services, [router])
    pages = {
        "/": ("text/html", _PAGE),
        "/bare.css": ("text/css", _STYLE),
        "/bare.js": ("text/javascript", _SCRIPT.replace("READING", json.dumps(reading_id))),
        "/favicon.ico": ("image/x-icon", ""),
    }
    for path, (media_type, text) in pages.items():

        def page(text: str = text, media_type: str = media_type) -> Response:
            return Response(text, media_type=media_type, headers={"Content-Security-Policy": POLICY})

        app.add_api_route(path, page, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.middleware("http")
    async def sign_in(request: Request, call_next: Any) -> Response:
        request.state.actor = actor
        response: Response = await call_next(request)
        return response

    return app
