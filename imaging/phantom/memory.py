"""A phantom's series as the study that its files would be read as, without writing them."""

from collections.abc import Sequence

from imaging.geometry import spacing_of
from imaging.phantom.types import PhantomSeries
from imaging.types import Series, SourceKind, Study, Volume


def study_in_memory(name: str, protocol: str, series: Sequence[PhantomSeries]) -> Study:
    """Return series of one phantom as a study; ids are S1, S2, ... in the order given.

    Args:
        name: Key of the study.
        protocol: Of the phantom.
        series: Drawn series.
    """
    return Study(
        name,
        SourceKind.DICOM,
        protocol,
        tuple(_series(item, number) for number, item in enumerate(series, start=1)),
    )


def _series(item: PhantomSeries, number: int) -> Series:
    columns, rows, slices = item.array.shape
    volume = Volume(item.array, spacing_of(item.affine, slices), item.affine, (columns, rows, slices))
    return Series(f"S{number}", item.role, item.plane, item.sequence, volume)
