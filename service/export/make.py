"""Makes the file of an export: in this process, or in the one of ``child`` when a stranger's file is opened."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from reporting.export.archive import MEDIA_TYPE, write_zip
from reporting.export.formats import Export, export_all, export_files
from reporting.export.package import Package, open_source, place_label_maps
from runtime.errors import StudyError
from service.export.request import Answer, Format, Request, export_format

NO_IMAGES = "images"


def make_export(request: Request, stream: BinaryIO) -> Answer:
    """Write the file of an export into a stream and return what it is.

    Raises:
        StudyError: If the format cannot be made of the study.
    """
    package, left_out = _gather(request)
    if request.is_single:
        (file,) = export_files(package, [export_format(request.kinds[0])])
        stream.write(file.content)
        return Answer(file.name, file.media_type, left_out)
    export = _export(package, request.kinds)
    export = replace(export, left_out={**left_out, **export.left_out})
    write_zip(package, export, stream)
    what = "" if Format.ALL in request.kinds else "".join(f"-{kind.value}" for kind in request.kinds)
    return Answer(f"{package.stem}{what}.zip", MEDIA_TYPE, dict(export.left_out))


def _export(package: Package, kinds: tuple[Format, ...]) -> Export:
    if Format.ALL in kinds:
        return export_all(package)
    return Export(export_files(package, map(export_format, kinds)))


def _gather(request: Request) -> tuple[Package, dict[str, str]]:
    """Return what is exported; a study that cannot be opened again stops only the formats that need it."""
    bare = Package(request.outgoing, request.document, {}, None, classes=request.classes)
    if request.source is None:
        return bare, {}
    try:
        source = open_source(request.source, request.document)
        label_maps = place_label_maps(request.label_maps, request.document, source)
    except StudyError as error:
        if request.needs_images:
            raise
        return bare, {NO_IMAGES: str(error)}
    return replace(bare, label_maps=label_maps, source=source), {}
