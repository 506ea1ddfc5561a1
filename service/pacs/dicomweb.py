"""A node that speaks DICOMweb: QIDO-RS, WADO-RS and STOW-RS as its user. One try each, no retries."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from dicomweb_client.web import DICOMwebClient
from pydicom import Dataset

from service.pacs.arrivals import Arrivals
from service.pacs.config import DicomwebConfig
from service.pacs.errors import PacsError
from service.pacs.http_session import build_session, words_for_failures
from service.pacs.outcome import Outcome, Transfer
from service.pacs.outgoing import BROKEN, BrokenFileError, Item, examine, load
from service.pacs.query import Found, Level, Query, keys_of, rows_of
from service.pacs.quiet import silence_libraries

_CHUNK = 65536  # bytes; what of an answer is lost when it breaks off
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
                if not any(outcome.is_stored for outcome in outcomes) and error.code in ("unreachable", "refused"):
                    raise
                outcomes.append(Outcome(file, False, str(error), error.again))
                if error.code in ("unreachable", "refused"):
                    late = [Outcome(left, False, str(error), error.again) for left in files[number + 1 :]]
                    return outcomes + late
        return outcomes

    def _store(self, item: Item) -> Outcome:
        try:
            dataset = load(item)
        except OSError as error:
            return Outcome(item.file, False, f"the file cannot be read ({error.strerror or type(error).__name__})")
        except BrokenFileError:
            return Outcome(item.file, False, BROKEN)
        with words_for_failures(self._config), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = self._client.store_instances([dataset])
            failed = answer.get("FailedSOPSequence")
        if failed:
            reason = failed[0].get("FailureReason")
            return Outcome(item.file, False, "the node did not take it" + (f" ({reason:04X})" if reason else ""))
        return Outcome(item.file, True)
