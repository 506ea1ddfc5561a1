"""Frames of enhanced multi-frame MR, and of classic series converted to it.

What is told for a frame wins over what is told for all of them.
Source: DICOM PS3.3 C.7.6.16 (functional groups), C.8.13.5 (MR macros), C.7.6.16.2.25 and .26 (unassigned converted
attributes of legacy objects).
"""

from dataclasses import replace

from pydicom.dataset import Dataset

from imaging.dicom.derived import why_left_out
from imaging.dicom.headers import InstanceHeader, window_facts
from imaging.dicom.slices import Marks, SliceHeader, placed_slice
from imaging.dicom.values import codes, items, number, numbers, text, values, whole

# Fact, macro that holds it, keyword in it.
_NESTED_FACTS = (
    ("echo_time_ms", "MREchoSequence", "EffectiveEchoTime"),
    ("repetition_time_ms", "MRTimingAndRelatedParametersSequence", "RepetitionTime"),
    ("flip_angle_deg", "MRTimingAndRelatedParametersSequence", "FlipAngle"),
    ("echo_train_length", "MRTimingAndRelatedParametersSequence", "EchoTrainLength"),
    ("slice_thickness_mm", "PixelMeasuresSequence", "SliceThickness"),
    ("slice_distance_mm", "PixelMeasuresSequence", "SpacingBetweenSlices"),
)
# Legacy converted objects keep the classic elements in two macros of what found no place of its own.
_UNASSIGNED = ("UnassignedPerFrameConvertedAttributesSequence", "UnassignedSharedConvertedAttributesSequence")
_LEGACY_FACTS = (
    ("echo_time_ms", "EchoTime"),
    ("repetition_time_ms", "RepetitionTime"),
    ("inversion_time_ms", "InversionTime"),
    ("flip_angle_deg", "FlipAngle"),
    ("echo_train_length", "EchoTrainLength"),
)


def is_enhanced(dataset: Dataset) -> bool:
    """Say whether a header describes its frames one by one."""
    return "PerFrameFunctionalGroupsSequence" in dataset


def enhanced_slices(dataset: Dataset, instance: InstanceHeader) -> list[SliceHeader]:
    """Return the slices of an enhanced instance, without frames that do not say where they lie."""
    shared = items(dataset, "SharedFunctionalGroupsSequence")[:1]
    frames = items(dataset, "PerFrameFunctionalGroupsSequence")[: instance.frames]
    if not frames:
        return []
    first = _Groups([frames[0], *shared])
    instance = replace(
        instance,
        scanning=instance.scanning | _scanning(first),
        contrast_code=instance.contrast_code or first.text("MRImageFrameTypeSequence", "AcquisitionContrast"),
        has_contrast_agent=instance.has_contrast_agent or first.has("ContrastBolusUsageSequence"),
    )
    found = (_slice(instance, index, _Groups([frame, *shared])) for index, frame in enumerate(frames))
    return [item for item in found if item is not None]


class _Groups:
    """Functional groups of one frame, its own before the shared ones."""

    def __init__(self, groups: list[Dataset]) -> None:
        self._groups = groups

    def macro(self, keyword: str) -> Dataset:
        """Return the first item of a functional group; an empty dataset when there is none."""
        for group in self._groups:
            if found := items(group, keyword):
                return found[0]
        return Dataset()

    def has(self, keyword: str) -> bool:
        return any(items(group, keyword) for group in self._groups)

    def text(self, macro: str, keyword: str) -> str:
        return text(self.macro(macro), keyword).upper()

    def legacy(self, keyword: str) -> Dataset:
        """Return the macro of unassigned attributes that holds an element, else an empty dataset."""
        found = (self.macro(name) for name in _UNASSIGNED)
        return next((macro for macro in found if values(macro, keyword)), Dataset())


def _slice(instance: InstanceHeader, index: int, groups: _Groups) -> SliceHeader | None:
    content = groups.macro("FrameContentSequence")
    transform = groups.macro("PixelValueTransformationSequence")
    frame_type = codes(groups.macro("MRImageFrameTypeSequence"), "FrameType") or instance.image_type
    component = groups.text("MRImageFrameTypeSequence", "ComplexImageComponent")
    facts = _facts(instance, groups)
    return placed_slice(
        instance,
        index,
        position=numbers(groups.macro("PlanePositionSequence"), "ImagePositionPatient"),
        orientation=numbers(groups.macro("PlaneOrientationSequence"), "ImageOrientationPatient"),
        spacing=numbers(groups.macro("PixelMeasuresSequence"), "PixelSpacing"),
        rescale=(number(transform, "RescaleSlope"), number(transform, "RescaleIntercept")),
        facts=facts,
        image_type=frame_type,
        marks=_marks(facts, frame_type, groups, content),
        rank=(number(content, "FrameAcquisitionNumber") or 0.0, float(index)),
        left_out="phase image" if component in ("PHASE", "IMAGINARY") else why_left_out("", frame_type),
    )


def _facts(instance: InstanceHeader, groups: _Groups) -> dict[str, float | str]:
    facts: dict[str, float | str] = dict(instance.facts)
    legacy = ((name, groups.legacy(keyword), keyword) for name, keyword in _LEGACY_FACTS)
    nested = ((name, groups.macro(macro), keyword) for name, macro, keyword in _NESTED_FACTS)
    for name, macro, keyword in (*legacy, *nested):
        value = number(macro, keyword)
        if value is not None:
            facts[name] = value
    if inversion := numbers(groups.macro("MRModifierSequence"), "InversionTimes"):
        facts["inversion_time_ms"] = inversion[0]
    if (weighting := number(groups.macro("MRDiffusionSequence"), "DiffusionBValue")) is not None:
        facts["diffusion_b_value"] = weighting
    window = groups.macro("FrameVOILUTSequence")
    return facts | window_facts(numbers(window, "WindowCenter"), numbers(window, "WindowWidth"))


def _marks(facts: dict[str, float | str], frame_type: tuple[str, ...], groups: _Groups, content: Dataset) -> Marks:
    """Return what may tell frames at one place apart; the dimensions are the file's own words for it."""
    indices = values(content, "DimensionIndexValues")
    return (
        ("echo time", facts.get("echo_time_ms")),
        ("image type", frame_type),
        ("temporal position", whole(content, "TemporalPositionIndex")),
        ("diffusion weighting", facts.get("diffusion_b_value")),
        ("inversion time", facts.get("inversion_time_ms")),
        ("flip angle", facts.get("flip_angle_deg")),
        ("trigger time", number(groups.macro("CardiacSynchronizationSequence"), "NominalCardiacTriggerDelayTime")),
        ("stack", text(content, "StackID") or None),
        ("acquisition number", whole(content, "FrameAcquisitionNumber")),
        *((f"dimension {place}", value) for place, value in enumerate(indices, start=1)),
    )


def _scanning(groups: _Groups) -> frozenset[str]:
    """Return ``IR`` when the frames name an inversion pulse, and the classic codes of a legacy object."""
    has_inversion = groups.text("MRModifierSequence", "InversionRecovery") == "YES"
    legacy = codes(groups.legacy("ScanningSequence"), "ScanningSequence")
    return frozenset(legacy) | (frozenset({"IR"}) if has_inversion else frozenset())
