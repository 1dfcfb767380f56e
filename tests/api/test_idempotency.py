"""Idempotency-Key over a real server: a retry is the first answer again, and nothing is done twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from adapters.memory import MemoryState
from api.http.endpoints import Call, Resource
from config.sections import Server
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable
from tests.api.serving import Running, endpoint, running

KEY = "0190b6f0-0000-7000-8000-000000000001"


class Switchable:
    """The embedded store behind a switch for each kind of call: while it is off, that call ends as in an outage."""

    def __init__(self) -> None:
        self._real = MemoryState(SystemClock()).key_values
        self.off: set[str] = set()
        self.puts = 0

    def _check(self, kind: str) -> None:
        if kind in self.off:
            raise DependencyUnavailable("redis", "switched off")

    async def get(self, key: str) -> bytes | None:
        self._check("get")
        return await self._real.get(key)

    async def get_many(self, keys: Collection[str]) -> Mapping[str, bytes]:
        self._check("get")
        return await self._real.get_many(keys)

    async def put(self, key: str, value: bytes, *, ttl: float, if_absent: bool = False) -> bool:
        self._check("claim" if if_absent else "keep")
        self.puts += 1
        return await self._real.put(key, value, ttl=ttl, if_absent=if_absent)

    async def touch(self, key: str, *, ttl: float) -> bool:
        self._check("keep")
        return await self._real.touch(key, ttl=ttl)

    async def delete(self, key: str) -> bool:
        self._check("delete")
        return await self._real.delete(key)


class Counted:
    """Handlers that count how often they ran."""

    def __init__(self) -> None:
        self.runs = 0
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.fail = False

    async def wait(self, call: Call) -> None:
        self.runs += 1
        self.entered.set()
        await self.go_on.wait()

    async def sometimes(self, call: Call) -> web.Response:
        self.runs += 1
        return web.Response(status=503 if self.fail else 200, text=f"run {self.runs}")

    async def large(self, call: Call) -> web.Response:
        self.runs += 1
        return web.Response(body=b"x" * (256 * 1024 + 1))

    async def tagged(self, call: Call) -> None:
        self.runs += 1
        call.set_header("ETag", f'"{self.runs}"')

    def resource(self) -> Resource:
        handlers = (self.wait, self.sometimes, self.large, self.tagged)
        return Resource(
            "counted",
            "Counted.",
            [endpoint("POST", f"/v1/{handler.__name__}", handler, documented=False) for handler in handlers],
        )


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def store() -> Switchable:
    return Switchable()


@pytest.fixture
async def server(counted: Counted, store: Switchable) -> AsyncIterator[Running]:
    settings = Server(port=0, trusted_proxies=("127.0.0.1/32",))
    async with running(server=settings, key_values=store, resources=[counted.resource()]) as started:
        yield started


class Answer:
    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.type = response.content_type
        self.body = body

    def code(self) -> str:
        return str(json.loads(self.body)["code"])

    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"


async def post(server: Running, path: str, key: str = KEY, *, client: str = "203.0.113.1", **more: Any) -> Answer:
    headers = {"Idempotency-Key": key, "X-Forwarded-For": client}
    async with server.client.post(path, headers=headers, **more) as response:
        return Answer(response, await response.read())


async def test_a_retry_gets_the_first_answer_with_its_location_and_does_nothing(server: Running) -> None:
    first = await post(server, "/v1/notes", json={"title": "a"})
    again = await post(server, "/v1/notes", json={"title": "a"})
    assert first.status == again.status == 201
    assert first.body == again.body
    assert first.type == again.type == "application/json"
    assert first.headers["Location"] == again.headers["Location"] != ""
    assert (first.replayed(), again.replayed()) == (False, True)
    assert len(server.notes.kept) == 1
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]


async def test_an_answer_without_a_body_is_kept_with_its_headers(server: Running, counted: Counted) -> None:
    first = await post(server, "/v1/tagged")
    again = await post(server, "/v1/tagged")
    assert (first.status, first.body, first.headers["ETag"]) == (204, b"", '"1"')
    assert (again.status, again.body, again.headers["ETag"]) == (204, b"", '"1"')
    assert again.replayed()
    assert counted.runs == 1


async def test_without_a_key_everything_happens_each_time(server: Running) -> None:
    for _ in range(2):
        async with server.client.post("/v1/notes", json={"title": "a"}) as response:
            assert response.status == 201
    assert len(server.notes.kept) == 2


async def test_two_keys_are_two_requests(server: Running) -> None:
    await post(server, "/v1/notes", "one", json={"title": "a"})
    await post(server, "/v1/notes", "two", json={"title": "a"})
    assert len(server.notes.kept) == 2


async def test_the_twin_of_a_running_request_is_told_to_come_back(server: Running, counted: Counted) -> None:
    first = asyncio.create_task(post(server, "/v1/wait"))
    await counted.entered.wait()
    twin = await post(server, "/v1/wait")
    counted.go_on.set()
    assert (twin.status, twin.code()) == (409, "request_in_progress")
    assert int(twin.headers["Retry-After"]) >= 1
    assert (await first).status == 204
    assert (await post(server, "/v1/wait")).replayed()
    assert counted.runs == 1


async def test_of_twenty_at_once_one_runs(server: Running) -> None:
    answers = await asyncio.gather(*(post(server, "/v1/notes", json={"title": "a"}) for _ in range(20)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert sum(answer.status == 201 and not answer.replayed() for answer in answers) == 1
    assert len(server.notes.kept) == 1


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/notes", {"title": "b"}), ("/v1/notes?limit=5", {"title": "a"}), ("/v1/crash", None)]
)
async def test_a_key_used_for_something_else_is_refused(server: Running, path: str, body: object) -> None:
    await post(server, "/v1/notes", json={"title": "a"})
    other = await post(server, path, json=body)
    assert (other.status, other.code()) == (422, "idempotency_key_reused")
    assert len(server.notes.kept) == 1


async def test_a_failure_of_ours_is_not_kept(server: Running, counted: Counted) -> None:
    counted.fail = True
    assert (await post(server, "/v1/sometimes")).status == 503
    counted.fail = False
    retried = await post(server, "/v1/sometimes")
    assert (retried.status, retried.body, retried.replayed()) == (200, b"run 2", False)
    assert (await post(server, "/v1/sometimes")).body == b"run 2"


async def test_a_crash_is_not_kept(server: Running) -> None:
    for _ in range(2):
        assert (await post(server, "/v1/crash")).status == 500
    assert server.notes.crashes == 2


async def test_a_refused_request_may_be_mended_under_the_same_key(server: Running) -> None:
    assert (await post(server, "/v1/notes", json={"title": ""})).status == 422
    assert (await post(server, "/v1/notes", json={"title": "a"})).status == 201


async def test_an_answer_too_large_to_keep_is_answered_and_made_again(server: Running, counted: Counted) -> None:
    for _ in range(2):
        answer = await post(server, "/v1/large")
        assert (answer.status, len(answer.body)) == (200, 256 * 1024 + 1)
    assert counted.runs == 2


async def test_another_callers_key_is_another_key(server: Running) -> None:
    mine = await post(server, "/v1/notes", client="203.0.113.1", json={"title": "a"})
    theirs = await post(server, "/v1/notes", client="203.0.113.2", json={"title": "a"})
    assert theirs.status == 201
    assert not theirs.replayed()
    assert theirs.body != mine.body


@pytest.mark.parametrize("key", ["", "x" * 129, "with space", "tab\there", "é"])
async def test_a_bad_key_is_refused_before_anything_happens(server: Running, key: str) -> None:
    answer = await post(server, "/v1/notes", key, json={"title": "a"})
    assert (answer.status, answer.code()) == (400, "bad_idempotency_key")
    assert server.notes.kept == {}


@pytest.mark.parametrize("key", ["x", "x" * 128, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "a:b/c=d"])
async def test_visible_ascii_is_a_key(server: Running, key: str) -> None:
    assert (await post(server, "/v1/notes", key, json={"title": "a"})).status == 201
    assert (await post(server, "/v1/notes", key, json={"title": "a"})).replayed()


async def test_bytes_that_are_no_text_in_a_key_are_refused(server: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST /v1/crash HTTP/1.1\r\nHost: a\r\nIdempotency-Key: \xff\xfe\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b"bad_idempotency_key" in answer


async def test_reading_takes_no_notice_of_keys(server: Running, store: Switchable) -> None:
    for _ in range(2):
        async with server.client.get("/v1/notes", headers={"Idempotency-Key": KEY}) as response:
            assert response.status == 200
            assert "Idempotent-Replayed" not in response.headers
    assert store.puts == 0


# --- the store is away ---------------------------------------------------------------------------------------


async def test_while_the_store_is_away_nothing_is_done_under_a_key(server: Running, store: Switchable) -> None:
    store.off = {"claim"}
    answer = await post(server, "/v1/notes", json={"title": "a"})
    assert (answer.status, answer.code()) == (503, "dependency_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert server.notes.kept == {}
    store.off.clear()
    assert (await post(server, "/v1/notes", json={"title": "a"})).status == 201


async def test_what_was_done_is_answered_though_the_answer_could_not_be_kept(
    server: Running, store: Switchable
) -> None:
    store.off = {"keep"}
    with capture_logs() as lines:
        answer = await post(server, "/v1/notes", json={"title": "a"})
    assert answer.status == 201
    assert [line["event"] for line in lines] == ["an answer was not kept for its Idempotency-Key"]
    retried = await post(server, "/v1/notes", json={"title": "a"})
    assert (retried.status, retried.code()) == (409, "request_in_progress")
    assert len(server.notes.kept) == 1


async def test_an_error_is_told_as_it_is_though_the_key_could_not_be_given_back(
    server: Running, store: Switchable
) -> None:
    store.off = {"delete"}
    with capture_logs() as lines:
        answer = await post(server, "/v1/notes", json={"title": ""})
    assert (answer.status, answer.code()) == (422, "validation_failed")
    assert [line["event"] for line in lines] == ["an Idempotency-Key was not given back"]


async def test_who_reads_the_store_reads_no_answers(server: Running, store: Switchable) -> None:
    first = await post(server, "/v1/notes", json={"title": "between the two of us"})
    assert b"between the two of us" in first.body
    kept = [entry.value for entry in store._real._table._entries.values()]
    assert len(kept) == 1
    assert b"between" not in kept[0]
