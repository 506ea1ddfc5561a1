"""What a case of the malformed-input corpus is, and the identity that must never come out of one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Writer = Callable[[Path], Path]
"""Writes the input into an empty folder and returns the path to read."""

IDENTITY: Mapping[str, str] = {
    "PatientName": "ZZYZX^SECRET",
    "PatientID": "ID-998877",
    "PatientBirthDate": "19530417",
    "AccessionNumber": "ACC-424242",
    "ReferringPhysicianName": "QUUXLEY^DOCTOR",
    "InstitutionName": "GRAULT HOSPITAL",
}
"""Identity of every corpus patient."""

SECRETS = ("ZZYZX", "SECRET", "998877", "19530417", "424242", "QUUXLEY", "GRAULT")
"""Pieces of it that no error, log, warning or study may hold."""


@dataclass(frozen=True)
class Case:
    """One input and what must come of it.

    Attributes:
        name: Unique in its group.
        write: Writes it.
        refused: Pattern of the error's words; None when it must be read.
        kind: Class name of the error.
        code: Its machine-readable code, where the case tests one.
        shape: Shape of the first series when it must be read.
        says: Pattern that the notices and reasons of the study, joined by lines, must hold.
    """

    name: str
    write: Writer
    refused: str | None = None
    kind: str = "StudyError"
    code: str | None = None
    shape: tuple[int, int, int] | None = None
    says: str | None = None


@dataclass
class Group:
    """Cases of one kind of input, registered by decorators."""

    cases: dict[str, Case] = field(default_factory=dict)

    def refused(
        self, words: str, *, kind: str = "StudyError", code: str | None = None
    ) -> Callable[[Writer], Writer]:
        """Register a case that must end in an error."""

        def register(write: Writer) -> Writer:
            self.add(Case(write.__name__, write, refused=words, kind=kind, code=code))
            return write

        return register

    def reads(self, shape: tuple[int, int, int], *, says: str | None = None) -> Callable[[Writer], Writer]:
        """Register a case that must be read in spite of its looks."""

        def register(write: Writer) -> Writer:
            self.add(Case(write.__name__, write, shape=shape, says=says))
            return write

        return register

    def add(self, case: Case) -> None:
        """Register a case built by hand."""
        assert case.name not in self.cases, case.name
        self.cases[case.name] = case
