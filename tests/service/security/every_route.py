"""All routes of the application, and requests that would be right but for who sends them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from service.api.application import API
from service.api.dependencies import administrator, current_actor, researcher
from service.store.words import Role

_ROLES = {administrator: Role.ADMINISTRATOR, researcher: Role.RESEARCHER}
_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Knock:
    """A route and what its address and schema tell of it.

    Attributes:
        method: HTTP method.
        path: Path with its parameters in braces.
        roles: Roles that its dependencies ask for.
        asks_who: Whether its dependencies ask for a signed-in user at all.
        operation: Its entry of the OpenAPI document; empty for pages.
    """

    method: str
    path: str
    roles: frozenset[Role]
    asks_who: bool
    operation: dict[str, Any]

    @property
    def is_unsafe(self) -> bool:
        return self.method in _UNSAFE

    @property
    def is_api(self) -> bool:
        return self.path.startswith(API)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def knocks_of(app: FastAPI) -> Iterator[Knock]:
    """Yield the routes of an application; a mounted one as a page below its address."""
    paths: dict[str, Any] = app.openapi()["paths"]
    for route in iter_route_contexts(app.routes):
        path = str(route.path)
        if route.methods is None:
            yield Knock("GET", f"{path}/mounted", frozenset(), False, {})
            continue
        calls = set(_calls(getattr(route, "dependant", None)))
        roles = frozenset(role for call, role in _ROLES.items() if call in calls)
        for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
            operation = paths.get(str(route.path_format), {}).get(method.lower(), {})
            yield Knock(method, path, roles, current_actor in calls, operation)


def _calls(dependant: Any) -> Iterator[Any]:
    """Yield the functions that a route depends on, and those that they depend on."""
    for inner in getattr(dependant, "dependencies", []):
        yield inner.call
        yield from _calls(inner)


def fill(knock: Knock, values: dict[str, str], document: dict[str, Any]) -> str:
    """Return an address: parameters by name, else the first value that the schema allows."""
    schemas = document.get("components", {}).get("schemas", {})
    asked = knock.operation.get("parameters", [])
    allowed = {item["name"]: item["schema"] for item in asked if item["in"] == "path"}
    path = knock.path
    while "{" in path:
        head, _, rest = path.partition("{")
        name, _, tail = rest.partition("}")
        plain = name.partition(":")[0]
        path = head + values.get(plain, str(example(allowed.get(plain, {"type": "string"}), schemas))) + tail
    return path


def request_of(knock: Knock, values: dict[str, str], document: dict[str, Any]) -> dict[str, Any]:
    """Return what a right request to a route carries: query, JSON or a form with files.

    Fields of JSON whose names are among ``values`` have those.
    """
    schemas = document.get("components", {}).get("schemas", {})
    query = {
        item["name"]: example(item["schema"], schemas)
        for item in knock.operation.get("parameters", [])
        if item["in"] == "query" and item.get("required")
    }
    request: dict[str, Any] = {"params": query} if query else {}
    content = knock.operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        request["json"] = example(content["application/json"]["schema"], schemas, values)
    elif "multipart/form-data" in content:
        fields = example(content["multipart/form-data"]["schema"], schemas)
        request["files"] = {name: ("file.bin", b"x") for name, value in fields.items() if value == b""}
        request["data"] = {name: value for name, value in fields.items() if value != b""}
    return request


def example(schema: dict[str, Any], schemas: dict[str, Any], values: dict[str, str] | None = None) -> Any:
    """Return the smallest value that a JSON schema allows; empty bytes for a file."""
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas, values)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return example(schema[key][0], schemas)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {})
        known = {name: value for name, value in (values or {}).items() if name in fields}
        return {name: example(fields[name], schemas) for name in schema.get("required", [])} | known
    if kind == "array":
        return [example(schema["items"], schemas)] * schema.get("minItems", 0)
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    if kind == "boolean":
        return True
    is_file = schema.get("format") == "binary" or "contentMediaType" in schema
    return b"" if is_file else "x" * max(1, schema.get("minLength", 1))
