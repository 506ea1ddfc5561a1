"""The report writer: findings and region embeddings become draft text with evidence; questions are answered.

``Drafter`` writes, ``train`` teaches, ``answer_question`` looks things up without any network.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vlm.chat import Answer, answer_question
    from vlm.predict import Drafter
    from vlm.training.train import train

__all__ = ["Answer", "Drafter", "answer_question", "train"]

_HOMES = {
    "Answer": "vlm.chat",
    "Drafter": "vlm.predict",
    "answer_question": "vlm.chat",
    "train": "vlm.training.train",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: chat needs no torch, the drafter does."""
    if name not in _HOMES:
        raise AttributeError(f"module 'vlm' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
