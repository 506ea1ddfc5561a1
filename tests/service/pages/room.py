"""The reading room as a running server: the real routes over a stored phantom reading, with made-up pixels.

Who is signed in is told by the cookie ``as``; signing in itself is tested elsewhere.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import uvicorn
from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from service.accounts.actor import Actor
from service.api import chat, exports, readings, reports, session, studies
from service.api.application import build_api
from service.pages.routes import build_pages
from service.pages.templating import build_static
from service.review.view import places_of
from service.services import Services
from service.store.tables import ReadingFile, StoredReading, new_id
from service.viewing.pack import MANIFEST, labels_file, values_file

EVIL = "<img src=x onerror=window.wasFooled=1>"
"""A label that must stay text."""


def routers() -> list[APIRouter]:
    """Return the routes that the page speaks to."""
    return [session.router, studies.router, readings.router, reports.router, chat.router, exports.router]


@contextmanager
def served(services: Services, routers: list[APIRouter], actors: dict[str, Actor]) -> Iterator[str]:
    """Serve the pages and routers on a free port; yield the address."""
    app = build_api(services, routers)
    app.include_router(build_pages(services))
    app.mount("/static", build_static())

    @app.middleware("http")
    async def sign_in(request: Request, call_next: Any) -> Response:
        request.state.actor = actors.get(request.cookies.get("as", next(iter(actors))))
        response: Response = await call_next(request)
        return response

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended at its start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def add_pictures(services: Services, database: Session, reading: StoredReading) -> None:
    """Give a stored reading the viewer's files, with pixels of no meaning."""
    files: dict[str, bytes] = {}
    rows = []
    places = places_of(reading.document)
    for series in reading.document["study"]["series"]:
        columns, height, slices = series["shape"]
        x, y = np.meshgrid(np.arange(columns), np.arange(height))
        plane = (400 + 300 * np.sin(x / 23) * np.cos(y / 17)).astype("<i2")
        files[values_file(series["id"])] = plane.tobytes() * slices
        labels = np.zeros((height, columns), dtype="<u2")
        labels[150:200, 150:250] = 201
        files[labels_file(series["id"])] = labels.tobytes() * slices
        rows.append(_series_row(reading.document, series, places))
    manifest = {
        "schema": "spinescribe.viewer/1",
        "primary_series": "S2",
        "series": rows,
        "structures": [{"label": 201, "name": "disc L5-S1", "colour": "#3cc4b2", "level": "L5-S1"}],
    }
    files[MANIFEST] = json.dumps(manifest).encode()
    for name, content in files.items():
        blob = services.blobs.put(content)
        row = ReadingFile(id=new_id(), reading_id=reading.id, name=name, sha256=blob.sha256, bytes=blob.bytes)
        database.add(row)


def _series_row(document: dict[str, Any], series: dict[str, Any], places: dict[str, Any]) -> dict[str, Any]:
    columns, rows, slices = series["shape"]
    key = series["id"]
    grades = {grade["id"]: grade for grade in document["grades"]}
    return {
        "id": key,
        "role": series["role"],
        "plane": series["plane"],
        "sequence": series["sequence"],
        "rows": rows,
        "columns": columns,
        "slices": slices,
        "row_mm": series["spacing_mm"][0],
        "column_mm": series["spacing_mm"][1],
        "slice_mm": series["spacing_mm"][2],
        "affine": None,
        "directions": {"left": "A", "right": "P", "top": "H", "bottom": "F"},
        "window": {"centre": 400.0, "width": 800.0},
        "value_range": [0.0, 1000.0],
        "scale": {"slope": 1.0, "intercept": 0.0},
        "start_slice": slices // 2,
        "has_labels": True,
        "levels": [
            {name: level[name] for name in ("name", "slice", "centre_px", "posterior_px", "confidence", "doubt")}
            for level in document["levels"]
            if level["series"] == key
        ],
        "measurements": [],
        "boxes": [
            {
                "finding_id": place["finding_id"],
                "slice": place["slice"],
                "box_px": place["box_px"],
                "level": grades[name]["level"],
                "words": f"{grades[name]['condition']} at {grades[name]['level']}",
                "is_positive": grades[name]["grade"] in ("moderate", "severe", "present", "IV", "V"),
            }
            for name, place in places.items()
            if place["series"] == key and name in grades
        ],
    }
