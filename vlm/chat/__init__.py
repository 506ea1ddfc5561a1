"""Questions about one reading, answered from its findings graph alone. No network, no torch, no text generation.

``question`` understands (every word must be known), ``facts`` looks up, ``answers`` phrases, ``dialogue`` decides.
What the findings do not hold is refused in one sentence; what was not assessed is said to be so, with the reason.
The words live in ``vlm/knowledge/*.yaml``; what a grade means comes from ``anatomy.scales``.
"""

from vlm.chat.dialogue import answer_question
from vlm.chat.types import Answer

__all__ = ["Answer", "answer_question"]
