"""One data set made anew from what may stay: an element that no rule lets through is not copied.

Sequences are rebuilt item by item at every depth. Nothing of the original is changed.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from imaging import limits
from imaging.dicom.deidentify.ages import capped_age
from imaging.dicom.deidentify.codes import is_code, known_code
from imaging.dicom.deidentify.dates import shift_date, shift_datetime, shift_time
from imaging.dicom.deidentify.keys import Keys
from imaging.dicom.deidentify.profile import DUMMY, EMPTY, REMOVE, policy, table_action
from imaging.dicom.deidentify.text import controlled_code, controlled_form, controlled_words
from imaging.dicom.deidentify.types import Action, Log, Subject
from imaging.dicom.values import BROKEN, text

_PSEUDONYMS = ("PatientName", "PatientID")
_SET_BY_US = frozenset({
    "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified", "SpecificCharacterSet",
})  # fmt: skip
_CLOCK = ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime")
_NUMBERS = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "AT"})
_BYTES = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN"})
_KEPT_REFERENCES = frozenset({"ReferencedPerformedProcedureStepSequence"})
"""With the table's ``X/Z/U*`` ones: they hold UIDs alone, and these are remapped."""
_REMOVED_TEXT = "REMOVED"
_LONGEST_NUMBER = 16  # characters of DS (PS3.5 6.2)
_FIRST_IMAGE_GROUP = 0x0008


@dataclass(frozen=True)
class Cleaner:
    """Cleans the data sets of one subject's study.

    Attributes:
        keys: Make the new UIDs.
        subject: Pseudonym and date shift.
        keep_characteristics: Keep age, sex, size and the like.
        log: Counts what is done.
    """

    keys: Keys
    subject: Subject
    keep_characteristics: bool
    log: Log

    def clean(self, dataset: Dataset) -> Dataset:
        """Return the cleaned copy of an instance, without file meta information."""
        clock = next((time for name in _CLOCK if (time := text(dataset, name))), "")
        run = _Run(self, "PerFrameFunctionalGroupsSequence" in dataset, clock)
        return run.clean(dataset, 0)


