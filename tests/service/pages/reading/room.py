"""The reading room as a running server: pages, routes and wall of the service, without the research screens.

The studies in it are stored phantom readings with made-up pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.staticfiles import StaticFiles

from service.accounts.sessions import cookie_name, open_session
from service.api import chat, exports, readings, reports, session, studies
from service.api.application import build_api
from service.pages import routes
from service.review.machine import MachineReading
from service.security import secure
from service.services import Services
from service.store import Blob
from service.store.base import new_id
from service.store.tables import ReadingFile, StoredReading, User
from service.viewing.pack import MANIFEST, labels_file, values_file
from tests.service.serving import served_app

EVIL = "<img src=x onerror=window.wasFooled=1>"
"""A label that must stay text."""
ALERT = "To be looked at first: suspected spinal canal stenosis at L4-L5."
STENOSIS = "g75"
"""The finding of the stored reading that is made critical."""
STATIC = Path(routes.__file__).parent / "static"


def routers() -> list[APIRouter]:
    """Return the routes that the page speaks to."""
    return [session.router, studies.router, readings.router, reports.router, chat.router, exports.router]


@contextmanager
def served(services: Services) -> Iterator[str]:
    """Serve the reading room on a free port; yield the address."""
    app = build_api(services, routers())
    app.include_router(routes.build_pages(services))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    secure(app, services)
    with served_app(app, ws="none") as address:
        yield address


def sign_in(services: Services, user_id: str, address: str) -> tuple[dict[str, str], str]:
    """Sign a user in; return the cookie for Playwright and the token against forged requests."""
    with services.database.begin() as opened:
        row, token = open_session(opened, services.config, opened.get_one(User, user_id))
        return {"name": cookie_name(services.config), "value": token, "url": address}, row.csrf_token


def add_pictures(services: Services, database: Session, reading: StoredReading) -> None:
    """Give a stored reading the viewer's files, with pixels of no meaning."""
    for name, blob in _kept_pictures(services, json.dumps(reading.document)).items():
        row = ReadingFile(id=new_id(), reading_id=reading.id, name=name, sha256=blob.sha256, bytes=blob.bytes)
        database.add(row)


@cache
def _kept_pictures(services: Services, document: str) -> dict[str, Blob]:
    return {name: services.blobs.put(content) for name, content in _pictures(json.loads(document)).items()}


def _pictures(document: dict[str, Any]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    rows = []
    places = MachineReading("drawn", document).places
    for series in document["study"]["series"]:
        columns, height, slices = series["shape"]
        x, y = np.meshgrid(np.arange(columns), np.arange(height))
        plane = (400 + 300 * np.sin(x / 23) * np.cos(y / 17)).astype("<i2")
        files[values_file(series["id"])] = plane.tobytes() * slices
        labels = np.zeros((height, columns), dtype="<u2")
        labels[150:200, 150:250] = 201
        files[labels_file(series["id"])] = labels.tobytes() * slices
        rows.append(_series_row(document, series, places))
    manifest = {
        "schema": "spinescribe.viewer/1",
        "primary_series": "S2",
        "series": rows,
        "structures": [{"label": 201, "name": "disc L5-S1", "colour": "#3cc4b2", "level": "L5-S1"}],
    }
    return files | {MANIFEST: json.dumps(manifest).encode()}


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


def sentence_of(page: Any, words: str) -> Any:
    return page.locator(".sentence", has_text=words).first


def type_at_end(page: Any, sentence: Any, words: str) -> None:
    sentence.locator(".text").click()
    page.keyboard.press("End")
    page.keyboard.type(words)


def saved(page: Any) -> None:
    page.wait_for_function("() => document.querySelector('.save-state').textContent === 'Saved'")
