"""Read phantoms as the service keeps them, and what it hands out as files."""

import io
import json
import zipfile
from typing import Any

from service.accounts.actor import Actor
from service.services import Services
from service.store.tables import ReadingFile
from tests.read_phantoms import ReadPhantom
from tests.service.conftest import add_study


def keep(services: Services, actor: Actor, made: ReadPhantom, **changes: Any) -> str:
    """Keep a read phantom as the service does; return the study's id."""
    document = json.loads((made.reading / "reading.json").read_text(encoding="utf-8")) | changes
    upload = services.blobs.put_file(made.archive)
    kept = {file.name: services.blobs.put_file(file) for file in made.reading.iterdir()}
    with services.database.begin() as session:
        study, reading = add_study(session, actor, document)
        study.upload_sha256 = upload.sha256
        for name, blob in kept.items():
            session.add(ReadingFile(reading_id=reading.id, name=name, sha256=blob.sha256, bytes=blob.bytes))
        return study.id


def unzipped(content: bytes) -> dict[str, bytes]:
    """Return name -> content of the files of an exported zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
