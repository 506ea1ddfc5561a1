"""Report writers from the model hub: vision-language models of transformers behind the drafter's contract.

A preset of ``configs/vlm`` with ``architecture: hub`` names the model, its class and its needs. ``HubDrafter``
writes with it; ``train`` (``stage: adapt-hub``) tunes it with low-rank updates.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vlm.hub.drafter import HubDrafter

__all__ = ["HubDrafter"]


def __getattr__(name: str) -> Any:
    """Load the drafter when it is first asked for: configuration and prompts need no torch."""
    if name != "HubDrafter":
        raise AttributeError(f"module 'vlm.hub' has no attribute {name!r}")
    from vlm.hub.drafter import HubDrafter

    return HubDrafter
