"""Measurements of a study from its label maps: no network, no torch.

``measure_study`` is the one entry point. It needs label maps of ``anatomy/codes.csv`` and named levels: of the
network, of an imported segmentation, or a phantom's truth. ``quantities.yaml`` says of every
quantity how it is measured, in which unit, by which source and where it is not assessable.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segmentation.measure.quantities import Quantity, load_quantities
    from segmentation.measure.study import measure_study

__all__ = ["Quantity", "load_quantities", "measure_study"]

_HOMES = {
    "Quantity": "segmentation.measure.quantities",
    "load_quantities": "segmentation.measure.quantities",
    "measure_study": "segmentation.measure.study",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
