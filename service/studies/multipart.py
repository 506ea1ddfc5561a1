"""One file and a few short fields out of a multipart body, as it comes: the file goes straight to the kept files.

Starlette's own form would spool the whole body to the temporary folder, before anybody asked who sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import InvalidError, TooLargeError
from service.store.blobs import BlobWriter
from service.studies.kinds import HEAD, check_head, suffix_of

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE = "file"
_MAX_FIELDS = 12
_MAX_FIELD_BYTES = 2000
_MULTIPART = b"multipart/form-data"


class UploadForm:
    """Parses a body piece by piece.

    Args:
        content_type: Header of the request.
        writer: Where the file goes.
        max_bytes: Largest file.

    Attributes:
        fields: Name -> text of the fields that came so far.
        suffix: Ending of the file's name; None before the file began.

    Raises:
        InvalidError: If the header is not that of a form.
    """

    def __init__(self, content_type: str, writer: BlobWriter, max_bytes: int) -> None:
        self.fields: dict[str, str] = {}
        self.suffix: str | None = None
        self._writer, self._max_bytes = writer, max_bytes
        self._head = bytearray()
        self._is_head_checked = self._is_whole = self._is_file = False
        self._name = ""
        self._value = bytearray()
        self._header, self._header_value, self._disposition = bytearray(), bytearray(), b""
        self._parser = MultipartParser(_boundary(content_type), self._callbacks())

    def write(self, data: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            InvalidError: If it is no form, or a field is too long.
            TooLargeError: If the file is.
            UnsupportedError: If the file is of a kind that is not read.
        """
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidError("expected a multipart form") from error

    def finish(self) -> None:
        """Check that the form was whole and had a file.

        Raises:
            InvalidError: If not.
            UnsupportedError: If the file is of a kind that is not read.
        """
        if not self._is_whole:
            raise InvalidError("the upload was broken off; send it again")
        if self.suffix is None:
            raise InvalidError("expected a file in the field 'file', got none")
        if self._writer.size == 0:
            raise InvalidError("expected a file with content, got an empty one")
        if not self._is_head_checked:
            check_head(bytes(self._head), self.suffix)

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._add_header,
            "on_header_value": self._add_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._name, self._is_file, self._disposition = "", False, b""
        self._value.clear()

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header.clear()
        self._header_value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = b"filename" in options
        if not self._is_file:
            if len(self.fields) >= _MAX_FIELDS or self._name in self.fields:
                raise InvalidError("expected each field once, got more")
            return
        if self._name != FILE or self.suffix is not None:
            raise InvalidError("expected one file, in the field 'file'; put the images of a study into one zip")
        self.suffix = suffix_of(options[b"filename"].decode("utf-8", "replace"))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file:
            self._value += data[start:end]
            if len(self._value) > _MAX_FIELD_BYTES:
                raise InvalidError(f"expected fields of up to {_MAX_FIELD_BYTES} bytes, got a longer one")
            return
        if self._writer.size + end - start > self._max_bytes:
            raise TooLargeError(f"the file is larger than the {self._max_bytes // 2**20} MB that are accepted")
        self._writer.write(data[start:end])
        if not self._is_head_checked:
            self._head += data[start : min(end, start + HEAD)]
            if len(self._head) >= HEAD:
                check_head(bytes(self._head[:HEAD]), self.suffix or "")
                self._is_head_checked = True

    def _end_part(self) -> None:
        if not self._is_file:
            self.fields[self._name] = self._value.decode("utf-8", "replace")

    def _end(self) -> None:
        self._is_whole = True


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != _MULTIPART or not options.get(b"boundary"):
        raise InvalidError("expected a multipart form with the study in the field 'file'")
    return options[b"boundary"]
