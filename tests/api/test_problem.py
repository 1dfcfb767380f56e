"""From errors to answers: every kind has a status, every answer a stable code, and none tells too much."""

from __future__ import annotations

import ast
import re
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from api.http.problem import (
    CONTENT_TYPE,
    STATUS_OF,
    Problem,
    ProblemField,
    from_error,
    from_http_exception,
    internal_error,
    problem_response,
    status_of,
)
from kernel import errors
from kernel.errors import (
    DependencyUnavailable,
    FieldError,
    Malformed,
    Overloaded,
    RateLimited,
    SecureConnectError,
    Unauthenticated,
)

ROOT = Path(__file__).parents[2]
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def every_kind() -> list[type[SecureConnectError]]:
    """Ours, wherever they are defined."""
    for package in ("kernel", "config", "identity", "chat", "media", "sfu", "signaling", "adapters", "api"):
        for module in walk_packages([str(ROOT / package)], f"{package}."):
            if ".migrations." not in module.name and not module.name.endswith("__main__"):
                import_module(module.name)
    found, queue = set(), [SecureConnectError]
    while queue:
        children = [kind for kind in queue.pop().__subclasses__() if not kind.__module__.startswith("tests.")]
        found.update(children)
        queue += children
    return sorted(found, key=lambda kind: kind.__name__)


def made(kind: type[SecureConnectError]) -> SecureConnectError:
    return DependencyUnavailable("database", "why") if kind is DependencyUnavailable else kind("what is wrong")


def read(response: web.StreamResponse) -> Problem:
    assert isinstance(response, web.Response)
    assert response.content_type == CONTENT_TYPE
    assert isinstance(response.body, bytes)
    return msgspec.json.decode(response.body, type=Problem)


def test_every_kind_of_error_has_a_status_and_a_code_of_its_own() -> None:
    kinds = every_kind()
    assert len(kinds) >= 12
    assert [kind.__name__ for kind in kinds if status_of(made(kind)) == 500] == []
    assert [kind.__name__ for kind in kinds if not SNAKE_CASE.fullmatch(kind.default_code)] == []
    codes = [kind.default_code for kind in kinds if kind.__module__ == errors.__name__]
    assert len(set(codes)) == len(codes)


def test_every_kind_answers_its_status_its_code_and_its_text() -> None:
    for kind in every_kind():
        error = made(kind)
        response = from_error(error, "id-1")
        problem = read(response)
        assert (response.status, problem.status) == (status_of(error), status_of(error))
        assert (problem.code, problem.request_id, problem.type) == (error.code, "id-1", "about:blank")
        assert problem.title == HTTPStatus(problem.status).phrase
        assert problem.detail


def test_every_code_written_in_the_source_is_snake_case() -> None:
    found = set()
    for package in ("kernel", "config", "identity", "chat", "media", "sfu", "signaling", "adapters", "api"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                    found.add(node.value.value)
    codes = {code for code in found if isinstance(code, str)}
    assert {"bad_cursor", "too_deep", "request_timeout"} <= codes
    assert [code for code in codes if not SNAKE_CASE.fullmatch(code)] == []


def test_a_kind_derived_from_another_has_its_parents_status() -> None:
    class BadColour(Malformed):
        default_code = "bad_colour"

    response = from_error(BadColour("Not green."), None)
    assert (response.status, read(response).code) == (400, "bad_colour")
    assert read(response).request_id is msgspec.UNSET


@pytest.mark.parametrize("kind", [RateLimited, Overloaded, DependencyUnavailable])
def test_whoever_is_to_come_back_is_told_when(kind: type[SecureConnectError]) -> None:
    assert status_of(made(kind)) in (429, 503)
    assert from_error(made(kind), None).headers["Retry-After"] == "1"


@given(st.floats(0, 100_000))
def test_retry_after_is_whole_seconds_that_are_never_too_early(seconds: float) -> None:
    told = int(from_error(Overloaded("full", retry_after=seconds), None).headers["Retry-After"])
    assert max(1, seconds) <= told < seconds + 2


def test_others_are_told_nothing_of_coming_back() -> None:
    waits = {kind for kind in STATUS_OF if "Retry-After" in from_error(made(kind), None).headers}
    assert waits == {RateLimited, Overloaded, DependencyUnavailable}


def test_who_is_not_known_is_told_how_to_be() -> None:
    assert from_error(Unauthenticated("who?"), None).headers["WWW-Authenticate"].startswith("Bearer ")
    assert "WWW-Authenticate" not in from_error(Malformed("what?"), None).headers


def test_wrong_fields_are_listed() -> None:
    response = from_error(Malformed("Wrong.", fields=[FieldError("a.b", "is required")]), None)
    assert read(response).errors == (ProblemField("a.b", "is required"),)


def test_an_outage_names_the_store_and_never_its_address() -> None:
    reason = "ConnectionRefusedError (Connect call failed ('10.1.2.3', 5432) for user admin)"
    problem = read(from_error(DependencyUnavailable("database", reason), "id-1"))
    assert "database" in problem.detail
    assert "10.1.2.3" not in problem.detail
    assert "admin" not in problem.detail


def test_a_failure_of_ours_says_no_more_than_an_id() -> None:
    problem = read(internal_error("id-42"))
    assert (problem.status, problem.code, problem.request_id) == (500, "internal_error", "id-42")
    assert "id-42" in problem.detail


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (web.HTTPNotFound(text="secret sauce"), "not_found"),
        (web.HTTPMethodNotAllowed("PUT", ["GET", "HEAD"]), "method_not_allowed"),
        (web.HTTPRequestEntityTooLarge(10, 20), "too_large"),
        (web.HTTPExpectationFailed(text="Unknown Expect: secret sauce"), "expectation_failed"),
        (web.HTTPGone(text="secret sauce"), "http_error"),
        (web.HTTPInternalServerError(text="secret sauce"), "http_error"),
    ],
)
def test_what_aiohttp_refuses_is_told_in_our_form_and_words(error: web.HTTPException, code: str) -> None:
    response = from_http_exception(error, "id-1")
    problem = read(response)
    assert (response.status, problem.status, problem.code) == (error.status, error.status, code)
    assert "sauce" not in problem.detail


def test_the_methods_that_are_allowed_are_named() -> None:
    allowed = from_http_exception(web.HTTPMethodNotAllowed("PUT", ["GET", "HEAD"]), None).headers["Allow"]
    assert set(allowed.split(",")) == {"GET", "HEAD"}


def test_a_redirect_is_no_problem() -> None:
    redirect = web.HTTPFound("/elsewhere")
    assert from_http_exception(redirect, "id-1") is redirect


@given(st.sampled_from([400, 404, 409, 422, 500, 503]), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_be_answered(status: int, detail: str) -> None:
    problem = read(problem_response(status, "code", detail))
    assert (problem.status, problem.detail, problem.title) == (status, detail, HTTPStatus(status).phrase)
