"""Users as browsers: they sign in, browse, upload, and watch the progress of what they uploaded."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.service_load.running import PASSWORD, user_name

API = "/api/v1"
_TIMEOUT_S = 60.0
THINK_S = (1.0, 3.0)
"""A user looks at something for so long before the next request (uniform)."""


@dataclass
class Record:
    """What was measured: kind of request -> seconds, status codes, what became of uploads."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)
    accepted: list[tuple[int, str]] = field(default_factory=list)
    refused: int = 0
    failed: list[str] = field(default_factory=list)

    def add(self, kind: str, seconds: float, status: int) -> None:
        self.seconds.setdefault(kind, []).append(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1


class Visitor:
    """A signed-in user.

    Args:
        address: Of the server.
        index: Which user.
        record: Where to note.
    """

    def __init__(self, address: str, index: int, record: Record) -> None:
        self.index = index
        self._record = record
        self._client = httpx.AsyncClient(base_url=address, timeout=_TIMEOUT_S, trust_env=False)
        self._draws = random.Random(index)

    async def sign_in(self) -> None:
        answer = await self._client.post(
            f"{API}/session", json={"name": user_name(self.index), "password": PASSWORD}
        )
        answer.raise_for_status()
        self._client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, kind: str, path: str, *, timed: bool = True) -> httpx.Response:
        began = time.perf_counter()
        answer = await self._client.get(path)
        if timed:
            self._record.add(kind, time.perf_counter() - began, answer.status_code)
        return answer

    async def browse(self, stop: asyncio.Event) -> None:
        """Open the worklist, a study of it, its report, its images; look; go on, until told to stop."""
        while not stop.is_set():
            await self._think(stop)
            if stop.is_set():
                return
            await self.get("page: worklist", "/worklist")
            page = await self.get("worklist", f"{API}/studies?limit=50")
            ready = [row for row in page.json()["items"] if row["readings"]]
            if ready and not stop.is_set():
                await self._open(self._draws.choice(ready), stop)

    async def _open(self, study: dict[str, Any], stop: asyncio.Event) -> None:
        reading = study["readings"][0]["id"]
        await self._think(stop)
        if stop.is_set():
            return
        await self.get("page: reading", f"/read/{study['id']}")
        await self.get("study", f"{API}/studies/{study['id']}")
        await self.get("report", f"{API}/studies/{study['id']}/report")
        viewer = (await self.get("viewer", f"{API}/readings/{reading}/viewer")).json()
        series = viewer["series"][0]
        for k in range(min(4, series["slices"])):
            await self._think(stop)
            if stop.is_set():
                return
            await self.get("slice", f"{API}/readings/{reading}/series/{series['id']}/slices/{k}")

    async def _think(self, stop: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(stop.wait(), self._draws.uniform(*THINK_S))
        except TimeoutError:
            return

    async def upload(self, name: str, content: bytes) -> str | None:
        """Upload a file; return the study's id if accepted."""
        began = time.perf_counter()
        try:
            answer = await self._client.post(
                f"{API}/studies", files={"file": (name, content)}, data={"spacing": "0.8"}
            )
        except httpx.TransportError as error:
            self._record.failed.append(type(error).__name__)
            return None
        self._record.seconds.setdefault("upload", []).append(time.perf_counter() - began)
        if answer.status_code == 202:
            study_id: str = answer.json()["id"]
            self._record.accepted.append((self.index, study_id))
            return study_id
        if answer.status_code == 429 and answer.headers.get("Retry-After", "").isdecimal():
            self._record.refused += 1
        else:
            self._record.failed.append(str(answer.status_code))
        return None

    async def watch(self, study_id: str) -> None:
        """Read the progress of a study to its end, as the page does."""
        async with self._client.stream("GET", f"{API}/studies/{study_id}/events", timeout=None) as stream:
            async for line in stream.aiter_lines():
                if line == "event: done":
                    return

    async def upload_and_watch(self, name: str, content: bytes) -> None:
        study_id = await self.upload(name, content)
        if study_id is not None:
            await self.watch(study_id)

    async def status_of(self, study_id: str) -> str:
        answer = await self.get("study", f"{API}/studies/{study_id}", timed=False)
        status: str = answer.json()["status"]
        return status
