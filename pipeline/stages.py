"""The rooms as the pipeline sees them: what each must offer, and the real ones, opened when first needed.

A test, or another way to run a stage (a GPU server, a remote model), supplies its own ``Stages``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from runtime.device import pick_device, use_threads
from runtime.errors import ConfigError, NotEligibleError, WeightsError
from runtime.settings import load_settings

if TYPE_CHECKING:
    import anatomy
    from grading.types import Findings
    from imaging.label_import import ImportedLabels
    from imaging.types import Eligibility, Spacing, Study
    from reporting.prior import Comparison
    from reporting.types import Draft, Report
    from segmentation.types import Explanation, Region, SegmentedStudy
    from vlm.pictures import KeySlice
    from vlm.writers import WriterChoice


_log = logging.getLogger(__name__)


class LoadsStudy(Protocol):
    """Reads one path."""

    def __call__(
        self, path: Path, *, protocol: str = "auto", spacing: Spacing | None = None, study: str | None = None
    ) -> Study:
        """Return the study; raises StudyError or NotEligibleError."""
        ...


class SegmentsStudy(Protocol):
    """Finds and names structures.

    Attributes:
        checksum: Of the network's weights.
        gate_checksum: Of the weights that tell a sagittal spine from other pictures; None when there are none.
        axial_checksum: Of the weights that outline axial slices; None when there are none.
        naming_checksum: Of the weights that look for the lumbosacral junction; None when there are none.
        precision: What the networks compute in, one of ``runtime.settings.PRECISIONS``.
    """

    checksum: str
    gate_checksum: str | None
    axial_checksum: str | None
    naming_checksum: str | None
    precision: str

    def segment_study(
        self,
        study: Study,
        protocol: anatomy.Protocol,
        *,
        anchor: tuple[str, tuple[float, float]] | None = None,
        is_forced: bool = False,
    ) -> SegmentedStudy:
        """Return label maps, levels and measurements; raises NotEligibleError without a spine.

        ``is_forced`` reads what its gates refuse, where discs can be named.
        """
        ...

    def segment_imported(
        self, study: Study, protocol: anatomy.Protocol, imported: ImportedLabels, *, is_forced: bool = False
    ) -> SegmentedStudy:
        """Return the same from another tool's labels."""
        ...

    def explain(self, study: Study, segmented: SegmentedStudy) -> Explanation:
        """Return where the network looked on the main slice; raises ConfigError when it cannot tell."""
        ...


class GradesStudy(Protocol):
    """Grades what was segmented; ``checksum`` is None where no weights are behind it."""

    @property
    def checksum(self) -> str | None:
        """Return the checksum of the weights."""
        ...

    def grade(self, study: Study, segmented: SegmentedStudy, protocol: anatomy.Protocol) -> Findings:
        """Return the findings graph."""
        ...


class WritesDraft(Protocol):
    """Phrases findings.

    Attributes:
        segmentation_checksum: Segmentation weights whose region embeddings it understands; None when none.
    """

    segmentation_checksum: str | None

    @property
    def consistency_floor(self) -> float | None:
        """Return the agreement of sampled drafts below which a sentence is marked; None where none are sampled."""
        ...

    @property
    def checksum(self) -> str:
        """Return the checksum of its weights, or where they are when they are out of sight."""
        ...

    def disclose(self, findings: Findings) -> str | None:
        """Return what a reader is told when this writer was asked, such as where findings were sent."""
        ...

    @property
    def prompt_id(self) -> str:
        """Return the id of the prompt layout."""
        ...

    def write_draft(
        self,
        findings: Findings,
        regions: tuple[Region, ...],
        protocol: anatomy.Protocol,
        *,
        style: str = "structured",
        pictures: tuple[KeySlice, ...] = (),
        rates_consistency: bool = False,
    ) -> Draft:
        """Return the draft with evidence; key slices are for writers with eyes."""
        ...


@dataclass(frozen=True)
class Models:
    """The loaded models of one protocol; ``drafter`` is None where no language model is installed."""

    segmenter: SegmentsStudy
    grader: GradesStudy
    drafter: WritesDraft | None

    @property
    def drafter_knows_regions(self) -> bool:
        """Return whether the language model was trained on region embeddings of just this segmentation network.

        Embeddings of other weights mean nothing to it, and a draft is better written without them.
        """
        return self.drafter is not None and self.drafter.segmentation_checksum == self.segmenter.checksum

    def known_regions(self, regions: tuple[Region, ...]) -> tuple[Region, ...]:
        """Return the regions whose embeddings the language model was trained on.

        Axial slices may be read by other weights than the sagittal ones: only embeddings of the primary network's
        weights are passed on, and none where it does not know those.
        """
        if not self.drafter_knows_regions:
            return ()
        return tuple(region for region in regions if region.network == self.segmenter.checksum)

    def checksums(self) -> dict[str, str]:
        """Return model name -> checksum of its weights."""
        sums = {
            "segmentation": self.segmenter.checksum,
            "segmentation-axial": self.segmenter.axial_checksum,
            "level-naming": self.segmenter.naming_checksum,
            "grading": self.grader.checksum,
            "spine-likeness": self.segmenter.gate_checksum,
            "vlm": None if self.drafter is None else self.drafter.checksum,
        }
        return {name: checksum for name, checksum in sums.items() if checksum is not None}


