"""From the slices of a study to its series: stacks of slices, and candidates for the roles of the protocol."""

from collections.abc import Iterable

from imaging.dicom.derived import why_reformatted
from imaging.dicom.pixels import stack_pixels
from imaging.dicom.slices import SliceHeader
from imaging.dicom.stacks import Stack, build_stacks, mixes_planes
from imaging.geometry import is_plausible, reorient, spacing_of
from imaging.planes import PlaneFinding, find_plane, slice_normal
from imaging.roles import Candidate
from imaging.sequences import SequenceFinding, sequence_from_header
from imaging.types import FloatVolume, Plane, Series, Volume
from imaging.words import has_word, plane_words, region_words


def usable_stacks(slices: Iterable[SliceHeader]) -> tuple[list[Stack], list[str]]:
    """Return the stacks of a study in the order of series numbers, and notices on what was left out or split.

    Args:
        slices: Of one study, without doubles.
    """
    stacks: list[Stack] = []
    notices: list[str] = []
    for group in _by_series(slices):
        number = group[0].instance.series_number
        if _is_localiser(group):
            notices.append(f"Series number {number} is a localiser and was left out.")
            continue
        found, group_notices = build_stacks(group)
        told = [*group_notices, *(notice for stack in found for notice in stack.notices)]
        notices += [f"Series number {number}: {notice}" for notice in dict.fromkeys(told)]
        plausible = [stack for stack in found if is_plausible(spacing_of(stack.affine, 1))]
        if len(plausible) < len(found):
            notices.append(f"Series number {number} has a pixel spacing that cannot be and was left out.")
        stacks += plausible
    return _acquired(stacks, notices), notices


def sequence_of(stack: Stack) -> SequenceFinding:
    """Decide the weighting of a stack from the header of its first slice."""
    first = stack.slices[0]
    instance = first.instance
    return sequence_from_header(
        first.facts,
        scanning=instance.scanning,
        words=instance.words,
        variant=instance.variant,
        options=instance.options,
        image_type=first.image_type,
        contrast_code=instance.contrast_code,
        has_contrast_agent=instance.has_contrast_agent,
    )


def plane_of(stack: Stack) -> Plane:
    """Return the plane of a stack by its direction, and by its words near a border between planes."""
    return _find_plane(stack).plane


def _find_plane(stack: Stack) -> PlaneFinding:
    return find_plane(slice_normal(stack.affine, 2), named=plane_words(stack.slices[0].instance.words))


def load_candidate(stack: Stack, series_id: str) -> Candidate:
    """Decode a stack into a series without a role.

    Raises:
        StudyError: If its pixels cannot be decoded.
    """
    first = stack.slices[0]
    finding = sequence_of(stack)
    volume, reason = _volume(stack)
    is_multi_frame = any(item.instance.frames > 1 for item in stack.slices)
    series = Series(
        id=series_id,
        role=None,
        plane=plane_of(stack),
        sequence=finding.sequence,
        volume=volume,
        reasons=(reason, *finding.reasons),
        header=first.facts,
        series_instance_uid=first.instance.series_uid,
        instance_uids=tuple(item.instance.instance_uid for item in stack.slices),
        has_contrast=finding.has_contrast,
        frame_numbers=tuple(item.frame + 1 for item in stack.slices) if is_multi_frame else (),
    )
    return Candidate(series, finding, region_words(first.instance.words))


def _volume(stack: Stack) -> tuple[Volume, str]:
    """Return the voxels in our storage order, and the reason for the plane."""
    pixels = stack_pixels(stack)
    found = _find_plane(stack)
    oriented = reorient(pixels, stack.affine, 2, plane=None if found.plane is Plane.UNKNOWN else found.plane)
    volume = Volume(
        array=_settled(oriented.array, pixels),
        spacing=spacing_of(oriented.affine, len(stack.slices)),
        affine=oriented.affine,
        source_shape=(pixels.shape[0], pixels.shape[1], pixels.shape[2]),
        source_axes=oriented.source_axes,
    )
    return volume, found.reason


def _settled(oriented: FloatVolume, pixels: FloatVolume) -> FloatVolume:
    """Bring a turned view of a volume into plain order, slice by slice within its own memory.

    Args:
        oriented: (I, J, K), a view of ``pixels`` with swapped or flipped columns and rows.
        pixels: (columns, rows, slices) in memory slice after slice; overwritten.
    """
    columns, rows, slices = oriented.shape
    memory = pixels.transpose(2, 1, 0).reshape(slices, rows, columns)
    for k in range(slices):
        memory[k] = oriented[:, :, k].T.copy()
    return memory.transpose(2, 1, 0)


def _by_series(slices: Iterable[SliceHeader]) -> list[list[SliceHeader]]:
    """Group slices by series; careless anonymisers give all series one identifier, so the number counts too."""
    groups: dict[tuple[int, str], list[SliceHeader]] = {}
    for item in slices:
        groups.setdefault((item.instance.series_number, item.instance.series_uid), []).append(item)
    return [groups[key] for key in sorted(groups)]


def _is_localiser(group: list[SliceHeader]) -> bool:
    first = group[0]
    is_named = "LOCALIZER" in first.image_type or has_word("localiser", first.instance.words)
    return is_named or mixes_planes(group)


def _acquired(stacks: list[Stack], notices: list[str]) -> list[Stack]:
    """Leave out reformatted stacks where an acquired one of the same plane is there."""
    is_acquired = [why_reformatted(stack.slices[0].image_type) is None for stack in stacks]
    planes = [plane_of(stack) for stack in stacks]
    acquired_planes = {plane for plane, acquired in zip(planes, is_acquired, strict=True) if acquired}
    kept: list[Stack] = []
    spare: list[int] = []
    for stack, plane, acquired in zip(stacks, planes, is_acquired, strict=True):
        if acquired or plane not in acquired_planes:
            kept.append(stack)
        else:
            spare.append(stack.slices[0].instance.series_number)
    notices += [
        f"Series number {number} is reformatted from another series and was left out; an acquired one of its "
        "plane is there."
        for number in dict.fromkeys(spare)
    ]
    return kept
