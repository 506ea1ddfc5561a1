"""Questions about one reading, answered from its findings graph alone. No network, no torch, no text generation.

``guard`` refuses what is no question, ``question`` understands (every word must be known), ``conversation`` adds
what a follow-up leaves unsaid, ``dialogue`` decides, ``answers`` and its neighbours look up, ``say`` phrases in
the composer's words, ``checked`` lets the report verifier read every statement before it is given. ``terms`` is
general knowledge with its sources; ``safe`` says what of a reading's free text may be repeated. The words of
questions live in ``vlm/knowledge/*.yaml``; what a grade means comes from ``anatomy.scales``.
"""

from vlm.chat.dialogue import answer_question, converse
from vlm.chat.types import Answer, Conversation, Topic

__all__ = ["Answer", "Conversation", "Topic", "answer_question", "converse"]
