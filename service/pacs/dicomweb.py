"""A node that speaks DICOMweb: QIDO-RS, WADO-RS and STOW-RS as its user. One try each, no retries."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from dicomweb_client.web import DICOMwebClient
from pydicom import Dataset
from requests.exceptions import HTTPError

from service.pacs import statuses
from service.pacs.arrivals import Arrivals
from service.pacs.config import DicomwebConfig
from service.pacs.errors import PacsError
from service.pacs.http_session import build_session, words_for_failures
from service.pacs.outcome import Outcome, Transfer
from service.pacs.outgoing import BROKEN_WORDS, BrokenFileError, Item, examine, load
from service.pacs.query import Found, Level, Query, keys_of, rows_of
from service.pacs.quiet import silence_libraries

_CHUNK = 65536  # bytes; what of an answer is lost when it breaks off
_CONFLICT = 409
_NO_NODE = ("unreachable", "refused", "timeout")
"""Failures after which further files are not tried."""
_AS_STORED = (("application/dicom", "*"),)
"""Media type with any transfer syntax: instances come as they are stored (PS3.18, 8.7.3.5.2)."""


class DicomwebLink:
    """Speaks with one node.

    Args:
        config: The node.

    Raises:
        ConfigError: If the secret or a certificate is configured and not there.
    """

    def __init__(self, config: DicomwebConfig) -> None:
        silence_libraries()
        self._config = config
        self._client = DICOMwebClient(
            config.url,
            session=build_session(config),
            timeout=(config.connect_s, config.answer_s),
            chunk_size=_CHUNK,
        )
        self._client.set_http_retry_params(retry=False)

    def echo(self) -> None:
        """Ask the node for one study.

        Raises:
            PacsError: If it does not answer, or refuses.
        """
        with words_for_failures(self._config):
            self._client.search_for_studies(limit=1)

    def find(self, query: Query) -> Found:
        """Return what fits a query (QIDO-RS).

        Raises:
            PacsError: If the node does not answer, or refuses.
        """
        keys = keys_of(query)
        fields = list(keys)
        filters = {keyword: value for keyword, value in keys.items() if value}
        with words_for_failures(self._config):
            if query.level is Level.SERIES:
                filters.pop("StudyInstanceUID")
                found = self._client.search_for_series(
                    query.study_instance_uid, fields=fields, search_filters=filters, limit=query.limit + 1
                )
            else:
                found = self._client.search_for_studies(
                    fields=fields, search_filters=filters, limit=query.limit + 1
                )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom's warnings quote what stands in the answer
                answers = [Dataset.from_json(row) for row in found]
        return rows_of(query, answers)

    def fetch(self, arrivals: Arrivals) -> Transfer:
        """Put a study's instances into its folder, as they are stored (WADO-RS).

        Raises:
            PacsError: If the node breaks off, or an instance cannot be written; what had arrived is kept.
        """
        with words_for_failures(self._config), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for dataset in self._client.iter_study(arrivals.study_instance_uid, media_types=_AS_STORED):
                if str(dataset.get("StudyInstanceUID", "")) != arrivals.study_instance_uid:
                    raise PacsError("the node sent an instance of another study", code="malformed")
                content = BytesIO()
                dataset.save_as(content, enforce_file_format=True)
                arrivals.keep(str(dataset.SOPInstanceUID), content.getvalue())
        return Transfer()

    def send(self, files: Sequence[Path]) -> list[Outcome]:
        """Send files (STOW-RS), one request each, so that each has its outcome.

        Raises:
            PacsError: If there was no connection at all.
        """
        outcomes: list[Outcome] = []
        for number, file in enumerate(files):
            item = examine(file)
            try:
                outcomes.append(item if isinstance(item, Outcome) else self._store(item))
            except PacsError as error:
                is_over = error.code in _NO_NODE
                if is_over and not any(outcome.is_stored for outcome in outcomes):
                    raise
                outcomes.append(Outcome(file, False, str(error), error.again))
                if is_over:
                    late = [Outcome(left, False, str(error), error.again) for left in files[number + 1 :]]
                    return outcomes + late
        return outcomes

    def _store(self, item: Item) -> Outcome:
        try:
            dataset = load(item)
        except OSError as error:
            return Outcome(item.file, False, f"the file cannot be read ({error.strerror or type(error).__name__})")
        except BrokenFileError:
            return Outcome(item.file, False, BROKEN_WORDS)
        with words_for_failures(self._config), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                answer = self._client.store_instances([dataset])
            except HTTPError as error:
                answer = _failures_of(error)
            failed = answer.get("FailedSOPSequence")
        if not failed:
            return Outcome(item.file, True)
        reason = failed[0].get("FailureReason")
        if reason is None:
            return Outcome(item.file, False, "the node did not take it")
        is_stored = statuses.is_stored(reason)  # it may hold the instance already
        told = f"status {reason:04X}" if is_stored else statuses.words(reason)
        return Outcome(item.file, is_stored, told, statuses.may_pass(reason))


def _failures_of(error: HTTPError) -> Dataset:
    """Return the answer to an instance that was not taken (PS3.18, 10.5.3.2).

    Raises:
        HTTPError: The error, if it tells no reason for an instance.
    """
    response = error.response
    if response is not None and response.status_code == _CONFLICT:
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):  # not DICOM JSON
            answer = Dataset.from_json(response.json())
            if answer.get("FailedSOPSequence"):
                return answer
    raise error
