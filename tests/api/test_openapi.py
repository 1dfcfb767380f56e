"""The OpenAPI document and its page: valid, complete, and safe to show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import aiohttp
import jsonschema_rs
import msgspec
import pytest
from aiohttp import web
from msgspec import Meta
from schemathesis.specs.openapi.definitions import OPENAPI_31

from api.app import RESOURCES
from api.docs_page.render import render_reference, stylesheet, welcome
from api.http.access import Access
from api.http.endpoints import Call, Endpoint, Resource
from api.http.openapi import describe
from api.http.wire import View, Wire
from api.listening import bind
from api.serve import running_server
from config.sections import Server, Settings
from config.values import Secret
from tests.api.serving import Notes, endpoint, running

HOSTILE = "</title><script>alert(1)</script><img src=x onerror='alert(2)'>\"`&amp;"
PLACEHOLDER = re.compile(r"\{([a-z_]+):[^{}]*\}")


async def document_of_the_tests() -> tuple[dict[str, Any], Sequence[Resource]]:
    async with running() as server, server.client.get("/openapi.json") as answer:
        assert answer.content_type == "application/json"
        return await answer.json(), server.app[RESOURCES]


async def document_of_the_product(directory: Path) -> dict[str, Any]:
    settings = Settings(server=Server(port=0, media_port=0, data_dir=str(directory)))
    sockets = bind(settings.server.host, 0)
    secret = Secret("a secret of this test, long enough to be one")
    async with running_server(settings, secret, sockets, access_log=None, announce=lambda line: None) as started:
        host, port = started.addresses[0]
        async with aiohttp.ClientSession() as client, client.get(f"http://{host}:{port}/openapi.json") as answer:
            found: dict[str, Any] = await answer.json()
            return found


def described(*endpoints: Endpoint) -> dict[str, Any]:
    """As a client reads it, once it has been JSON."""
    document = describe([Resource("things", "Things.", endpoints)], version="1")
    read: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    return read


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def assert_valid(document: dict[str, Any]) -> None:
    errors = jsonschema_rs.Draft202012Validator(OPENAPI_31).iter_errors(document)
    assert [f"{list(error.instance_path)}: {error.message}" for error in errors] == []
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


# --- the document --------------------------------------------------------------------------------------------


async def test_the_document_of_one_of_everything_is_openapi_3_1() -> None:
    document, _ = await document_of_the_tests()
    assert document["openapi"] == "3.1.0"
    assert_valid(document)


async def test_the_document_of_the_product_is_openapi_3_1(tmp_path: Path) -> None:
    document = await document_of_the_product(tmp_path)
    assert_valid(document)
    assert {"/health", "/health/live", "/health/ready", "/metrics"} <= set(document["paths"])


async def test_every_endpoint_is_there_with_its_access_and_its_limit_or_says_that_it_is_not() -> None:
    document, resources = await document_of_the_tests()
    declared = {
        (item.method, PLACEHOLDER.sub(r"{\1}", item.path)): (item.access.value, item.limit)
        for resource in resources
        for item in resource.endpoints
        if item.documented
    }
    found = {
        (method, path): (operation["x-access"], operation["x-rate-limit"])
        for method, path, operation in operations(document)
    }
    assert found == declared
    hidden = {item.path for resource in resources for item in resource.endpoints if not item.documented}
    assert hidden >= {"/", "/docs", "/openapi.json"}
    assert hidden.isdisjoint(document["paths"])


async def test_every_route_of_the_application_is_a_declared_endpoint() -> None:
    async with running() as server:
        declared = {(item.method, item.path) for resource in server.app[RESOURCES] for item in resource.endpoints}
        declared |= {("HEAD", path) for method, path in declared if method == "GET"}
        routes = {
            (route.method, route.resource.canonical if route.resource else "") for route in server.app.router.routes()
        }
    assert routes == {(method, PLACEHOLDER.sub(r"{\1}", path)) for method, path in declared}


async def test_an_operation_tells_what_it_takes_answers_and_may_refuse() -> None:
    document, _ = await document_of_the_tests()
    create = document["paths"]["/v1/notes"]["post"]
    assert create["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewNote"}}},
    }
    assert create["responses"]["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Note"}
    assert set(create["responses"]) == {"201", "400", "408", "409", "413", "415", "422", "429", "503"}
    assert [parameter["name"] for parameter in create["parameters"]] == ["Idempotency-Key"]
    assert "security" not in create
    browse = {item["name"]: item for item in document["paths"]["/v1/notes"]["get"]["parameters"]}
    assert browse["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert [item["required"] for item in browse.values()] == [False, False]
    assert "`bad_cursor`" in document["paths"]["/v1/notes"]["get"]["responses"]["400"]["description"]
    remove = document["paths"]["/v1/notes/{id}"]["delete"]
    assert remove["parameters"][0] == {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    }
    assert "content" not in remove["responses"]["204"]
    secured = document["paths"]["/v1/secret"]["post"]
    assert secured["security"] == [{"bearer": []}]
    assert {"401", "403"} <= set(secured["responses"])


async def test_unknown_fields_are_refused_by_the_document_too() -> None:
    document, _ = await document_of_the_tests()
    assert document["components"]["schemas"]["NewNote"]["additionalProperties"] is False


async def test_every_problem_is_described_by_the_schema_it_has() -> None:
    document, _ = await document_of_the_tests()
    for _, _, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status >= "400":
                problem = answer["content"]["application/problem+json"]["schema"]
                assert problem == {"$ref": "#/components/schemas/Problem"}


async def test_a_handler_that_answers_some_cases_by_itself_is_described_by_what_it_returns_else() -> None:
    document, _ = await document_of_the_tests()
    answers = document["paths"]["/health/ready"]["get"]["responses"]
    view = {"schema": {"$ref": "#/components/schemas/HealthView"}}
    assert answers["200"]["content"] == {"application/json": view}
    assert answers["503"]["content"]["application/json"] == view
    assert "application/problem+json" in answers["503"]["content"]


class Colour(Wire, frozen=True):
    name: str


class ColourPath(Wire, frozen=True):
    key: UUID


# Of the same name, in another module, with another shape.
OtherColour = msgspec.defstruct(
    "Colour", [("shade", Annotated[int, Meta(ge=3)])], bases=(Wire,), module="another.room", frozen=True
)


class Painted(View, frozen=True):
    colour: Colour | None
    ids: list[UUID]


async def paint(call: Call, body: Colour) -> Painted:
    raise NotImplementedError


async def look(call: Call, query: OtherColour) -> None:  # type: ignore[valid-type] # made at run time
    raise NotImplementedError


async def page(call: Call, path: ColourPath) -> web.Response:
    raise NotImplementedError


async def test_two_types_of_one_name_are_told_apart() -> None:
    document = described(endpoint("POST", "/a", paint), endpoint("GET", "/b", look))
    assert_valid(document)
    [parameter] = document["paths"]["/b"]["get"]["parameters"]
    assert (parameter["name"], parameter["schema"]["minimum"]) == ("shade", 3)


async def test_a_path_with_a_pattern_is_shown_without_it() -> None:
    document = described(endpoint("GET", r"/files/{key:[0-9a-f]{8}-.+}/{rest:.*}", page, content="text/html"))
    [path] = document["paths"]
    assert path == "/files/{key}/{rest}"
    operation = document["paths"][path]["get"]
    assert [(item["name"], item["schema"].get("format")) for item in operation["parameters"]] == [
        ("key", "uuid"),
        ("rest", None),
    ]
    assert operation["responses"]["200"]["content"] == {"text/html": {}}
    assert_valid(document)


# --- the page ------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(attribute)) is not None]


def assert_harmless(page: Page) -> None:
    assert {"script", "img", "iframe", "object", "style", "form"}.isdisjoint(tag for tag, _ in page.tags)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "style" not in {name for _, attributes in page.tags for name in attributes}
    assert not [link for link in [*page.of("href"), *page.of("src")] if "//" in link or "javascript:" in link]


async def test_the_reference_shows_every_operation_and_every_type_and_every_link_leads_somewhere() -> None:
    document, _ = await document_of_the_tests()
    async with running() as server:
        async with server.client.get("/docs") as answer:
            page = Page(await answer.text())
        inside = {link[1:] for link in page.of("href") if link.startswith("#")}
        ids = page.of("id")
        assert len(set(ids)) == len(ids)
        assert inside <= set(ids)
        assert {operation["operationId"] for _, _, operation in operations(document)} <= set(ids)
        assert {f"type-{name}" for name in document["components"]["schemas"]} <= set(ids)
        for link in {link for link in page.of("href") if link.startswith("/")}:
            async with server.client.get(link) as answer:
                assert answer.status == 200
    assert_harmless(page)
    assert "access: signed_in · limit: login" in page.text
    assert "access: public · not limited" in page.text


async def test_hostile_text_is_shown_as_text() -> None:
    hostile = Endpoint(
        method="POST",
        path=f"/{HOSTILE}",
        handler=paint,
        access=Access.PUBLIC,
        limit=HOSTILE,
        summary=HOSTILE,
        errors={418: (HOSTILE,)},
        content=HOSTILE,
    )
    document = describe([Resource("things", HOSTILE, [hostile])], version=HOSTILE)
    document["info"]["description"] = HOSTILE
    schemas = document["components"]["schemas"]
    schemas["Colour"]["description"] = HOSTILE
    schemas["Colour"]["properties"][HOSTILE] = {"type": "string", "pattern": HOSTILE, "default": HOSTILE}
    schemas["Colour"]["required"].append(HOSTILE)
    schemas[HOSTILE] = {"enum": [HOSTILE]}
    schemas["Painted"]["properties"]["hostile"] = {"$ref": f"#/components/schemas/{HOSTILE}"}
    text = render_reference(document)
    page = Page(text)
    assert_harmless(page)
    assert "<script" not in text
    assert "alert(1)" in page.text


def test_the_welcome_page_is_harmless_too() -> None:
    page = Page(welcome(HOSTILE))
    assert_harmless(page)
    assert set(page.of("href")) >= {"/docs", "/openapi.json", "/health"}


def test_examples_on_the_page_are_requests_that_would_be_understood() -> None:
    resource = Notes().resource()
    page = render_reference(describe([resource], version="1"))
    [example] = re.findall(r"curl -X POST --json &#x27;(.*?)&#x27; http://127.0.0.1:8080/v1/notes<", page)
    assert msgspec.json.decode(example.replace("&quot;", '"')) == {"title": "..."}


def test_the_stylesheet_loads_nothing() -> None:
    assert "{" in stylesheet()
    assert "url(" not in stylesheet()
    assert "@import" not in stylesheet()


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/style.css"])
async def test_what_is_shown_is_the_same_every_time(path: str) -> None:
    async with running() as one, running() as other:
        async with one.client.get(path) as first, other.client.get(path) as second:
            assert await first.read() == await second.read()
