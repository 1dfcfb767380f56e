"""From an OpenAPI document to one self-contained page. Everything that is text is escaped here, in one place."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

_REFERENCE = "#/components/schemas/"

_BOUNDS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "matches {}",
    "format": "{}",
    "default": "default {}",
}
_EXAMPLE_OF_FORMAT = {"uuid": "0190b6f0-0000-7000-8000-000000000000", "date-time": "2026-01-01T00:00:00Z"}


def stylesheet() -> str:
    return resources.files(__package__).joinpath("style.css").read_text("utf-8")


def welcome(version: str) -> str:
    """The page at / until a meeting page is built over it."""
    links = (
        ("/docs", "API reference", "every endpoint, its types and its errors"),
        ("/openapi.json", "OpenAPI 3.1", "the same for programs"),
        ("/health", "Health", "each dependency, its state and latency"),
    )
    items = "".join(
        f'<li><a href="{_text(path)}">{_text(name)}</a><span>{_text(what)}</span></li>' for path, name, what in links
    )
    body = (
        f"<main class=welcome><h1>SecureConnect</h1><p>This server is running, version {_text(version)}.</p>"
        f"<ul>{items}</ul></main>"
    )
    return _page("SecureConnect", body)


def render_reference(document: Mapping[str, Any]) -> str:
    info = document["info"]
    operations = _by_tag(document["paths"])
    tags = [tag for tag in document["tags"] if tag["name"] in operations]
    schemas = document["components"]["schemas"]
    menu = "".join(f'<a href="#tag-{_text(tag["name"])}">{_text(tag["name"])}</a>' for tag in tags)
    sections = "".join(_section(tag, operations[tag["name"]], schemas) for tag in tags)
    types = "".join(_schema_section(name, schema) for name, schema in sorted(schemas.items()))
    body = (
        f"<nav><strong>SecureConnect</strong><small>API {_text(info['version'])}</small>{menu}"
        '<a href="#types">types</a><a href="/openapi.json">openapi.json</a></nav>'
        f"<main><h1>API reference</h1><p>{_inline(info['description'])}</p>{sections}"
        f"<h2 id=types>Types</h2>{types}</main>"
    )
    return _page("SecureConnect API", body)


def _by_tag(paths: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    grouped: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            grouped.setdefault(operation["tags"][0], []).append((path, method.upper(), operation))
    return grouped


def _section(tag: Mapping[str, Any], operations: Iterable[tuple[str, str, Mapping[str, Any]]], schemas: Any) -> str:
    cards = "".join(_operation(path, method, operation, schemas) for path, method, operation in operations)
    return f'<h2 id="tag-{_text(tag["name"])}">{_text(tag["name"])}</h2><p>{_inline(tag["description"])}</p>{cards}'


def _operation(path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    parts = [_parameters(operation.get("parameters", ()))]
    body_schema = None
    if "requestBody" in operation:
        body_schema = operation["requestBody"]["content"]["application/json"]["schema"]
        parts.append(f"<h4>Body</h4><p>{_type_of(body_schema)}</p>")
    parts.append(_responses(operation["responses"]))
    parts.append(f"<h4>Try it</h4><pre>{_text(_curl(path, method, operation, body_schema, schemas))}</pre>")
    limit = operation["x-rate-limit"]
    access = f"access: {operation['x-access']}" + (f" · limit: {limit}" if limit else " · not limited")
    return (
        f'<details class=operation id="{_text(operation["operationId"])}"><summary>'
        f'<b class="{method.lower()}">{method}</b><code>{_text(path)}</code>'
        f"<span>{_text(operation['summary'])}</span></summary>"
        f"<p class=rules>{_text(access)}</p>{''.join(parts)}</details>"
    )


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{_text(item['name'])}</code></td><td>{_text(item['in'])}</td>"
        f"<td>{_type_of(item['schema'])}</td><td>{'required' if item['required'] else 'optional'}</td></tr>"
        for item in parameters
    )
    return f"<h4>Parameters</h4><table>{rows}</table>" if rows else ""


def _responses(responses: Mapping[str, Any]) -> str:
    rows = ""
    for status, answer in responses.items():
        content = answer.get("content", {})
        shown = "".join(
            _type_of(part["schema"]) if "schema" in part else _text(media) for media, part in content.items()
        )
        rows += f"<tr><td>{_text(status)}</td><td>{_inline(answer['description'])}</td><td>{shown}</td></tr>"
    return f"<h4>Answers</h4><table>{rows}</table>"


def _curl(path: str, method: str, operation: Mapping[str, Any], body: Any, schemas: Mapping[str, Any]) -> str:
    words = ["curl"] if method == "GET" else ["curl", "-X", method]
    if "security" in operation:
        words += ["-H", "'Authorization: Bearer TOKEN'"]
    if body is not None:
        words += ["--json", "'" + json.dumps(_example(body, schemas, depth=4)) + "'"]
    return " ".join([*words, f"http://127.0.0.1:8080{path}"])


def _example(schema: Mapping[str, Any], schemas: Mapping[str, Any], *, depth: int) -> Any:
    while True:
        choices = schema.get("anyOf") or schema.get("oneOf")
        if "$ref" in schema:
            schema = schemas[schema["$ref"].removeprefix(_REFERENCE)]
        elif choices:
            schema = choices[0]
        else:
            break
    match schema.get("type"):
        case "object" if depth > 0:
            properties, required = schema.get("properties", {}), schema.get("required", ())
            return {name: _example(properties[name], schemas, depth=depth - 1) for name in required}
        case "array" if depth > 0 and schema.get("items"):
            return [_example(schema["items"], schemas, depth=depth - 1)]
        case "string" if "enum" not in schema:
            return _EXAMPLE_OF_FORMAT.get(schema.get("format", ""), "...")
    plain = {"object": {}, "array": [], "integer": schema.get("minimum", 1), "number": 1, "boolean": True}
    return schema["enum"][0] if "enum" in schema else plain.get(schema.get("type", ""))


def _schema_section(name: str, schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{_text(field)}</code></td><td>{_type_of(part)}</td>"
        f"<td>{'required' if field in required else 'optional'}</td></tr>"
        for field, part in schema.get("properties", {}).items()
    )
    text = f"<p>{_inline(schema['description'])}</p>" if schema.get("description") else ""
    shown = f"<table>{rows}</table>" if rows else f"<p>{_type_of(schema)}</p>"
    return f'<section class=type id="type-{_text(name)}"><h3>{_text(name)}</h3>{text}{shown}</section>'


def _type_of(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return f'<a href="#type-{_text(name)}">{_text(name)}</a>'
    for choices in ("anyOf", "oneOf"):
        if choices in schema:
            return " or ".join(_type_of(choice) for choice in schema[choices])
    if "enum" in schema:
        return " | ".join(f"<code>{_text(json.dumps(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return "list of " + _type_of(schema.get("items") or {})
    notes = [text.format(json.dumps(schema[key])) for key, text in _BOUNDS.items() if key in schema]
    return _text(" ".join([str(schema.get("type", "any")), *(f"({note})" for note in notes)]))


def _page(title: str, body: str) -> str:
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{_text(title)}</title><link rel=icon href='data:,'><link rel=stylesheet href='/docs/style.css'>"
        f"<body>{body}</body></html>"
    )


def _inline(text: str) -> str:
    """Escaped text in which `code` is marked as such."""
    parts = _text(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