@dataclass(frozen=True)
class _Run:
    """Cleaning of one instance."""

    by: Cleaner
    is_enhanced: bool
    clock: str

    def clean(self, dataset: Dataset, depth: int) -> Dataset:
        cleaned = Dataset()
        for tag in sorted(dataset.keys()):
            element, action, reason = self._judge(dataset, int(tag), depth)
            if element is not None:
                cleaned[element.tag] = element
            self.by.log.add(int(tag), keyword_for_tag(tag), action, reason)
        return cleaned

    def _judge(self, dataset: Dataset, tag: int, depth: int) -> "_Verdict":
        """Return the element as it may stay, or None, with what was done and why."""
        keyword = keyword_for_tag(tag)
        if (why := _foreign(tag, keyword)) is not None:
            return None, Action.REMOVED, why
        try:
            element = dataset[tag]
            known = dictionary_VR(tag)
            if element.VR not in (known, *known.split(" or ")):
                return self._without(element, keyword, "value of another kind than the standard's")
            return self._judged(dataset, element, keyword, depth)
        except BROKEN:  # a value that is none of its kind cannot be judged, so it does not stay
            return None, Action.REMOVED, "unreadable value"

    def _judged(self, dataset: Dataset, element: DataElement, keyword: str, depth: int) -> "_Verdict":
        rules, table = policy(), table_action(element.tag)
        if keyword in _PSEUDONYMS:
            return _valued(element, self.by.subject.pseudonym), Action.PSEUDONYM, "Basic Profile"
        if element.VR == "SQ":
            return self._sequence(element, keyword, table, depth)
        if element.VR == "UI" and table != REMOVE:
            return self._uid(element)
        if element.VR in ("DA", "TM", "DT") and keyword not in rules.dates_not_moved:
            return self._date(dataset, element, keyword)
        if keyword in rules.characteristics and self.by.keep_characteristics:
            return self._characteristic(element, keyword)
        if keyword in rules.descriptors:
            return self._descriptor(element, keyword)
        if table is not None:
            return self._by_table(element, keyword, table)
        return self._by_kind(element, keyword)

    def _sequence(self, element: DataElement, keyword: str, table: str | None, depth: int) -> "_Verdict":
        if table is not None and "U*" not in table and keyword not in _KEPT_REFERENCES:
            return self._without(element, keyword, "Basic Profile", "X/Z")
        if depth >= limits.current().sequence_depth:
            return self._without(element, keyword, "nested too deep", "X/Z")
        items = []
        for item in element.value:
            if is_code(item):
                known = known_code(item)
                items += [] if known is None else [known]
            else:
                items.append(self.clean(item, depth + 1))
        if element.value and not items:
            return self._without(element, keyword, "codes that are not in a public vocabulary")
        return DataElement(element.tag, "SQ", Sequence(items)), Action.KEPT, "items cleaned one by one"

    def _uid(self, element: DataElement) -> "_Verdict":
        values = _values(element)
        new = [value if UID(value).name != value else self.by.keys.uid(value) for value in values]
        if new == values:
            return _valued(element, *new), Action.KEPT, "registered UID"
        return _valued(element, *new), Action.REMAPPED, "Basic Profile"

    def _date(self, dataset: Dataset, element: DataElement, keyword: str) -> "_Verdict":
        values = _values(element)
        if not values:
            return _valued(element), Action.KEPT, "empty"
        has_partner = element.VR == "DA" and tag_for_keyword(keyword.replace("Date", "Time")) is not None
        times = self._times(dataset, keyword if has_partner else "", len(values))
        moved = [_moved(element.VR, v, t, self.by.subject.shift) for v, t in zip(values, times, strict=True)]
        given = [value for value in moved if value is not None]
        if len(given) < len(values):
            return self._without(element, keyword, "no date or time")
        return _valued(element, *given), Action.SHIFTED, "Modified Dates Option"

    def _times(self, dataset: Dataset, keyword: str, count: int) -> list[str]:
        """Return the time of day that goes with each date; that of the study where a date has none."""
        partner = keyword.replace("Date", "Time")
        found = text(dataset, partner).split("\\") if partner and partner in dataset else []
        found = [time or self.clock for time in found]
        return (found + [self.clock] * count)[:count]

    def _characteristic(self, element: DataElement, keyword: str) -> "_Verdict":
        if keyword != "PatientAge":
            return self._by_kind(element, keyword)
        age = capped_age(str(element.value or ""))
        if age is None:
            return self._without(element, keyword, "no age")
        changed = age != str(element.value).strip()
        reason = "ages above 89 are one class" if changed else "Retain Patient Characteristics Option"
        return _valued(element, age), Action.REPLACED if changed else Action.KEPT, reason

    def _descriptor(self, element: DataElement, keyword: str) -> "_Verdict":
        words = controlled_words(" ".join(_values(element)))
        if not words and keyword == "ContrastBolusAgent" and any(_values(element)):
            words = "contrast agent"  # that there was one is no identity, and changes what an image may show
        if not words:
            return self._without(element, keyword, "no word of it is known")
        return _valued(element, words), Action.CLEANED, "Clean Descriptors Option"

    def _by_table(self, element: DataElement, keyword: str, table: str) -> "_Verdict":
        if table == DUMMY:
            dummy = _dummy(element)
            if dummy is not None:
                return dummy, Action.REPLACED, "Basic Profile"
        return self._without(element, keyword, "Basic Profile", table)

    def _by_kind(self, element: DataElement, keyword: str) -> "_Verdict":
        """Judge an element without a row in the table by what it can hold."""
        kind = element.VR
        if kind in _NUMBERS and _holds_numbers(element):
            return element, Action.KEPT, "number"
        if keyword in policy().bulk:
            return element, Action.KEPT, "pixels"
        values = _values(element)
        if not any(values) and kind not in _BYTES:
            return _valued(element), Action.KEPT, "empty"
        if kind in ("DS", "IS"):
            if all(_is_number(value) for value in values):
                return element, Action.KEPT, "number"
            return self._without(element, keyword, "text where a number belongs")
        if kind == "CS":
            return self._codes(element, keyword, values)
        forms = [controlled_form(keyword, value) for value in values] if keyword in policy().patterns else [None]
        kept = [form for form in forms if form is not None]
        if len(kept) == len(forms):
            return _valued(element, *kept), Action.KEPT, "technical name of a known form"
        return self._without(element, keyword, "text that is not known to be free of identity")

    def _codes(self, element: DataElement, keyword: str, values: list[str]) -> "_Verdict":
        stand_in = self._stand_in(keyword)
        new = [controlled_code(keyword, value) or (stand_in if value else "") for value in values]
        known = [value for value in new if value is not None]
        if len(known) < len(new):
            return self._without(element, keyword, "code that is not known")
        changed = known != [value.upper() for value in values]
        return _valued(element, *known), Action.CLEANED if changed else Action.KEPT, "coded string"

    def _stand_in(self, keyword: str) -> str | None:
        rules = policy()
        enhanced = rules.must_have_enhanced.get(keyword) if self.is_enhanced else None
        return rules.must_have.get(keyword) or enhanced

    def _without(self, element: DataElement, keyword: str, reason: str, table: str = "X/Z/D") -> "_Verdict":
        """Return what stands in for an element whose value cannot stay: as little as an image object allows."""
        stand_in = self._stand_in(keyword)
        if stand_in is not None and DUMMY in table and element.VR != "SQ":
            return _valued(element, stand_in), Action.REPLACED, reason
        if EMPTY in table and (table == EMPTY or keyword in policy().may_be_empty):
            return _valued(element), Action.EMPTIED, reason
        return None, Action.REMOVED, reason


