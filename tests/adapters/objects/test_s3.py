"""What an S3 server may do to us beyond the contract: refuse, lose its bucket, stumble, answer nonsense."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from adapters.objects import ObjectStore
from adapters.objects.s3 import open_s3
from adapters.objects.s3_place import Place
from config.sections import Objects
from config.values import Duration, Secret
from kernel.breaker import Circuit
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable, NotFound, Overloaded, SecureConnectError
from kernel.metrics import Metrics
from kernel.objects import UploadedPart
from tests.adapters.objects.opened import MIB, chunked, put, read, repeated, s3_store, stuck_after
from tests.services.process import free_port
from tests.services.s3 import S3Service


class TestOpening:
    async def test_a_wrong_secret_is_named_at_once(self, s3_server: S3Service) -> None:
        with pytest.raises(DependencyUnavailable, match=r"objects\.(secret|access)_key"):
            async with s3_store(s3_server, secret_key="wrong"):
                pytest.fail("opened with a wrong secret")

    async def test_a_missing_bucket_is_made(self, s3_server: S3Service) -> None:
        async with s3_store(s3_server, bucket=_unused_bucket()) as store:
            await put(store, "a", b"x")
            assert await read(store, "a") == b"x"

    async def test_two_nodes_may_make_the_bucket_at_the_same_time(self, s3_server: S3Service) -> None:
        bucket = _unused_bucket()

        async def node(number: int) -> None:
            async with s3_store(s3_server, bucket=bucket) as store:
                await put(store, f"node/{number}", b"x")

        await asyncio.gather(*(node(number) for number in range(4)))

    async def test_a_server_that_is_away_is_not_waited_for(self) -> None:
        async with _scripted(free_port()) as store:
            assert not (await store.dependency.probe()).ok
            with pytest.raises(DependencyUnavailable):
                await store.objects.stat("a")

    async def test_tls_is_verified_against_the_authority_given(self, s3_server: S3Service, tmp_path: Path) -> None:
        authority, stranger = trustme.CA(), trustme.CA()
        ours, theirs = tmp_path / "ours.pem", tmp_path / "theirs.pem"
        authority.cert_pem.write_to_path(ours)
        stranger.cert_pem.write_to_path(theirs)
        async with _tls_in_front_of(s3_server, authority) as endpoint:
            async with s3_store(s3_server, endpoint=endpoint, tls_ca=str(ours)) as store:
                await store.objects.put("tls", repeated(bytes(MIB), 2), size=2 * MIB, content_type="a/b")
                assert len(await read(store, "tls")) == 2 * MIB
            async with s3_store(s3_server, endpoint=endpoint, tls_ca=str(theirs)) as store:
                probe = await store.dependency.probe()
                assert probe.error is not None
                assert "certificate" in probe.error.lower()


class TestBucketThatVanished:
    """An operator emptied the server under a running node."""

    @pytest.mark.parametrize("size", [10, MIB])
    async def test_a_put_makes_it_again(self, s3_server: S3Service, size: int) -> None:
        bucket = _unused_bucket()
        async with s3_store(s3_server, bucket=bucket) as store:
            await _remove_bucket(s3_server, bucket)
            # A server that looks for the bucket only when it has the bytes answers "again, please".
            try:
                await put(store, "a", bytes(size))
            except DependencyUnavailable:
                await put(store, "a", bytes(size))
            assert len(await read(store, "a")) == size

    async def test_reading_from_it_finds_nothing(self, s3_server: S3Service) -> None:
        bucket = _unused_bucket()
        async with s3_store(s3_server, bucket=bucket) as store:
            await _remove_bucket(s3_server, bucket)
            assert await store.objects.stat("a") is None
            assert await store.objects.keys("") == []
            await store.objects.delete("a")
            with pytest.raises(NotFound):
                await read(store, "a")


async def test_transfers_leave_connections_for_quick_requests(s3_server: S3Service) -> None:
    async with s3_store(s3_server, connections=3, timeout=1.0) as store:
        await put(store, "a", b"x")
        reached = [asyncio.Event(), asyncio.Event()]
        sources = [stuck_after(bytes(MIB), event) for event in reached]
        stuck = [
            asyncio.create_task(
                store.objects.put(f"stuck/{number}", source, size=2 * MIB, content_type="video/mp4"),
            )
            for number, source in enumerate(sources)
        ]
        await asyncio.gather(*(event.wait() for event in reached))
        assert await store.objects.stat("a") is not None
        with pytest.raises(Overloaded):
            await read(store, "a")
        assert (await store.dependency.probe()).circuit is Circuit.CLOSED
        for task, source in zip(stuck, sources, strict=True):
            task.cancel()
            await asyncio.wait({task})
            await source.aclose()
        assert await read(store, "a") == b"x"


async def test_a_source_that_dawdles_is_not_the_servers_fault(s3_server: S3Service) -> None:
    async def dawdling() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0.4)
            yield bytes(MIB // 2)

    async with s3_store(s3_server, timeout=0.3, stall_timeout=0.3) as store:
        info = await store.objects.put("slow", dawdling(), size=3 * MIB // 2, content_type="video/mp4")
        assert info.size == 3 * MIB // 2


# --- a server that says what a healthy one never would -----------------------------------------------------------


@dataclass
class Script:
    """What the server answers to (method, query parameter), in turn; the last one goes on."""

    answers: dict[tuple[str, str], list[Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]]]
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        for (method, parameter), answers in self.answers.items():
            if request.method == method and (not parameter or parameter in request.query):
                self.asked.append((method, parameter))
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                return await answer(request)
        return web.Response(status=200)


def says(status: int, body: str = "", **headers: str) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await ask_for_the_body(request)
        async for _ in request.content.iter_any():
            pass
        return web.Response(status=status, text=body, headers=headers)

    return answer


async def ask_for_the_body(request: web.BaseRequest) -> None:
    if "Expect" in request.headers:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def refuse_unread(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(status=503, text=error("SlowDown"))


def error(code: str) -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>so it is</Message></Error>"


async def hang_up(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def half_a_body(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(bytes(500))
    assert request.transport is not None
    request.transport.abort()
    return response


@asynccontextmanager
async def server(
    answers: dict[tuple[str, str], list[Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]]],
) -> AsyncIterator[tuple[Script, ObjectStore]]:
    script = Script(answers)
    # A handler whose client has gone is cancelled, as it would be behind a real server.
    runner = web.ServerRunner(web.Server(script.handle, handler_cancellation=True), shutdown_timeout=1.0)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with _scripted(port) as store:
            yield script, store
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _scripted(port: int) -> AsyncIterator[ObjectStore]:
    settings = Objects(
        endpoint=f"http://127.0.0.1:{port}",
        access_key="key",
        secret_key=Secret("secret"),
        timeout=Duration(2),
        stall_timeout=Duration(0.5),
    )
    async with open_s3(settings, clock=SystemClock(), metrics=Metrics()) as store:
        yield store


LISTING = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key></Contents></ListBucketResult>"


@pytest.mark.parametrize("hiccup", [says(500), says(503, error("SlowDown")), says(502, "<html>"), hang_up])
async def test_a_hiccup_is_ridden_out(hiccup: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
    async with server({("GET", "list-type"): [hiccup, hiccup, says(200, LISTING)]}) as (script, store):
        assert await store.objects.keys("") == ["a"]
        assert len(script.asked) == 3


async def test_more_than_a_hiccup_is_an_outage() -> None:
    async with server({("GET", "list-type"): [says(503, error("SlowDown"))]}) as (script, store):
        with pytest.raises(DependencyUnavailable, match="SlowDown"):
            await store.objects.keys("")
        assert len(script.asked) == 3


async def test_a_small_put_is_sent_again_after_a_hiccup() -> None:
    async with server({("PUT", ""): [hang_up, says(200, ETag='"e"')]}) as (script, store):
        await store.objects.put("a", chunked(b"small"), size=5, content_type="a/b")
        assert len(script.asked) == 2


async def test_a_streamed_put_is_not_sent_again_once_its_source_was_read() -> None:
    async with server({("PUT", ""): [says(503, error("SlowDown")), says(200)]}) as (script, store):
        with pytest.raises(DependencyUnavailable, match="a transfer broke"):
            await store.objects.put("a", repeated(bytes(MIB), 2), size=2 * MIB, content_type="a/b")
        assert len(script.asked) == 1


async def test_a_streamed_put_refused_before_its_source_was_read_is_sent_again() -> None:
    md5 = hashlib.md5(bytes(2 * MIB), usedforsecurity=False).hexdigest()
    async with server({("PUT", ""): [refuse_unread, refuse_unread, says(200, ETag=f'"{md5}"')]}) as (script, store):
        info = await store.objects.put("a", repeated(bytes(MIB), 2), size=2 * MIB, content_type="a/b")
        assert info.etag == md5
        assert len(script.asked) == 3


async def test_a_server_that_never_asks_for_the_body_is_given_up_before_the_source_is_read() -> None:
    async def silent(_request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    read: list[bytes] = []

    async def watched() -> AsyncIterator[bytes]:
        read.append(b"read")
        yield bytes(2 * MIB)

    async with server({("PUT", ""): [silent]}) as (_, store):
        with pytest.raises(DependencyUnavailable, match=r"no answer within"):
            await store.objects.put("a", watched(), size=2 * MIB, content_type="a/b")
    assert not read


async def test_a_checksum_that_differs_is_not_taken_for_success() -> None:
    wrong = hashlib.md5(b"other", usedforsecurity=False).hexdigest()
    async with server({("PUT", ""): [says(200, ETag=f'"{wrong}"')]}) as (_, store):
        with pytest.raises(DependencyUnavailable, match="a transfer broke"):
            await store.objects.put("a", repeated(bytes(MIB), 2), size=2 * MIB, content_type="a/b")


async def test_a_download_cut_short_is_not_taken_for_the_object() -> None:
    async with server({("GET", ""): [half_a_body]}) as (_, store):
        with pytest.raises(DependencyUnavailable):
            await read(store, "a")


async def test_a_download_that_stands_still_is_given_up() -> None:
    async def stand_still(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(bytes(500))
        await asyncio.Event().wait()
        return response

    async with server({("GET", ""): [stand_still]}) as (_, store):
        async with asyncio.timeout(1.5):
            with pytest.raises(DependencyUnavailable):
                await read(store, "a")


async def test_an_upload_that_stands_still_is_given_up() -> None:
    async def read_nothing(request: web.BaseRequest) -> web.StreamResponse:
        await ask_for_the_body(request)
        await request.content.readany()
        await asyncio.Event().wait()
        return web.Response()

    async with server({("PUT", ""): [read_nothing]}) as (_, store):
        async with asyncio.timeout(1.5):
            with pytest.raises(DependencyUnavailable, match="Stalled"):
                await store.objects.put("a", repeated(bytes(MIB), 64), size=64 * MIB, content_type="a/b")


async def test_an_error_under_status_200_fails_the_completion() -> None:
    part = UploadedPart(1, "0" * 32)
    async with server({("POST", "uploadId"): [says(200, "   \n" + error("InvalidPart"))]}) as (_, store):
        with pytest.raises(SecureConnectError) as refusal:
            await store.multipart.complete("a", "u", [part])
        assert refusal.value.code == "invalid_part"
    async with server({("POST", "uploadId"): [says(200, error("InternalError"))]}) as (script, store):
        with pytest.raises(DependencyUnavailable):
            await store.multipart.complete("a", "u", [part])
        assert len(script.asked) == 3


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html><body>sign in</body></html>",
        "<ListBucketResult>",
        "\x00\x01",
        '<!DOCTYPE x [<!ENTITY e "eeee">]><ListBucketResult><Contents><Key>&e;</Key></Contents></ListBucketResult>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><ListBucketResult/>',
        "<a>" * 1000,
        "<ListBucketResult>" + "x" * (5 << 20) + "</ListBucketResult>",
    ],
)
async def test_nonsense_is_an_outage_and_nothing_worse(body: str) -> None:
    async with server({("GET", "list-type"): [says(200, body)]}) as (_, store):
        with pytest.raises(DependencyUnavailable):
            await store.objects.keys("")


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "AccessDenied", "objects.access_key"),
        (403, "RequestTimeTooSkewed", "clock"),
        (403, "SignatureDoesNotMatch", "objects.secret_key"),
        (400, "AuthorizationHeaderMalformed", "objects.region"),
        (301, "PermanentRedirect", "objects.region"),
        (507, "XMinioStorageFull", "XMinioStorageFull"),
        (418, "Teapot", "418 Teapot"),
    ],
)
async def test_a_refusal_names_its_cure_and_leaves_the_circuit_alone(status: int, code: str, said: str) -> None:
    async with server({("GET", "list-type"): [says(status, error(code))]}) as (_, store):
        with pytest.raises(DependencyUnavailable, match=said):
            await store.objects.keys("")


@pytest.mark.parametrize(
    ("endpoint", "addressing", "url"),
    [
        ("https://minio.test:9000", "path", "https://minio.test:9000/bucket/a/b"),
        ("https://minio.test:443/", "path", "https://minio.test/bucket/a/b"),
        ("http://MinIO.test:80", "path", "http://minio.test/bucket/a/b"),
        ("https://s3.eu-west-1.amazonaws.com", "host", "https://bucket.s3.eu-west-1.amazonaws.com/a/b"),
        ("http://[::1]:9000", "path", "http://[::1]:9000/bucket/a/b"),
    ],
)
def test_both_styles_of_addressing(endpoint: str, addressing: str, url: str) -> None:
    assert Place.of(endpoint, "bucket", "host" if addressing == "host" else "path").url("a/b", "") == url


@pytest.mark.parametrize("endpoint", ["minio:9000", "ftp://minio", "https://", "https://minio/path", "https://m?x=1"])
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        Place.of(endpoint, "bucket", "path")


def _unused_bucket() -> str:
    return f"bucket-{free_port()}-{id(object())}"


async def _remove_bucket(service: S3Service, bucket: str) -> None:
    """As an operator would, with the S3 library."""
    from minio import Minio  # noqa: PLC0415 - blocking, and only wanted here

    client = Minio(
        f"{service.host}:{service.port}",
        service.access_key,
        service.secret_key,
        region=service.region,
        secure=False,
    )
    await asyncio.to_thread(client.remove_bucket, bucket)


@asynccontextmanager
async def _tls_in_front_of(service: S3Service, authority: trustme.CA) -> AsyncIterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    relays: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        relays.add(task)
        inner_reader, inner_writer = await asyncio.open_connection(service.host, service.port)
        pumps = [asyncio.create_task(_pump(reader, inner_writer)), asyncio.create_task(_pump(inner_reader, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in (writer, inner_writer):
                end.transport.abort()

    listener = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    async with listener:
        yield f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
