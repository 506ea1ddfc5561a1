"""The slices that files hold, and why everything else was left out."""

from collections import Counter
from dataclasses import dataclass

from imaging import limits
from imaging.dicom.directory import directory_notices, read_directory
from imaging.dicom.frames import enhanced_slices, is_enhanced
from imaging.dicom.headers import InstanceHeader, read_header
from imaging.dicom.members import Member
from imaging.dicom.slices import SliceHeader, classic_slices
from imaging.modality import check_modality
from imaging.sniff import FileKind
from runtime.errors import StudyError

NO_PLACE = "MR image without position, orientation or pixel spacing"


@dataclass(frozen=True)
class LeftOut:
    """Images of one study that are not read.

    Attributes:
        study_uid: Study Instance UID; empty when the object states none.
        reason: Why.
        count: How many.
    """

    study_uid: str
    reason: str
    count: int


@dataclass(frozen=True)
class Intake:
    """What the files hold.

    Attributes:
        slices: Of all MR images that tell their place, in the order of the files.
        left_out: Everything else that is DICOM.
        notices: About files that are no DICOM, and a DICOMDIR that disagrees with the files.
    """

    slices: tuple[SliceHeader, ...]
    left_out: tuple[LeftOut, ...]
    notices: tuple[str, ...]

    def notices_of(self, study_uid: str | None) -> list[str]:
        """Return the notices that concern one study, or all of them."""
        concerned = Counter[str]()
        for item in self.left_out:
            if study_uid is None or item.study_uid in ("", study_uid):
                concerned[item.reason] += item.count
        return [*self.notices, *(f"Left out: {count} x {reason}." for reason, count in concerned.items())]


def take_in(members: list[Member], name: str) -> Intake:
    """Read the headers of all DICOM files.

    Args:
        members: All files.
        name: What was read, for messages.

    Raises:
        StudyError: If there is no DICOM image, or a file is damaged or cut short.
        NotEligibleError: If no image is MR (code ``wrong_modality``).
    """
    directories = [member for member in members if member.is_directory]
    files = [member for member in members if member.kind is FileKind.DICOM and not member.is_directory]
    if not files:
        listed = "; the DICOMDIR names no file that is there: give its whole folder" if directories else ""
        raise StudyError(f"{name}: expected DICOM files, found {_kinds(members)}{listed}")
    slices: list[SliceHeader] = []
    left_out: Counter[tuple[str, str]] = Counter()
    modalities: Counter[str] = Counter()
    instance_uids = {member.place: "" for member in members}
    for member in files:
        limits.check_file_size(member.name, member.size)
        instance, found, reasons = _read_file(member)
        if instance.rows:
            modalities[instance.modality or "none"] += 1
        slices += found
        left_out.update({(instance.study_uid, reason): count for reason, count in reasons.items()})
        instance_uids[member.place] = instance.instance_uid
    check_modality(modalities, name)
    foreign = len(members) - len(files) - len(directories)
    notices = [f"{foreign} files that are not DICOM were left out."] if foreign else []
    for directory in directories:
        notices += directory_notices(directory.place, read_directory(directory), instance_uids)
    gone = tuple(LeftOut(study, reason, count) for (study, reason), count in left_out.items())
    return Intake(tuple(slices), gone, tuple(notices))


def _read_file(member: Member) -> tuple[InstanceHeader, list[SliceHeader], Counter[str]]:
    """Return the record of a file, the slices to read, and how many images are not read for which reason."""
    dataset, instance = read_header(member)
    reason = _unusable(instance)
    if reason is not None:
        return instance, [], Counter({reason: 1})
    found = enhanced_slices(dataset, instance) if is_enhanced(dataset) else classic_slices(dataset, instance)
    if not found:
        return instance, [], Counter({NO_PLACE: 1})
    reasons = Counter(item.left_out for item in found if item.left_out is not None)
    if is_enhanced(dataset) and len(found) < instance.frames:
        reasons[NO_PLACE] += instance.frames - len(found)
    return instance, [item for item in found if item.left_out is None], reasons


def _unusable(instance: InstanceHeader) -> str | None:
    """Return why an instance holds no slice to read, or None."""
    if not instance.rows:
        return "DICOM object without an image"
    if instance.modality != "MR":
        return f"image of modality {instance.modality or 'none'}"
    if not instance.photometric:
        return "image that does not tell whether it is grey"
    if min(instance.rows, instance.columns) < limits.MIN_SIDE:
        return f"image with a side of less than {limits.MIN_SIDE} pixels"
    if not instance.photometric.startswith("MONOCHROME"):
        return "coloured image"
    return instance.left_out


def _kinds(members: list[Member]) -> str:
    if not members:
        return "no file at all"
    counts = Counter(member.kind.value for member in members if member.size)
    counts["an empty file"] = sum(member.size == 0 for member in members)
    return ", ".join(f"{count} x {kind}" for kind, count in counts.items() if count)
