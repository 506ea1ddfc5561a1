"""Let torchvision from the package index import beside a CPU-only torch.

The wheel on the index is a CUDA build: its compiled operators do not load beside a CPU torch, and then
``import torchvision`` fails while registering shapes for ``torchvision::nms`` and ``::qnms``; with it fail
open_clip, timm and peft. Declaring the two operators first lets the pure-Python part load. The compiled
operators themselves stay absent: calling ``torchvision.ops.nms`` still raises, and we do not use it.

Call ``allow_torchvision_on_cpu`` before the first import of open_clip, timm, peft or torchvision.
"""

import functools

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_libraries: list[object] = []


@functools.cache
def allow_torchvision_on_cpu() -> None:
    """Declare torchvision's two operators when torch has no CUDA or HIP and they are not there yet."""
    import torch

    if torch.version.cuda is not None or torch.version.hip is not None:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + schema)  # type: ignore[no-untyped-call]
    _libraries.append(library)  # the declarations live as long as this object