_Verdict = tuple[DataElement | None, Action, str]


def _foreign(tag: int, keyword: str) -> str | None:
    """Return why a tag can be in no cleaned data set, or None."""
    group = tag >> 16
    if group % 2:
        return "private"
    if group < _FIRST_IMAGE_GROUP or tag & 0xFFFF == 0:
        return "no part of a data set"
    if group & 0xFF00 in (0x5000, 0x6000):
        return "Basic Profile"
    if not keyword or not dictionary_has_tag(tag):
        return "Basic Profile" if table_action(tag) else "unknown to the standard's dictionary"
    return "set anew" if keyword in _SET_BY_US else None


def _moved(kind: str, value: str, time: str, shift: timedelta) -> str | None:
    if not value:
        return ""
    if kind == "DA":
        return shift_date(value, time, shift)
    return shift_time(value, shift) if kind == "TM" else shift_datetime(value, shift)


def _values(element: DataElement) -> list[str]:
    if element.value is None or element.value == "":
        return []
    listed = [element.value] if element.VM <= 1 else list(element.value)
    return [str(item).strip(" \0") for item in listed]


def _valued(element: DataElement, *values: str) -> DataElement:
    """Return an element of the same tag with other texts; empty without any."""
    if element.VR == "SQ":
        return DataElement(element.tag, "SQ", Sequence())
    value = list(values) if len(values) > 1 else values[0] if values else None
    return DataElement(element.tag, element.VR, value)


def _dummy(element: DataElement) -> DataElement | None:
    if element.VR in ("LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE", "CS"):
        return _valued(element, _REMOVED_TEXT)
    if element.VR in ("DS", "IS"):
        return _valued(element, "0")
    if element.VR in _NUMBERS:
        return DataElement(element.tag, element.VR, 0)
    return None


def _holds_numbers(element: DataElement) -> bool:
    """Say whether a binary element holds numbers; pydicom leaves bytes of a wrong length as they are."""
    values = [element.value] if element.VM <= 1 else list(element.value)
    return all(value is None or isinstance(value, int | float) for value in values)


def _is_number(value: str) -> bool:
    try:
        return len(value) <= _LONGEST_NUMBER + 8 and math.isfinite(float(value or 0)) and "_" not in value
    except ValueError:
        return False
