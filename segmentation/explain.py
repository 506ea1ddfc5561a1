"""Where the network looked: one attention map a prompt, on the slice that most levels lie on.

The maps are the cross-attention's own weights (mean over its heads), enlarged from the patch grid to the slice.
They show what a prompt took its evidence from, not what was outlined.
"""

from collections import Counter
from typing import Protocol as Interface
from typing import runtime_checkable

import numpy as np
from numpy.typing import NDArray

from imaging.types import Spacing, Study
from runtime.errors import ConfigError
from segmentation.scan import SliceNetwork, neighbours_of
from segmentation.types import Explanation, Region, SegmentedStudy


@runtime_checkable
class ExplainingNetwork(Interface):
    """A network that can say where its prompts looked."""

    @property
    def prompt_names(self) -> tuple[str, ...]:
        """Names of the P prompts."""
        ...

    def attention_maps(
        self,
        images: NDArray[np.float32],
        spacing: Spacing | None,
        neighbours: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return (N, P, rows, columns); each map's largest value is 1."""
        ...


def explain_slice(network: SliceNetwork, study: Study, segmented: SegmentedStudy) -> Explanation:
    """Return the attention maps of the primary series' main slice.

    Raises:
        ConfigError: If the network has no cross-attention to show.
    """
    if not isinstance(network, ExplainingNetwork):
        raise ConfigError("explain: these segmentation weights have no attention maps")
    series = next(item for item in study.series if item.id == segmented.primary_series_id)
    k = Counter(level.slice_index for level in segmented.levels).most_common(1)[0][0]
    neighbours = neighbours_of(series, (k,)) if series.volume.shape[2] > 1 else None
    maps = network.attention_maps(series.volume.slice_image(k)[None], series.volume.spacing, neighbours)[0]
    return Explanation(series.id, k, network.prompt_names, maps)


def region_attention(explanation: Explanation, region: Region) -> dict[str, NDArray[np.float32]]:
    """Return each prompt's map inside a region's box: prompt -> (rows, columns).

    Raises:
        ValueError: If the region lies on another slice.
    """
    if (region.series_id, region.slice_index) != (explanation.series_id, explanation.slice_index):
        raise ValueError(
            f"region {region.level}: expected one on {explanation.series_id} slice {explanation.slice_index}, "
            f"got {region.series_id} slice {region.slice_index}"
        )
    x0, y0, x1, y1 = (round(value) for value in region.box_px)
    return {name: explanation.of(name)[y0 : y1 + 1, x0 : x1 + 1] for name in explanation.prompt_names}
