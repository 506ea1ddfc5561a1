"""A slot as a conversation: instructions, worked examples, the question with pictures and serialised findings.

Instructions are versioned files of ``vlm/prompts``, shared by the hub presets and the remote one; each model's own
chat template turns the conversation into its text. Loads without torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from reporting.serialise import SERIAL_VERSION
from runtime.errors import ConfigError
from vlm.config import read_table
from vlm.plan import FINDINGS, Slot
from vlm.values import hide_values

_FOLDER = Path(__file__).parent.parent / "prompts"

Turn = dict[str, Any]
"""One turn of a conversation in the form chat templates read: ``role``, and ``content`` as a list of parts."""


@dataclass(frozen=True)
class Example:
    """A worked example: one earlier question and its answer."""

    section: str
    facts: str
    text: str


@dataclass(frozen=True)
class Instructions:
    """One file of instructions.

    Attributes:
        id: Name and version.
        serialisation: Version of the serialised findings it explains.
        system: What the model is and may write.
        styles: Style -> how it is asked for.
        findings: Question for a part of the findings.
        impression: Question for a line of the impression.
        examples: Worked examples, text only.
    """

    id: str
    serialisation: str
    system: str
    styles: Mapping[str, str]
    findings: str
    impression: str
    examples: tuple[Example, ...]


@cache
def load_instructions(name: str) -> Instructions:
    """Read a file of instructions.

    Raises:
        ConfigError: If there is none of that name, a key is wrong, or it explains another serialisation.
    """
    file = _FOLDER / f"{name}.yaml"
    if not file.is_file():
        raise ConfigError(f"instructions: expected a file {file.name} in vlm/prompts, found none")
    table = dict(yaml.safe_load(file.read_text(encoding="utf-8")))
    examples = [read_table(Example, item, where=f"{file.name}, examples") for item in table.pop("examples", ())]
    loaded = read_table(Instructions, {**table, "examples": tuple(examples)}, where=file.name)
    if loaded.serialisation != SERIAL_VERSION:
        raise ConfigError(
            f"{file.name}: explains {loaded.serialisation}, but findings are serialised as {SERIAL_VERSION}; "
            "write a new file"
        )
    return loaded


def question(instructions: Instructions, slot: Slot, *, style: str) -> str:
    """Return what is asked for a slot, its values hidden.

    Raises:
        ConfigError: If there is no such style.
    """
    return _ask(instructions, slot.section, hide_values(slot.facts), style)


def conversation(
    instructions: Instructions,
    asked: str,
    *,
    style: str,
    pictures: int,
    places: str = "",
    system_turn: bool = True,
) -> list[Turn]:
    """Return the turns that lead up to the model's answer.

    Args:
        instructions: What the model is told first.
        asked: From ``question``.
        style: Style of the worked examples' questions.
        pictures: Key slices shown with the question.
        places: Places of soft tokens, before the question's text.
        system_turn: False puts the instructions before the first question.
    """
    turns: list[Turn] = []
    for example in instructions.examples:
        turns.append(_turn("user", _ask(instructions, example.section, example.facts, style)))
        turns.append(_turn("assistant", example.text))
    turns.append({"role": "user", "content": [*({"type": "image"},) * pictures, _text(places + asked)]})
    if system_turn:
        return [_turn("system", instructions.system), *turns]
    first = turns[0]["content"][-1]
    first["text"] = f"{instructions.system}\n\n{first['text']}"
    return turns


def answer_turn(text: str) -> Turn:
    """Return the model's turn, to learn from."""
    return _turn("assistant", text)


def _ask(instructions: Instructions, section: str, facts: str, style: str) -> str:
    if style not in instructions.styles:
        raise ConfigError(f"report style: expected one of {', '.join(instructions.styles)}, got {style!r}")
    form = instructions.findings if section == FINDINGS else instructions.impression
    return form.format(facts=facts, style=instructions.styles[style])


def _turn(role: str, text: str) -> Turn:
    return {"role": role, "content": [_text(text)]}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
