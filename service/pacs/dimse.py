"""A node that speaks DIMSE: C-ECHO, C-FIND, C-GET, C-MOVE and C-STORE as its user. One try each, no retries."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as StudyRootFind,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet as StudyRootGet,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelMove as StudyRootMove,
)
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from service.pacs import contexts, statuses
from service.pacs.arrivals import Arrivals
from service.pacs.association import Silence, associated, lost, status_of
from service.pacs.config import DimseConfig, OwnConfig
from service.pacs.errors import PacsError
from service.pacs.outcome import Outcome, Transfer
from service.pacs.outgoing import BROKEN_WORDS, BrokenFileError, Item, batches, decompressed, examine, load
from service.pacs.query import Found, Query, keys_of, rows_of
from service.pacs.quiet import silence_libraries
from service.pacs.tls import server_context

_COUNTERS = ("Remaining", "Completed", "Failed", "Warning")
_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND, _OTHER_STUDY = 0xA700, 0xC000, 0xA900


class DimseLink:
    """Speaks with one node.

    Args:
        config: The node.
        own: Who we are.
    """

    def __init__(self, config: DimseConfig, own: OwnConfig) -> None:
        self._config = config
        self._own = own

    def echo(self) -> None:
        """Ask the node whether it is there (C-ECHO).

        Raises:
            PacsError: If it is not, or refuses.
        """
        with associated(self._config, self._own, [build_context(Verification)]) as association:
            silence = _begun()
            status = status_of(association.send_c_echo(), self._config, silence)
            if status != statuses.SUCCESS:
                raise statuses.refusal("C-ECHO", status)

    def find(self, query: Query) -> Found:
        """Return what fits a query (C-FIND, study root).

        Raises:
            PacsError: If the node does not answer, or refuses.
        """
        identifier = Dataset()
        identifier.QueryRetrieveLevel = query.level.upper()
        if not "".join(keys_of(query).values()).isascii():
            identifier.SpecificCharacterSet = "ISO_IR 192"
        for keyword, value in keys_of(query).items():
            setattr(identifier, keyword, value or None)
        with associated(self._config, self._own, [build_context(StudyRootFind)]) as association:
            return rows_of(query, self._answers(association, identifier, query.limit))

    def fetch(self, arrivals: Arrivals) -> Transfer:
        """Let the node send a study, by the way of its configuration.

        Raises:
            PacsError: If it does not, or breaks off; what had arrived is kept.
        """
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "STUDY"
        identifier.StudyInstanceUID = arrivals.study_instance_uid
        return self._get(identifier, arrivals) if self._config.fetch == "get" else self._move(identifier, arrivals)

    def send(self, files: Sequence[Path]) -> list[Outcome]:
        """Send files (C-STORE), each with its outcome.

        Raises:
            PacsError: If there was no association at all.
        """
        examined = [examine(file) for file in files]
        outcomes = [found for found in examined if isinstance(found, Outcome)]
        for batch in batches([found for found in examined if isinstance(found, Item)]):
            try:
                outcomes += self._send_batch(batch)
            except PacsError as error:
                if not any(outcome.is_stored for outcome in outcomes):
                    raise
                outcomes += [Outcome(item.file, False, str(error), error.again) for item in batch]
        return outcomes

    def _answers(self, association: Association, identifier: Dataset, limit: int) -> list[Dataset]:
        """Return the answers to a query, at most one more than the limit."""
        silence = _begun()
        answers: list[Dataset] = []
        for answer, row in association.send_c_find(identifier, StudyRootFind):
            status = status_of(answer, self._config, silence)
            if status in statuses.PENDING and row is not None:
                answers.append(row)
            elif status not in (*statuses.PENDING, statuses.SUCCESS):
                raise statuses.refusal("C-FIND", status)
            if len(answers) > limit:
                association.abort()  # a C-CANCEL need not be heeded
                break
        return answers

    def _get(self, identifier: Dataset, arrivals: Arrivals) -> Transfer:
        silence = _begun()
        asked = [build_context(StudyRootGet), *contexts.fetching()]
        roles = [build_role(kind, scp_role=True) for kind in contexts.storage_classes()]
        handlers = [(evt.EVT_C_STORE, _keep, [arrivals, silence])]
        with associated(self._config, self._own, asked, roles=roles, handlers=handlers) as association:
            answers = association.send_c_get(identifier, StudyRootGet)
            return self._transfer("C-GET", (answer for answer, _ in answers), silence)

    def _move(self, identifier: Dataset, arrivals: Arrivals) -> Transfer:
        silence = _begun()
        with (
            self._receiving(arrivals, silence),
            associated(self._config, self._own, [build_context(StudyRootMove)]) as association,
        ):
            answers = association.send_c_move(identifier, self._own.ae_title, StudyRootMove)
            return self._transfer("C-MOVE", (answer for answer, _ in answers), silence)

    def _transfer(self, what: str, answers: Iterator[Dataset], silence: Silence) -> Transfer:
        announced, failed = None, 0
        for answer in answers:
            status = status_of(answer, self._config, silence)
            told = [answer.get(f"NumberOf{name}Suboperations") for name in _COUNTERS]
            if any(number is not None for number in told):
                announced = max(announced or 0, sum(number or 0 for number in told))
                failed = told[2] or 0
            if status not in (*statuses.PENDING, statuses.SUCCESS, statuses.SOME_FAILED):
                raise statuses.refusal(what, status)
        return Transfer(announced, failed)

    @contextmanager
    def _receiving(self, arrivals: Arrivals, silence: Silence) -> Iterator[None]:
        """Take what the node sends us in its C-MOVE: from its AE title, to ours."""
        silence_libraries()
        entity = AE(ae_title=self._own.ae_title)
        entity.supported_contexts = contexts.receiving()
        entity.require_calling_aet = [self._config.ae_title]
        entity.require_called_aet = True
        entity.network_timeout = self._config.answer_s
        try:
            entity.start_server(
                (self._own.move_host, self._own.move_port),
                block=False,
                evt_handlers=[(evt.EVT_C_STORE, _keep, [arrivals, silence])],
                ssl_context=server_context(self._config),
            )
        except OSError as error:
            raise PacsError(
                f"own.move_port {self._own.move_port} cannot be listened on ({error.strerror}); a C-MOVE needs it",
                code="port_taken",
            ) from None
        try:
            yield
        finally:
            entity.shutdown()

    def _send_batch(self, batch: list[Item]) -> list[Outcome]:
        asked = contexts.sending((item.sop_class_uid, item.transfer_syntax_uid) for item in batch)
        outcomes: list[Outcome] = []
        with associated(self._config, self._own, asked) as association:
            for item in batch:
                try:
                    outcomes.append(self._store(association, item))
                except PacsError as error:  # the association is gone: nothing more goes over it
                    left = batch[len(outcomes) :]
                    return outcomes + [Outcome(late.file, False, str(error), error.again) for late in left]
        return outcomes

    def _store(self, association: Association, item: Item) -> Outcome:
        """Send one file.

        Raises:
            PacsError: If the association is gone.
        """
        silence = _begun()
        if not association.is_established:
            raise lost(self._config, silence)
        try:
            dataset = load(item)
        except OSError as error:
            return Outcome(item.file, False, f"the file cannot be read ({error.strerror or type(error).__name__})")
        except BrokenFileError:
            return Outcome(item.file, False, BROKEN_WORDS)
        try:
            if not _is_accepted(association, item):
                dataset = decompressed(dataset)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = association.send_c_store(dataset)
        except (ValueError, AttributeError):  # no context for it, or it cannot be encoded for the one there is
            if not association.is_established:
                raise lost(self._config, silence) from None
            name = item.sop_class_uid.name
            return Outcome(item.file, False, f"the node does not take it as it is encoded ({name})")
        status = status_of(answer, self._config, silence)
        if statuses.is_stored(status):
            return Outcome(item.file, True, "" if status == statuses.SUCCESS else f"status {status:04X}")
        return Outcome(item.file, False, statuses.words(status), statuses.may_pass(status))


def _begun() -> Silence:
    silence = Silence()
    silence.touch()
    return silence


def _is_accepted(association: Association, item: Item) -> bool:
    """Return whether the node takes the compression of a file; what is uncompressed is converted as it likes."""
    if item.transfer_syntax_uid in contexts.PLAIN:
        return True
    return any(
        context.abstract_syntax == item.sop_class_uid and context.transfer_syntax[0] == item.transfer_syntax_uid
        for context in association.accepted_contexts
    )


def _keep(event: Event, arrivals: Arrivals, silence: Silence) -> int:
    """Keep an instance that a node sends; success is answered when it lies on the disk."""
    silence.touch()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study_instance_uid = str(event.dataset.get("StudyInstanceUID", ""))
            sop_instance_uid = str(event.dataset.SOPInstanceUID)
        content = event.encoded_dataset()
    except Exception:  # whatever the decoder raises on broken data; the node counts it as failed
        return _CANNOT_UNDERSTAND
    if study_instance_uid != arrivals.study_instance_uid:
        return _OTHER_STUDY
    try:
        arrivals.keep(sop_instance_uid, content)
    except PacsError:
        return _OUT_OF_RESOURCES
    return statuses.SUCCESS
