"""A bundle is checked before it leaves: elements and types, required elements, closed code lists, references.

Types are checked by fhir.resources: R5 as it is, R4 with the library's classes of R4B (4.3), for it has none of
plain R4 (4.0). The library alone lets some missing elements and unknown codes pass, so both are checked from what
it knows of each element. Not checked: value sets of terminology servers, invariants, profiles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from reporting.fhir.context import FhirVersion
from runtime.errors import ReportError

_OPEN_LIST = "+"
"""Stands in a list of codes that the library has not in full."""
_SHOWN = 3


def check_bundle(bundle: Mapping[str, Any], version: FhirVersion) -> None:
    """Refuse a bundle that is not valid.

    Raises:
        ReportError: If it is not; names the elements, never their content.
    """
    faults = [*_type_faults(bundle, version), *_reference_faults(bundle)]
    if faults:
        told = "; ".join(faults[:_SHOWN])
        raise ReportError(f"FHIR {version.name} bundle: expected a valid one, found {len(faults)} faults: {told}")


def _type_faults(bundle: Mapping[str, Any], version: FhirVersion) -> list[str]:
    try:
        model = _bundle_class(version).model_validate(bundle)
    except ValidationError as error:
        return [f"{'.'.join(map(str, row['loc']))}: {row['type']}" for row in error.errors(include_input=False)]
    return list(_element_faults(model, "Bundle"))


def _bundle_class(version: FhirVersion) -> type[BaseModel]:
    """Return the library's class of a bundle; it loads the classes of resources as it meets them."""
    if version is FhirVersion.R5:
        from fhir.resources import bundle as r5

        return r5.Bundle
    from fhir.resources.R4B import bundle as r4b

    return r4b.Bundle


def _element_faults(element: BaseModel, path: str) -> Iterator[str]:
    for name, field in type(element).model_fields.items():
        known = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        value = getattr(element, name)
        told = f"{path}.{field.alias or name}"
        if value is None:
            if known.get("element_required"):
                yield f"{told}: missing"
            continue
        allowed = known.get("enum_values")
        if isinstance(allowed, list) and _OPEN_LIST not in allowed and str(value) not in allowed:
            yield f"{told}: not one of its codes"
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                yield from _element_faults(item, told)


def _reference_faults(bundle: Mapping[str, Any]) -> list[str]:
    counts = Counter(entry["fullUrl"] for entry in bundle.get("entry", ()))
    twice = [f"{url}: there twice" for url, count in counts.items() if count > 1]
    return [*twice, *(f"{url}: refers to nothing" for url in sorted(set(_references(bundle)) - set(counts)))]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
