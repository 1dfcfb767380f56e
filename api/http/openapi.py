"""OpenAPI 3.1 from the very declarations and types that route and validate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from api.http.access import Access
from api.http.endpoints import Endpoint, Resource, Shape, shape_of
from api.http.idempotency import KEY_PATTERN, MAX_KEY_LENGTH
from api.http.problem import CONTENT_TYPE, Problem

REFERENCE = "#/components/schemas/"

_SECURED = (Access.SIGNED_IN, Access.ADMIN, Access.OPERATOR)
_PLACEHOLDER = re.compile(r"\{([a-z_]+)(?::[^{}]+(?:\{[^{}]*\}[^{}]*)*)?\}")


def describe(resources: Sequence[Resource], *, version: str) -> dict[str, Any]:
    """The whole document. Order is that of declaration, so that its diff is that of the code."""
    documented = [(resource, item) for resource in resources for item in resource.endpoints if item.documented]
    shapes = {id(item): shape_of(item) for _, item in documented}
    schemas, components = _schemas(shapes.values())
    paths: dict[str, dict[str, Any]] = {}
    for resource, item in documented:
        operation = _operation(resource, item, shapes[id(item)], schemas, components)
        paths.setdefault(_PLACEHOLDER.sub(r"{\1}", item.path), {})[item.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SecureConnect",
            "version": version,
            "description": "Errors are `application/problem+json` (RFC 9457) with a stable `code`. "
            "Lists answer `{items, next_cursor}`. Unsafe requests accept `Idempotency-Key`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": resource.name, "description": resource.text} for resource in resources],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(shapes: Iterable[Shape]) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    kinds: list[Any] = [Problem]
    for shape in shapes:
        kinds += [kind for kind in (shape.body, shape.query, shape.path, shape.reply) if kind is not None]
    unique = list(dict.fromkeys(kinds))
    references, components = msgspec.json.schema_components(unique, ref_template=REFERENCE + "{name}")
    return dict(zip(unique, references, strict=True)), components


def _operation(
    resource: Resource, item: Endpoint, shape: Shape, schemas: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W", "_", f"{resource.name}_{item.name}"),
        "tags": [resource.name],
        "summary": item.summary,
        "x-access": item.access.value,
        "x-rate-limit": item.limit,
        "responses": _responses(item, shape, schemas),
    }
    if item.scope is not None:
        operation["x-scope"] = item.scope
    parameters = _path_parameters(item, _fields(shape.path, schemas, components))
    parameters += _query_parameters(_fields(shape.query, schemas, components))
    if item.unsafe and not item.streaming:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "A retry with the same key gets the first answer.",
                "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": KEY_PATTERN},
            }
        )
    if parameters:
        operation["parameters"] = parameters
    if shape.body is not None:
        content = {"application/json": {"schema": schemas[shape.body]}}
        operation["requestBody"] = {"required": shape.body_required, "content": content}
    if item.access in _SECURED:
        operation["security"] = [{"bearer": []}]
    return operation


def _responses(item: Endpoint, shape: Shape, schemas: dict[Any, Any]) -> dict[str, Any]:
    status = 204 if shape.reply is None and item.content is None and item.status == 200 else item.status
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if shape.reply is not None:
        answer["content"] = {"application/json": {"schema": schemas[shape.reply]}}
    elif item.content is not None:
        answer["content"] = {item.content: {}}
    responses = {str(status): answer, **{str(other): _same(answer, other) for other in item.also}}
    codes = _error_codes(item, shape)
    for failure in sorted(codes):
        also = responses.get(str(failure), {}).get("content", {})
        responses[str(failure)] = {
            "description": f"{HTTPStatus(failure).phrase}: " + ", ".join(f"`{code}`" for code in codes[failure]),
            "content": {**also, CONTENT_TYPE: {"schema": schemas[Problem]}},
        }
    return responses


def _same(answer: dict[str, Any], status: int) -> dict[str, Any]:
    return {**answer, "description": HTTPStatus(status).phrase}


def _error_codes(item: Endpoint, shape: Shape) -> dict[int, list[str]]:
    """What the shell itself can answer here, and what the handler declares."""
    codes: dict[int, list[str]] = {400: ["malformed_http"], 503: ["dependency_unavailable"]}
    if not item.streaming:
        codes[400] += ["invalid_query", "unexpected_body"]
        codes[503].append("request_timeout")
    if item.access in _SECURED:
        codes[401] = ["unauthenticated"]
        codes[403] = ["forbidden"] if item.scope is None else ["forbidden", "insufficient_scope"]
    if shape.path is not None:
        codes[404] = ["not_found"]
    if item.limit is not None or item.access in _SECURED:
        codes[429] = ["rate_limited"]
    if shape.body is not None:
        codes[400] += ["malformed_json", "too_deep"]
        codes |= {
            408: ["body_timeout"],
            413: ["body_too_large"],
            415: ["unsupported_media_type"],
            422: ["validation_failed"],
        }
    if item.unsafe and not item.streaming:
        codes[400].append("bad_idempotency_key")
        codes[409] = ["request_in_progress"]
        codes.setdefault(422, []).append("idempotency_key_reused")
        codes.setdefault(413, ["body_too_large"])
    for status, extra in item.errors.items():
        codes.setdefault(status, []).extend(code for code in extra if code not in codes.get(status, ()))
    return codes


def _fields(
    kind: type[msgspec.Struct] | None, schemas: dict[Any, Any], components: dict[str, Any]
) -> dict[str, tuple[dict[str, Any], bool]]:
    if kind is None:
        return {}
    schema = components[schemas[kind]["$ref"].removeprefix(REFERENCE)]
    required = set(schema.get("required", ()))
    return {name: (part, name in required) for name, part in schema.get("properties", {}).items()}


def _path_parameters(item: Endpoint, known: dict[str, tuple[dict[str, Any], bool]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": known[name][0] if name in known else {"type": "string"},
        }
        for name in _PLACEHOLDER.findall(item.path)
    ]


def _query_parameters(known: dict[str, tuple[dict[str, Any], bool]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": required, "schema": schema}
        for name, (schema, required) in known.items()
    ]