@dataclass(frozen=True)
class Stages:
    """Every step of the story as a callable, and the versions of the phrase files that the words come from."""

    load_study: LoadsStudy
    load_study_isolated: LoadsStudy
    check_eligibility: Callable[[Study], Eligibility]
    load_models: Callable[[anatomy.Protocol], Models]
    compose_report: Callable[[Findings], Draft]
    verify_draft: Callable[[Draft, Findings, Comparison | None], Report]
    phrase_versions: Mapping[str, str]


def open_stages(*, weights_root: Path, device: str = "auto", writer: WriterChoice | None = None) -> Stages:
    """Return the real rooms. Imports the readers and the report language, but no network yet.

    Args:
        weights_root: Folder of all weights.
        device: ``auto``, ``cpu``, ``cuda`` ...
        writer: Who writes the drafts; None leaves the protocol's.
    """
    import imaging
    import reporting

    chosen = None if writer is None else cache(lambda: _open_writer(writer, weights_root, device))
    return Stages(
        load_study=imaging.load_study,
        load_study_isolated=imaging.load_study_isolated,
        check_eligibility=imaging.check_eligibility,
        load_models=lambda protocol: load_models(
            protocol, weights_root=weights_root, device=device, writer=chosen
        ),
        compose_report=reporting.compose_report,
        verify_draft=reporting.verify_draft,
        phrase_versions={**reporting.template_versions(), "findings_text": reporting.SERIAL_VERSION},
    )


def load_models(
    protocol: anatomy.Protocol,
    *,
    weights_root: Path,
    device: str = "auto",
    writer: Callable[[], WritesDraft] | None = None,
) -> Models:
    """Load the models that a protocol names.

    The language model is not needed for a report (the composer writes one), so its folder may be absent; one that
    is damaged is left out with a warning. A writer that someone chose (``writer`` opens it) is never left out, and
    all protocols share it. Without weights for axial slices those are not outlined. A protocol that names no
    grading weights is read without grades.

    Raises:
        NotEligibleError: If the segmentation or grading weights that the protocol names are not installed.
        WeightsError: If segmentation or grading weights, or those of the chosen writer, are damaged.
        ConfigError: If there is no such device, or the chosen writer cannot be had.
    """
    for stage in ("segmentation", "grading"):
        is_named = stage in protocol.weights or stage == "segmentation"
        if is_named and not is_installed(protocol, stage, weights_root):
            raise NotEligibleError(
                f"protocol {protocol.name}: its {stage} weights ({protocol.weights.get(stage)!r}) are not "
                "installed, so this body region cannot be read yet",
                code="weights_not_installed",
            )
    check_device(device)
    use_threads(load_settings().threads)
    from segmentation import Segmenter

    names = protocol.weights
    has_axial = is_installed(protocol, "segmentation_axial", weights_root)
    return Models(
        segmenter=Segmenter.load(
            weights_root=weights_root,
            name=names["segmentation"],
            axial_name=names["segmentation_axial"] if has_axial else None,
            device=device,
        ),
        grader=_load_grader(protocol, weights_root, device),
        drafter=_load_drafter(protocol, weights_root, device, writer),
    )


def _load_drafter(
    protocol: anatomy.Protocol, weights_root: Path, device: str, writer: Callable[[], WritesDraft] | None
) -> WritesDraft | None:
    """Return the chosen writer; else the protocol's, or None where that is not installed or damaged."""
    if writer is not None:
        return writer()
    if not is_installed(protocol, "vlm", weights_root):
        return None
    from vlm import Drafter

    try:
        return Drafter.load(weights_root=weights_root, name=protocol.weights["vlm"], device=device)
    except WeightsError as error:
        _log.warning("the language model is left out: %s", error)
        return None


def _open_writer(choice: WriterChoice, weights_root: Path, device: str) -> WritesDraft:
    from vlm.writers import open_writer

    check_device(device)
    return open_writer(choice, weights_root=weights_root, device=device)


def _load_grader(protocol: anatomy.Protocol, weights_root: Path, device: str) -> GradesStudy:
    """Return the protocol's grader; one that leaves all unknown where it names no weights."""
    if "grading" not in protocol.weights:
        from grading import NoGrader

        return NoGrader()
    from grading import load_grader

    return load_grader(name=protocol.weights["grading"], weights_root=weights_root, device=device)


def check_device(name: str) -> None:
    """Make sure that networks can run on a device.

    Raises:
        ConfigError: If torch knows no such device, or finds no GPU where one was asked for.
    """
    import torch

    try:
        device = pick_device(name)
    except RuntimeError as error:
        raise ConfigError(f"device: expected auto, cpu, cuda or cuda:N, got {name!r}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device: {name!r} was asked for, but torch finds no GPU; use auto or cpu")


def is_installed(protocol: anatomy.Protocol, stage: str, weights_root: Path) -> bool:
    """Return whether the weights folder that a protocol names for a stage is there."""
    name = protocol.weights.get(stage)
    return name is not None and (weights_root / name).is_dir()
