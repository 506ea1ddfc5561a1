"""File names as they may be shown: strangers choose them, so they may hold anything."""

MAX_SHOWN = 160
"""Characters of a name that are shown; own choice, two lines of a screen."""


def shown_name(name: str) -> str:
    """Return a file name for a message, a log or JSON.

    Bytes that are no UTF-8, control characters and line or direction marks become ``?``, so that a name can
    neither break a line nor an encoder; a long name loses its middle. An empty name is ``(no name)``.
    """
    plain = "".join(character if character.isprintable() else "?" for character in name)
    if len(plain) > MAX_SHOWN:
        head = MAX_SHOWN // 2
        plain = f"{plain[:head]}...{plain[-(MAX_SHOWN - head - 3) :]}"
    return plain or "(no name)"
