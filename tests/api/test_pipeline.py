"""What every answer has in common, whatever the resource."""

from __future__ import annotations

import asyncio
import re

import pytest
from structlog.testing import capture_logs

from config.sections import Limits, Server
from config.values import Duration, Size
from tests.api.serving import running

JSON = {"Content-Type": "application/json"}


async def test_every_answer_carries_an_id_and_the_security_headers() -> None:
    async with running() as server:
        for path in ("/", "/docs", "/health", "/v1/notes", "/nowhere", "/openapi.json"):
            async with server.client.get(path) as answer:
                assert re.fullmatch(r"[0-9a-f]+-[0-9a-f]+", answer.headers["X-Request-Id"])
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["Server"] == "SecureConnect"
                assert "Strict-Transport-Security" not in answer.headers


async def test_a_sane_request_id_is_kept_and_a_wild_one_replaced() -> None:
    async with running() as server:
        async with server.client.get("/health", headers={"X-Request-Id": "from-the-proxy.1"}) as answer:
            assert answer.headers["X-Request-Id"] == "from-the-proxy.1"
        async with server.client.get("/health", headers={"X-Request-Id": "<script>"}) as answer:
            assert answer.headers["X-Request-Id"] != "<script>"


async def test_a_public_https_address_is_pinned_to_tls() -> None:
    async with running(server=Server(port=0, public_url="https://meet.example.org")) as server:
        async with server.client.get("/health") as answer:
            assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


async def test_an_unknown_address_and_an_unknown_method_are_problems() -> None:
    async with running() as server:
        async with server.client.get("/nowhere") as answer:
            assert answer.status == 404
            assert answer.content_type == "application/problem+json"
            problem = await answer.json()
            assert problem["code"] == "not_found"
            assert problem["request_id"] == answer.headers["X-Request-Id"]
        async with server.client.put("/v1/notes") as answer:
            assert answer.status == 405
            assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}
            assert (await answer.json())["code"] == "method_not_allowed"


async def test_a_crash_tells_the_caller_an_id_and_the_log_the_rest() -> None:
    async with running() as server:
        with capture_logs() as lines:
            async with server.client.post("/v1/crash") as answer:
                text = await answer.text()
        assert answer.status == 500
        assert "sauce" not in text
        assert "ZeroDivisionError" not in text
        assert answer.headers["X-Request-Id"] in text
        assert [line["event"] for line in lines] == ["request failed"]
        assert server.metrics.registry.get_sample_value("secureconnect_http_internal_errors_total") == 1


