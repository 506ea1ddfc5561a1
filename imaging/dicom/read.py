"""Reads one MR study from DICOM files: headers first, then the pixels of the series that can be used."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pydicom

from imaging import limits
from imaging.dicom.headers import InstanceHeader, instance_header, read_dataset
from imaging.dicom.members import Member, open_members
from imaging.dicom.pixels import stack_pixels
from imaging.dicom.slices import SliceHeader, has_inversion, slice_headers
from imaging.dicom.stacks import Stack, build_stacks, mixes_planes
from imaging.geometry import MAX_TILT_DEG, is_plausible, nearest_plane, reorient, spacing_of
from imaging.roles import Candidate
from imaging.sequences import sequence_from_header
from imaging.sniff import FileKind
from imaging.types import Plane, Series, Volume
from imaging.words import has_word, plane_words
from runtime.errors import NotEligibleError, StudyError

_T = TypeVar("_T")

OBLIQUE_DEG = 10.0
"""Within this of ``MAX_TILT_DEG`` two planes are about as near, and a word of the description decides; ours.
Semi-coronal series of the sacroiliac joints are tilted so."""


@dataclass(frozen=True)
class DicomContent:
    """What the files of a study hold.

    Attributes:
        candidates: Usable series in the order of their numbers, without roles.
        sex: ``F``, ``M`` or None.
        age_years: Or None.
        words: Plain text of body part and descriptions.
        notices: What was left out and why.
    """

    candidates: tuple[Candidate, ...]
    sex: str | None
    age_years: float | None
    words: str
    notices: tuple[str, ...]


def read_dicom(path: Path) -> DicomContent:
    """Read a DICOM file, or the DICOM files of a folder or zip.

    Raises:
        StudyError: If there is no DICOM image, a file is damaged or cut short, there is more than one study or
            patient, no series has a usable geometry, or a limit is passed.
        NotEligibleError: If no image is MR (code ``wrong_modality``).
    """
    # pydicom's warnings about odd values quote them, names included: it is told not to judge values.
    with pydicom.config.disable_value_validation(), open_members(path) as members:
        slices, notices = _read_headers(members, path.name)
        instances = [item.instance for item in slices]
        _check_one_study(instances, path.name)
        stacks, stack_notices = _usable_stacks(slices)
        notices.extend(stack_notices)
        if not stacks:
            raise StudyError(f"{path.name}: expected a series of MR slices, found none. {' '.join(notices)}")
        limits.check_voxels(path.name, sum(_voxels(stack) for stack in stacks))
        candidates = tuple(_candidate(stack, f"S{number}") for number, stack in enumerate(stacks, start=1))
    return DicomContent(
        candidates=candidates,
        sex=_agreed({item.sex for item in instances}),
        age_years=_agreed({item.age_years for item in instances}),
        words=" ".join(dict.fromkeys(item.region_text for item in instances)),
        notices=tuple(notices),
    )


def _read_headers(members: list[Member], name: str) -> tuple[list[SliceHeader], list[str]]:
    """Return the slices of all MR images that tell their place, and notices about everything else."""
    dicom = [member for member in members if member.kind is FileKind.DICOM]
    if not dicom:
        raise StudyError(f"{name}: expected DICOM files, found {_kinds(members)}")
    slices: list[SliceHeader] = []
    left_out: Counter[str] = Counter()
    modalities: Counter[str] = Counter()
    for member in dicom:
        limits.check_file_size(member.name, member.size)
        dataset = read_dataset(member)
        instance = instance_header(dataset, member)
        if has_inversion(dataset):
            instance = replace(instance, scanning=instance.scanning | {"IR"})
        reason = _unusable(instance)
        found = [] if reason else slice_headers(dataset, instance)
        if instance.rows:
            modalities[instance.modality or "none"] += 1
        if not found:
            left_out[reason or "MR image without position, orientation or pixel spacing"] += 1
        slices.extend(found)
    _check_modality(modalities, name)
    foreign = len(members) - len(dicom)
    notices = [f"{foreign} files that are not DICOM were left out."] if foreign else []
    notices += [f"Left out: {count} x {reason}." for reason, count in left_out.items()]
    return slices, notices


def _unusable(instance: InstanceHeader) -> str | None:
    """Return why an instance holds no slice to read, or None."""
    if not instance.rows:
        return "DICOM object without an image"
    if instance.modality != "MR":
        return f"image of modality {instance.modality or 'none'}"
    if not instance.photometric.startswith("MONOCHROME"):
        return "coloured image"
    return None


def _check_modality(modalities: Counter[str], name: str) -> None:
    if not modalities:
        raise StudyError(f"{name}: expected MR images, found DICOM objects without any image")
    if "MR" not in modalities:
        found = ", ".join(sorted(modalities))
        raise NotEligibleError(
            f"{name}: expected MR images, found modality {found}; only MR of the spine is read",
            code="wrong_modality",
        )


def _check_one_study(instances: list[InstanceHeader], name: str) -> None:
    studies = len({item.study_uid for item in instances})
    if studies > 1:
        raise StudyError(f"{name}: expected one study, found {studies}; give each study by itself")
    patients = len({item.patient_hash for item in instances})
    if patients > 1:
        raise StudyError(
            f"{name}: expected the images of one patient, found {patients} patient numbers in one study; check "
            "how the files were put together"
        )


def _usable_stacks(slices: list[SliceHeader]) -> tuple[list[Stack], list[str]]:
    """Return the stacks of all series but localisers, in the order of series numbers."""
    by_series: dict[str, list[SliceHeader]] = {}
    for item in sorted(slices, key=lambda item: item.instance.series_number):
        by_series.setdefault(item.instance.series_uid, []).append(item)
    stacks: list[Stack] = []
    notices: list[str] = []
    for group in by_series.values():
        number = group[0].instance.series_number
        if _is_localiser(group):
            notices.append(f"Series number {number} is a localiser and was left out.")
            continue
        found, group_notices = build_stacks(group)
        notices += [f"Series number {number}: {notice}" for notice in group_notices]
        for stack in found:
            notices += [f"Series number {number}: {notice}" for notice in stack.notices]
        plausible = [stack for stack in found if is_plausible(spacing_of(stack.affine, 1))]
        if len(plausible) < len(found):
            notices.append(f"Series number {number} has a pixel spacing that cannot be and was left out.")
        stacks += plausible
    return stacks, notices


def _is_localiser(group: list[SliceHeader]) -> bool:
    instance = group[0].instance
    is_named = "LOCALIZER" in instance.image_type or has_word("localiser", instance.words)
    return is_named or mixes_planes(group)


def _candidate(stack: Stack, series_id: str) -> Candidate:
    first = stack.slices[0]
    pixels = stack_pixels(stack)
    oriented = reorient(pixels, stack.affine, 2, plane=_named_plane(stack))
    finding = sequence_from_header(first.facts, scanning=first.instance.scanning, words=first.instance.words)
    finding = replace(
        finding,
        has_contrast=finding.has_contrast or first.instance.has_contrast,
        is_fat_suppressed=finding.is_fat_suppressed or first.instance.is_fat_suppressed,
    )
    volume = Volume(
        array=oriented.array.copy(),
        spacing=spacing_of(oriented.affine, len(stack.slices)),
        affine=oriented.affine,
        source_shape=(pixels.shape[0], pixels.shape[1], pixels.shape[2]),
        source_axes=oriented.source_axes,
    )
    tilt = f"plane {oriented.plane.value}: from the image orientation, tilted by {oriented.tilt_deg:.0f} degrees"
    reasons = [tilt, *finding.reasons]
    reasons += ["fat-suppressed"] if finding.is_fat_suppressed else []
    reasons += ["after contrast medium"] if finding.has_contrast else []
    series = Series(
        id=series_id,
        role=None,
        plane=oriented.plane,
        sequence=finding.sequence,
        volume=volume,
        reasons=tuple(reasons),
        header=first.facts,
        series_instance_uid=first.instance.series_uid,
        instance_uids=tuple(item.instance.instance_uid for item in stack.slices),
    )
    return Candidate(series, finding)


def _named_plane(stack: Stack) -> Plane | None:
    """Return the plane that the description names, when the slices lie about half-way between two planes."""
    _, tilt = nearest_plane(stack.affine, 2)
    named = plane_words(stack.slices[0].instance.words)
    return Plane(named[0]) if abs(tilt - MAX_TILT_DEG) <= OBLIQUE_DEG and len(named) == 1 else None


def _voxels(stack: Stack) -> int:
    instance = stack.slices[0].instance
    return instance.columns * instance.rows * len(stack.slices)


def _kinds(members: list[Member]) -> str:
    if not members:
        return "no file at all"
    counts = Counter(member.kind.value for member in members if member.size)
    counts["an empty file"] = sum(member.size == 0 for member in members)
    return ", ".join(f"{count} x {kind}" for kind, count in counts.items() if count)


def _agreed(values: set[_T | None]) -> _T | None:
    """Return the one value that all headers that have one agree on, else None."""
    known = values - {None}
    return known.pop() if len(known) == 1 else None
