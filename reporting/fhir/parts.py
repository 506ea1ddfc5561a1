"""Components of an Observation: what a grade or a measurement tells beside its value, and how it is read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anatomy import SCALES, Side
from reporting.fhir.codes import (
    PART,
    PROBABILITY,
    coding,
    concept,
    part_concept,
    quantity,
    side_concept,
    step_concept,
)
from reporting.fhir.context import Resource
from reporting.fhir.narrative import plain


def text_part(part: str, text: str | None) -> list[Resource]:
    """Return a component that holds text; none for no text."""
    return [{"code": part_concept(part), "valueString": plain(text)}] if text and text.strip() else []


def number_part(part: str, value: float | None, unit: str = "1") -> list[Resource]:
    """Return a component that holds a number; none for None."""
    return [] if value is None else [{"code": part_concept(part), "valueQuantity": quantity(value, unit)}]


def integer_part(part: str, value: int | None) -> list[Resource]:
    """Return a component that holds a whole number; none for None."""
    return [] if value is None else [{"code": part_concept(part), "valueInteger": value}]


def side_part(side: Side | None) -> list[Resource]:
    """Return the patient's side."""
    return [] if side is None else [{"code": part_concept("side"), "valueCodeableConcept": side_concept(side)}]


def points_part(part: str, points: Sequence[float] | None) -> list[Resource]:
    """Return pixel coordinates as numbers with blanks between them."""
    return text_part(part, None if points is None else " ".join(repr(float(value)) for value in points))


def probability_parts(scale: str, probabilities: Mapping[str, float]) -> list[Resource]:
    """Return the calibrated probability of each step."""
    found = []
    for step, value in probabilities.items():
        words = f"probability of {SCALES[scale].step(step).words}"
        code = concept(words, coding(PROBABILITY, f"{scale}/{step}", words))
        found.append({"code": code, "valueQuantity": quantity(value, "1")})
    return found


def set_parts(scale: str, steps: Sequence[str]) -> list[Resource]:
    """Return the steps that cannot be excluded, one component each: codings of one concept would mean the same."""
    code = part_concept("prediction-set")
    return [{"code": code, "valueCodeableConcept": step_concept(scale, step)} for step in steps]


def code_of(element: Mapping[str, Any], system: str) -> str | None:
    """Return the code that a CodeableConcept has in a system, or None."""
    return next((row["code"] for row in element.get("coding", ()) if row.get("system") == system), None)


def parts_of(observation: Mapping[str, Any], part: str) -> Iterator[Resource]:
    """Yield the components that tell one thing."""
    for component in observation.get("component", ()):
        if code_of(component["code"], PART) == part:
            yield component


def text_of(observation: Mapping[str, Any], part: str) -> str | None:
    """Return the text of a component, or None."""
    return next((str(row["valueString"]) for row in parts_of(observation, part)), None)


def number_of(observation: Mapping[str, Any], part: str) -> float | None:
    """Return the number of a component, or None."""
    return next((row["valueQuantity"]["value"] for row in parts_of(observation, part)), None)


def points_of(observation: Mapping[str, Any], part: str) -> tuple[float, ...] | None:
    """Return the pixel coordinates of a component, or None."""
    text = text_of(observation, part)
    return None if text is None else tuple(float(value) for value in text.split())


def probabilities_of(observation: Mapping[str, Any]) -> dict[str, float]:
    """Return step -> probability."""
    found = {}
    for component in observation.get("component", ()):
        code = code_of(component["code"], PROBABILITY)
        if code is not None:
            found[code.split("/", 1)[1]] = component["valueQuantity"]["value"]
    return found
