"""What every object store promises: a local directory, OpenStack Swift and MinIO alike."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import psutil
import pytest

from adapters.objects import ObjectStore
from kernel.clock import SystemClock
from kernel.errors import Malformed, NotFound, SecureConnectError, Unprocessable
from kernel.ids import IdGenerator
from kernel.objects import UploadedPart
from tests.adapters.objects.opened import (
    MIB,
    chunked,
    digest,
    local_store,
    put,
    read,
    repeated,
    s3_store,
    stuck_after,
)


@pytest.fixture(params=["local", *(pytest.param(name, marks=pytest.mark.service(name)) for name in ("swift", "minio"))])
async def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ObjectStore]:
    if request.param == "local":
        opened = local_store(tmp_path_factory.mktemp("objects"))
    else:
        opened = s3_store(request.getfixturevalue(request.param))
    async with opened as store:
        yield store


@pytest.fixture
def key() -> str:
    return f"files/{IdGenerator(SystemClock()).next()}"


async def test_what_was_put_is_read_back_with_its_size_and_type(store: ObjectStore, key: str) -> None:
    before = time.time()
    info = await store.objects.put(key, chunked(b"four words of text"), size=18, content_type="text/plain")
    assert (info.key, info.size, info.content_type) == (key, 18, "text/plain")
    assert await read(store, key) == b"four words of text"
    found = await store.objects.stat(key)
    assert found is not None
    assert (found.key, found.size, found.content_type, found.etag) == (key, 18, "text/plain", info.etag)
    assert abs(found.modified_at - before) < 5


async def test_an_empty_object_is_an_object(store: ObjectStore, key: str) -> None:
    await put(store, key, b"")
    assert await read(store, key) == b""
    assert await read(store, key, start=3) == b""
    found = await store.objects.stat(key)
    assert found is not None
    assert found.size == 0


async def test_another_object_under_the_key_replaces_the_first(store: ObjectStore, key: str) -> None:
    await put(store, key, b"first", "text/plain")
    await put(store, key, b"the second", "image/png")
    assert await read(store, key) == b"the second"
    found = await store.objects.stat(key)
    assert found is not None
    assert (found.size, found.content_type) == (10, "image/png")


async def test_content_types_keep_their_parameters(store: ObjectStore, key: str) -> None:
    await put(store, key, b"x", "text/plain; charset=utf-8")
    found = await store.objects.stat(key)
    assert found is not None
    assert found.content_type.replace(" ", "").lower() == "text/plain;charset=utf-8"


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, None, slice(0, None)),
        (1, None, slice(1, None)),
        (0, 1, slice(0, 1)),
        (65_535, 3, slice(65_535, 65_538)),
        (299_990, 100, slice(299_990, None)),
        (299_999, None, slice(299_999, None)),
        (300_000, None, slice(0, 0)),
        (300_001, 5, slice(0, 0)),
        (10, 0, slice(0, 0)),
    ],
)
async def test_any_range_can_be_read(
    store: ObjectStore, key: str, start: int, length: int | None, expected: slice
) -> None:
    data = bytes(range(256)) * 1171 + bytes(224)
    await put(store, key, data)
    assert await read(store, key, start=start, length=length) == data[expected]


async def test_what_is_not_there_is_not_found(store: ObjectStore, key: str) -> None:
    assert await store.objects.stat(key) is None
    for length in (None, 0, 5):
        with pytest.raises(NotFound):
            async with store.objects.open(key, length=length):
                pytest.fail("entered an object that does not exist")


async def test_deleted_is_gone_and_deleting_twice_is_fine(store: ObjectStore, key: str) -> None:
    await put(store, key, b"short-lived")
    await store.objects.delete(key)
    assert await store.objects.stat(key) is None
    await store.objects.delete(key)


@pytest.mark.parametrize("size", [3, 300_000, 3 * MIB])
@pytest.mark.parametrize("difference", [-1, 1])
async def test_a_wrong_size_is_refused_and_leaves_nothing(
    store: ObjectStore, key: str, size: int, difference: int
) -> None:
    with pytest.raises(Malformed) as refusal:
        await store.objects.put(key, chunked(bytes(size)), size=size + difference, content_type="text/plain")
    assert refusal.value.code == "size_mismatch"
    assert await store.objects.stat(key) is None


async def test_a_wrong_size_leaves_the_object_that_was_there(store: ObjectStore, key: str) -> None:
    await put(store, key, b"the one that counts")
    with pytest.raises(Malformed):
        await store.objects.put(key, chunked(bytes(500_000)), size=500_001, content_type="text/plain")
    assert await read(store, key) == b"the one that counts"


@pytest.mark.parametrize("held", [1000, MIB])
async def test_a_source_that_fails_half_way_leaves_nothing_and_its_error_is_heard(
    store: ObjectStore, key: str, held: int
) -> None:
    class UploadBroke(Exception):
        pass

    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(held)
        raise UploadBroke

    with pytest.raises(UploadBroke):
        await store.objects.put(key, breaking(), size=2 * held, content_type="text/plain")
    assert await store.objects.stat(key) is None


@pytest.mark.parametrize("held", [1000, MIB])
async def test_a_put_cancelled_half_way_leaves_nothing(store: ObjectStore, key: str, held: int) -> None:
    await put(store, key + "-warm", bytes(MIB))
    before = _holdings()
    for _ in range(5):
        reached = asyncio.Event()
        source = stuck_after(bytes(held), reached)
        task = asyncio.create_task(store.objects.put(key, source, size=2 * held, content_type="text/plain"))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await source.aclose()
    assert await store.objects.stat(key) is None
    assert key not in await store.objects.keys(key)
    await _settled(before)


async def test_a_read_broken_off_leaves_no_connection_and_no_file_open(store: ObjectStore, key: str) -> None:
    await put(store, key, bytes(8 * MIB))
    before = _holdings()
    for _ in range(5):
        async with store.objects.open(key) as content:
            await anext(content)
    await _settled(before)
    assert len(await read(store, key, length=10)) == 10


async def test_readers_of_a_key_see_one_whole_object_while_it_is_replaced(store: ObjectStore, key: str) -> None:
    await put(store, key, b"a" * MIB)
    writing = asyncio.Event()

    async def replace() -> None:
        for letter in b"bcdefgh":
            await put(store, key, bytes([letter]) * MIB)
        writing.set()

    replacing = asyncio.create_task(replace())
    seen = set()
    while not writing.is_set():
        data = await read(store, key)
        assert len(data) == MIB
        assert data == data[:1] * MIB
        seen.add(data[:1])
    await replacing
    assert len(seen) > 1


async def test_of_concurrent_puts_one_wins_whole(store: ObjectStore, key: str) -> None:
    candidates = {hashlib.sha256(bytes([letter]) * MIB).hexdigest(): bytes([letter]) for letter in b"abcdefgh"}

    async def attempt(letter: bytes) -> None:
        await store.objects.put(key, repeated(letter * 65_536, 16), size=MIB, content_type="text/plain")

    await asyncio.gather(*(attempt(letter) for letter in candidates.values()))
    assert await digest(store, key) in {(MIB, candidate) for candidate in candidates}


async def test_keys_come_in_byte_order_by_prefix_and_page(store: ObjectStore, key: str) -> None:
    names = ["a", "a-b", "a.b", "a0", "aB", "a_b", "ab", "b-c", "b/c", "b.c", "b0", "B", "Z/1", "long/" + "x" * 255]
    expected = sorted(f"{key}/{name}" for name in names)
    await asyncio.gather(*(put(store, name, b"x") for name in expected))
    await put(store, key.replace("files/", "other/"), b"x")
    assert list(await store.objects.keys(f"{key}/")) == expected
    assert list(await store.objects.keys(f"{key}/a")) == [name for name in expected if name.startswith(f"{key}/a")]
    paged: list[str] = []
    while page := await store.objects.keys(f"{key}/", after=paged[-1] if paged else "", limit=5):
        assert len(page) <= 5
        paged += page
    assert paged == expected
    assert list(await store.objects.keys(f"{key}/", after=f"{key}/a.", limit=1)) == [f"{key}/a.b"]
    assert list(await store.objects.keys(f"{key}/nothing")) == []


@pytest.mark.parametrize(
    "bad", ["", "/a", "a/", "a//b", "a/../b", "..", "./a", "a\n", "a b", "ä", "a" * 256, "ab/" * 171, "a/."]
)
async def test_a_bad_key_is_refused_everywhere(store: ObjectStore, bad: str) -> None:
    part = UploadedPart(1, "e")
    for attempt in (
        lambda: store.objects.put(bad, chunked(b"x"), size=1, content_type="text/plain"),
        lambda: store.objects.stat(bad),
        lambda: store.objects.delete(bad),
        lambda: read(store, bad),
        lambda: store.signer.sign_get(bad, expires_in=60),
        lambda: store.signer.sign_put(bad, expires_in=60, content_type="text/plain", size=1),
        lambda: store.multipart.begin(bad, content_type="text/plain"),
        lambda: store.multipart.complete(bad, "f" * 32, [part]),
    ):
        with pytest.raises(SecureConnectError) as refusal:
            await attempt()
        assert refusal.value.code == "invalid_key"


async def test_a_content_type_cannot_carry_a_header(store: ObjectStore, key: str) -> None:
    for bad in ("text/plain\r\nX-Evil: 1", "text", "text/plain; x=\ny", ""):
        with pytest.raises(Malformed):
            await store.objects.put(key, chunked(b"x"), size=1, content_type=bad)


@pytest.mark.slow
async def test_a_large_object_streams_both_ways_in_constant_memory(store: ObjectStore, key: str) -> None:
    await put(store, key + "-warm", bytes(4 * MIB))
    await digest(store, key + "-warm")
    chunk = os.urandom(MIB)
    expected = hashlib.sha256()
    for _ in range(64):
        expected.update(chunk)
    process = psutil.Process()
    before = process.memory_info().rss
    peak = before

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    await store.objects.put(key, repeated(chunk, 64), size=64 * MIB, content_type="video/mp4")
    assert await digest(store, key) == (64 * MIB, expected.hexdigest())
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    print(f"peak growth {(peak - before) / MIB:.1f} MiB")
    assert peak - before < 16 * MIB


async def test_the_loop_keeps_turning_during_a_large_put(store: ObjectStore, key: str) -> None:
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    beating = asyncio.create_task(beat())
    await store.objects.put(key, repeated(bytes(MIB), 32), size=32 * MIB, content_type="video/mp4")
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating
    # One piece takes well under a millisecond; a busy machine takes the processor away for longer than that.
    assert longest < 0.1


class TestMultipart:
    async def test_parts_in_any_order_become_one_object(self, store: ObjectStore, key: str) -> None:
        contents = {1: os.urandom(5 * MIB), 2: os.urandom(6 * MIB), 3: os.urandom(100)}
        upload = await store.multipart.begin(key, content_type="video/webm")
        parts = {}
        for number in (3, 1, 2):
            data = contents[number]
            parts[number] = await store.multipart.put_part(key, upload, number, chunked(data), size=len(data))
        assert await store.objects.stat(key) is None
        assert list(await store.multipart.parts(key, upload)) == [parts[1], parts[2], parts[3]]
        info = await store.multipart.complete(key, upload, [parts[2], parts[3], parts[1]])
        whole = contents[1] + contents[2] + contents[3]
        assert (info.key, info.size, info.content_type) == (key, len(whole), "video/webm")
        assert await digest(store, key) == (len(whole), hashlib.sha256(whole).hexdigest())
        assert await read(store, key, start=5 * MIB - 2, length=4) == whole[5 * MIB - 2 : 5 * MIB + 2]
        assert await store.objects.stat(key) == info

    async def test_a_part_sent_again_replaces_the_first(self, store: ObjectStore, key: str) -> None:
        upload = await store.multipart.begin(key, content_type="text/plain")
        old = await store.multipart.put_part(key, upload, 1, chunked(b"old"), size=3)
        new = await store.multipart.put_part(key, upload, 1, chunked(b"newer"), size=5)
        assert list(await store.multipart.parts(key, upload)) == [new]
        with pytest.raises(Unprocessable) as refusal:
            await store.multipart.complete(key, upload, [old])
        assert refusal.value.code == "invalid_part"
        await store.multipart.complete(key, upload, [new])
        assert await read(store, key) == b"newer"

    async def test_completing_again_answers_the_same_object(self, store: ObjectStore, key: str) -> None:
        upload = await store.multipart.begin(key, content_type="text/plain")
        part = await store.multipart.put_part(key, upload, 1, chunked(b"once"), size=4)
        first = await store.multipart.complete(key, upload, [part])
        again = await store.multipart.complete(key, upload, [part])
        assert (again.key, again.size, again.etag) == (first.key, first.size, first.etag)

    async def test_only_the_parts_named_are_joined(self, store: ObjectStore, key: str) -> None:
        upload = await store.multipart.begin(key, content_type="text/plain")
        await store.multipart.put_part(key, upload, 1, chunked(b"left out"), size=8)
        second = await store.multipart.put_part(key, upload, 2, chunked(b"kept"), size=4)
        await store.multipart.complete(key, upload, [second])
        assert await read(store, key) == b"kept"

    async def test_a_small_part_before_the_last_is_refused(self, store: ObjectStore, key: str) -> None:
        upload = await store.multipart.begin(key, content_type="text/plain")
        parts = [await store.multipart.put_part(key, upload, n, chunked(b"tiny"), size=4) for n in (1, 2)]
        with pytest.raises(Unprocessable) as refusal:
            await store.multipart.complete(key, upload, parts)
        assert refusal.value.code == "part_too_small"
        assert await store.objects.stat(key) is None
        await store.multipart.abort(key, upload)

    async def test_aborted_is_gone_with_its_parts(self, store: ObjectStore, key: str) -> None:
        upload = await store.multipart.begin(key, content_type="text/plain")
        part = await store.multipart.put_part(key, upload, 1, chunked(b"in vain"), size=7)
        await store.multipart.abort(key, upload)
        await store.multipart.abort(key, upload)
        for attempt in (
            lambda: store.multipart.parts(key, upload),
            lambda: store.multipart.complete(key, upload, [part]),
            lambda: store.multipart.put_part(key, upload, 2, chunked(b"late"), size=4),
        ):
            with pytest.raises(NotFound) as missing:
                await attempt()
            assert missing.value.code == "upload_not_found"
        assert await store.objects.stat(key) is None

    async def test_an_upload_belongs_to_its_key(self, store: ObjectStore, key: str) -> None:
        upload = await store.multipart.begin(key, content_type="text/plain")
        with pytest.raises(NotFound):
            await store.multipart.put_part(key + "-other", upload, 1, chunked(b"x"), size=1)
        await store.multipart.abort(key, upload)

    async def test_a_part_of_the_wrong_size_is_refused(self, store: ObjectStore, key: str) -> None:
        upload = await store.multipart.begin(key, content_type="text/plain")
        for size in (3, 600_000):
            with pytest.raises(Malformed) as refusal:
                await store.multipart.put_part(key, upload, 1, chunked(bytes(size)), size=size + 1)
            assert refusal.value.code == "size_mismatch"
        assert list(await store.multipart.parts(key, upload)) == []
        await store.multipart.abort(key, upload)

    @pytest.mark.parametrize("number", [0, -1, 10_001])
    async def test_part_numbers_are_bounded(self, store: ObjectStore, key: str, number: int) -> None:
        upload = await store.multipart.begin(key, content_type="text/plain")
        with pytest.raises(Malformed):
            await store.multipart.put_part(key, upload, number, chunked(b"x"), size=1)
        await store.multipart.abort(key, upload)

    async def test_completing_with_no_part_or_one_twice_is_refused(self, store: ObjectStore, key: str) -> None:
        upload = await store.multipart.begin(key, content_type="text/plain")
        part = await store.multipart.put_part(key, upload, 1, chunked(b"x"), size=1)
        for parts in ([], [part, part]):
            with pytest.raises(Malformed):
                await store.multipart.complete(key, upload, parts)
        await store.multipart.abort(key, upload)


async def test_the_probe_says_it_is_well(store: ObjectStore) -> None:
    result = await store.dependency.probe()
    assert result.ok, result.error
    assert (store.dependency.name, store.dependency.required) == ("objects", False)


def _holdings() -> tuple[int, int]:
    """Connections and regular files of ours that are open, and threads."""
    process = psutil.Process()
    return len(process.net_connections()) + len(process.open_files()), threading.active_count()


async def _settled(before: tuple[int, int]) -> None:
    """Waits until nothing more is held than before: sockets close in the loop's next turns."""
    async with asyncio.timeout(5):
        while _holdings()[0] > before[0]:
            await asyncio.sleep(0.01)
    # The pool starts threads on demand, up to its bound, and keeps them.
    assert _holdings()[1] <= before[1] + 8
