"""Settings of the processor do not outlive what asked for them."""

import pytest
import torch

from runtime.device import denormals_flushed


def test_denormals_come_back_after_the_block_however_it_ends() -> None:
    tiny = torch.tensor([1e-40])
    with pytest.raises(KeyError), denormals_flushed():
        raise KeyError
    assert float(tiny * 1.0) > 0
