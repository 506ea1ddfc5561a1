"""``python -m benchmarks.service_load [--uploads 100] [--users 50] [--max-queued 200 40] [--out FILE]``.

A real server (uvicorn) and one real worker, whose reader takes 0.2 s a study and leaves the files of one real
reading. All uploads start at once, each uploader then watches the progress of the study by server-sent events;
meanwhile the users browse: worklist, a study, its report, its images, 1 to 3 s between looks. What is timed is
what a browser waits for: the whole answer, on a connection kept open. Client, server and worker share the machine.

Target: 300 ms at the 95th percentile of what users wait for while they browse; no accepted study is lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.service_load.client import Record, Visitor
from benchmarks.service_load.reader import make_reading
from benchmarks.service_load.running import Running, running_service

TARGET_S = 0.3
SEEDED = 20
READING_S = 0.2
LEAST_S = 20.0


@dataclass(frozen=True)
class Percentiles:
    """Seconds that requests took."""

    count: int
    p50: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def of(cls, seconds: list[float]) -> Percentiles:
        p50, p95, p99 = (round(float(value), 4) for value in np.percentile(seconds, [50, 95, 99]))
        return cls(len(seconds), p50, p95, p99, round(max(seconds), 4))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=100)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--max-queued", type=int, nargs="+", default=[200, 40])
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/service_load.json"))
    arguments = parser.parse_args()
    reading = make_reading(arguments.out.parent / "service_load" / "reading")
    runs = []
    for max_queued in arguments.max_queued:
        with (
            tempfile.TemporaryDirectory() as home,
            running_service(
                Path(home), users=arguments.users, max_queued=max_queued, reading=reading, seconds=READING_S
            ) as running,
        ):
            runs.append(asyncio.run(load(running, arguments.uploads, arguments.users, max_queued)))
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load_average": os.getloadavg()}
    arguments.out.write_text(json.dumps({"machine": machine, "runs": runs}, indent=1), encoding="utf-8")
    return 0 if all(run["is_kept"] for run in runs) else 1


async def load(running: Running, uploads: int, users: int, max_queued: int) -> dict[str, object]:
    """Run the load once; return its figures."""
    record, before = Record(), Record()
    seeding = [Visitor(running.address, index, before) for index in range(users)]
    for visitor in seeding:
        await visitor.sign_in()
    await asyncio.gather(
        *(seeding[index % users].upload_and_watch("seed.png", picture(index)) for index in range(SEEDED))
    )
    visitors = seeding
    for visitor in visitors:
        visitor._record = record
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    began, cpu_before = loop.time(), running.cpu_s()
    browsing = [asyncio.create_task(visitor.browse(stop)) for visitor in visitors]
    files = [picture(1000 + index) for index in range(uploads)]
    await asyncio.gather(*(visitors[i % users].upload_and_watch(f"{i}.png", file) for i, file in enumerate(files)))
    read_s = loop.time() - began
    await asyncio.sleep(max(0.0, LEAST_S - read_s))
    stop.set()
    await asyncio.gather(*browsing)
    cpu_s = {name: round(value - cpu_before[name], 2) for name, value in running.cpu_s().items()}
    print(f"processor time: {cpu_s} in {loop.time() - began:.1f} s; load average {os.getloadavg()}")
    ends = [await visitors[index].status_of(study_id) for index, study_id in record.accepted]
    for visitor in visitors:
        await visitor.close()
    return {**told(record, uploads, users, max_queued, read_s, ends), "cpu_s": cpu_s}


def told(
    record: Record, uploads: int, users: int, max_queued: int, read_s: float, ends: list[str]
) -> dict[str, object]:
    """Print and return the figures."""
    posted = record.seconds.pop("upload")
    together = Percentiles.of([value for values in record.seconds.values() for value in values])
    lost = uploads - len(record.accepted) - record.refused + sum(end != "ready" for end in ends)
    faults = sum(count for status, count in record.statuses.items() if status >= 400)
    kinds = {kind: Percentiles.of(values) for kind, values in sorted(record.seconds.items())}
    print(
        f"queue of {max_queued}: {uploads} uploads at once: {len(record.accepted)} accepted, {record.refused} "
        f"refused with 429 and Retry-After, {lost} lost; all read after {read_s:.1f} s"
    )
    for kind, row in {"all that users waited for": together, **kinds, "upload": Percentiles.of(posted)}.items():
        print(f"  {kind:28} {row.count:6} requests  p50 {row.p50 * 1e3:6.0f} ms  p95 {row.p95 * 1e3:6.0f} ms  "
              f"p99 {row.p99 * 1e3:6.0f} ms")  # fmt: skip
    return {
        "users": users,
        "uploads": uploads,
        "max_queued": max_queued,
        "accepted": len(record.accepted),
        "refused": record.refused,
        "lost": lost,
        "failed": record.failed,
        "error_answers": faults,
        "seconds_until_all_read": round(read_s, 1),
        "browsing": asdict(together),
        "browsing_by_kind": {kind: asdict(row) for kind, row in kinds.items()},
        "upload": asdict(Percentiles.of(posted)),
        "target_p95_s": TARGET_S,
        "is_kept": lost == 0 and faults == 0 and together.p95 < TARGET_S,
    }


def picture(seed: int) -> bytes:
    """Return a small grey picture; each seed another one, so that no two uploads are one kept file."""
    import io

    from PIL import Image

    noise = np.random.default_rng(seed).integers(0, 256, (128, 128), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, format="PNG")
    return stream.getvalue()


if __name__ == "__main__":
    raise SystemExit(main())