async def test_head_answers_like_get_without_a_body() -> None:
    async with running() as server, server.client.head("/health") as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_a_created_note_can_be_read_and_deleted() -> None:
    async with running() as server:
        async with server.client.post("/v1/notes", json={"title": "für Ünï😀"}) as answer:
            assert answer.status == 201
            location = answer.headers["Location"]
        async with server.client.get(location) as answer:
            assert (await answer.json())["title"] == "für Ünï😀"
        async with server.client.delete(location) as answer:
            assert answer.status == 204
        async with server.client.get(location) as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", JSON, 400, "malformed_json"),
        (b"", JSON, 400, "malformed_json"),
        (b"\xff\xfe", JSON, 400, "malformed_json"),
        (b'{"title":"a","title":"b"}', JSON, 400, "malformed_json"),
        (b'{"title":NaN}', JSON, 400, "malformed_json"),
        (b'{"stars":' + b"9" * 5000 + b"}", JSON, 400, "malformed_json"),
        (b"[" * 100_000, JSON, 400, "too_deep"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, JSON, 400, "too_deep"),
        (b"[]", JSON, 422, "validation_failed"),
        (b"null", JSON, 422, "validation_failed"),
        (b'{"title":7}', JSON, 422, "validation_failed"),
        (b'{"title":"x","extra":1}', JSON, 422, "validation_failed"),
        (b'{"title":"x"}', {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (b'{"title":"x"}', {"Content-Type": "application/json; charset=latin-1"}, 415, "unsupported_media_type"),
        (b'{"title":"x"}', JSON | {"Content-Encoding": "gzip"}, 400, "malformed_body"),
    ],
)
async def test_bad_bodies_are_refused_with_a_stable_code(
    body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    async with running() as server, server.client.post("/v1/notes", data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (status, code)
        assert not server.notes.kept


async def test_every_wrong_field_is_named_at_once() -> None:
    body = {"stars": 9, "tags": [{"name": "", "weight": 1}], "due": "tomorrow", "colour": "red"}
    async with running() as server, server.client.post("/v1/notes", json=body) as answer:
        fields = {item["field"] for item in (await answer.json())["errors"]}
        assert fields == {"colour", "title", "stars", "tags[0].name", "due"}


async def test_a_body_over_the_limit_is_413_whether_announced_or_streamed() -> None:
    async def endless() -> object:
        for _ in range(64):
            yield b"x" * 1024

    async with running(limits=Limits(body=Size(4096))) as server:
        async with server.client.post("/v1/notes", data=b"x" * 5000, headers=JSON) as answer:
            assert (answer.status, (await answer.json())["code"]) == (413, "body_too_large")
        async with server.client.post("/v1/notes", data=endless(), headers=JSON) as answer:
            assert (answer.status, (await answer.json())["code"]) == (413, "body_too_large")


async def test_a_body_where_none_belongs_is_refused_unless_it_says_nothing() -> None:
    async with running() as server:
        for body in (b'{"deep": 1}', b"{}{}", b"x"):
            async with server.client.post("/v1/slow", data=body) as answer:
                assert (answer.status, (await answer.json())["code"]) == (400, "unexpected_body")
        async with server.client.post("/v1/slow", data=b" {}\n", headers=JSON) as answer:
            assert answer.status == 204


async def test_unknown_repeated_and_wrong_query_parameters_are_400() -> None:
    async with running() as server:
        for query in ("limit=0", "limit=x", "limit=1&limit=2", "page=2", "cursor=%00"):
            async with server.client.get(f"/v1/notes?{query}") as answer:
                assert answer.status == 400, query
        async with server.client.get("/health?deep=1") as answer:
            assert (await answer.json())["code"] == "invalid_query"


async def test_pages_survive_inserts() -> None:
    async with running() as server:
        for number in range(5):
            async with server.client.post("/v1/notes", json={"title": str(number)}) as answer:
                assert answer.status == 201
        async with server.client.get("/v1/notes?limit=2") as answer:
            page = await answer.json()
        async with server.client.post("/v1/notes", json={"title": "late"}):
            pass
        seen = [item["title"] for item in page["items"]]
        while page["next_cursor"]:
            async with server.client.get("/v1/notes", params={"limit": "2", "cursor": page["next_cursor"]}) as answer:
                page = await answer.json()
            seen += [item["title"] for item in page["items"]]
        assert seen == ["0", "1", "2", "3", "4", "late"]


async def test_a_request_without_an_answer_in_time_is_503_and_its_handler_ended() -> None:
    async with running(server=Server(port=0, request_timeout=Duration(0.3))) as server:
        async with server.client.post("/v1/stuck") as answer:
            assert (answer.status, (await answer.json())["code"]) == (503, "request_timeout")
            assert answer.headers["Retry-After"]
        assert server.lifecycle.requests_running == 0


async def test_the_limit_is_told_on_every_answer_and_enforced() -> None:
    async with running(limits=Limits(messages=3)) as server:
        remaining = []
        for _ in range(3):
            async with server.client.post("/v1/notes", json={"title": "x"}) as answer:
                assert answer.status == 201
                assert answer.headers["RateLimit-Policy"] == '"messages";q=3;w=60'
                remaining.append(int(answer.headers["RateLimit-Remaining"]))
        assert remaining == [2, 1, 0]
        async with server.client.post("/v1/notes", json={"title": "x"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (429, "rate_limited")
            assert 1 <= int(answer.headers["Retry-After"]) <= 21


async def test_only_allowed_origins_get_cors_headers() -> None:
    async with running(server=Server(port=0, allowed_origins=("https://app.example.org",))) as server:
        async with server.client.get("/health", headers={"Origin": "https://app.example.org"}) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
            assert answer.headers["Vary"] == "Origin"
        async with server.client.get("/health", headers={"Origin": "https://evil.example"}) as answer:
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_preflight_is_answered_or_refused_with_a_reason() -> None:
    asking = {"Access-Control-Request-Method": "POST", "Origin": "https://app.example.org"}
    async with running(server=Server(port=0, allowed_origins=("https://app.example.org",))) as server:
        async with server.client.options("/v1/notes", headers=asking) as answer:
            assert answer.status == 204
            assert "POST" in answer.headers["Access-Control-Allow-Methods"]
            assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
        async with server.client.options("/v1/notes", headers=asking | {"Origin": "https://evil.example"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (403, "origin_not_allowed")
            assert answer.headers["X-Request-Id"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_endpoint_for_people_who_signed_in_refuses_strangers_and_bad_tokens() -> None:
    async with running() as server:
        async with server.client.post("/v1/secret") as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "unauthenticated")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        async with server.client.post("/v1/secret", headers={"Authorization": "Bearer nope"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "invalid_token")


async def test_a_stale_token_does_not_close_what_is_open_to_everyone() -> None:
    async with running() as server:
        async with server.client.get("/health", headers={"Authorization": "Bearer stale"}) as answer:
            assert answer.status == 200


async def test_the_access_log_has_the_route_and_never_the_path() -> None:
    lines: list[dict[str, object]] = []

    class Recorder:
        def write(self, **fields: object) -> None:
            lines.append(fields)

    async with running(access_log=Recorder()) as server:
        async with server.client.get("/v1/notes/00000000-0000-0000-0000-000000000001?token=s3cret"):
            pass
        async with server.client.get("/what/ever"):
            pass
    assert [(line["route"], line["status"]) for line in lines] == [("/v1/notes/{id}", 400), ("(no route)", 404)]
    assert "s3cret" not in str(lines)


async def test_metrics_count_by_route_and_do_not_grow_with_what_scanners_try() -> None:
    async with running() as server:
        for path in ("/a", "/b", "/c"):
            async with server.client.request("PROPFIND", path):
                pass
        async with server.client.get("/metrics") as answer:
            text = await answer.text()
        assert 'http_requests_total{method="ANY",route="(no route)",status="404"} 3.0' in text
        assert "PROPFIND" not in text


async def test_a_client_that_leaves_does_not_stop_its_request() -> None:
    async with running() as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await server.client.post("/v1/slow")
        assert server.lifecycle.requests_running == 1
        await asyncio.sleep(0.5)
        assert server.lifecycle.requests_running == 0
