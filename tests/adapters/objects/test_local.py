"""What a disk does to the local store: it fills up, hangs, is damaged, and the process dies in the middle of a put."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from adapters.guard import Guard
from adapters.objects.drafts import ABANDONED_AFTER
from adapters.objects.pool import THREADS, open_disk_pool
from kernel.breaker import Circuit
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable, NotFound
from kernel.metrics import Metrics
from tests.adapters.objects.opened import MIB, chunked, digest, local_store, put, read, repeated

PROJECT = Path(__file__).parents[3]

# Puts objects until it dies; says of each that it was acknowledged.
WRITER = """
import asyncio, hashlib, sys
from pathlib import Path
from tests.adapters.objects.opened import chunked, local_store

async def put_forever(store, lane):
    for number in range(1_000_000):
        data = hashlib.sha256(f"{lane}/{number}".encode()).digest() * 8192
        await store.objects.put(f"{lane}/{number}", chunked(data), size=len(data), content_type="a/b")
        print(f"{lane}/{number}", flush=True)
        # The same key again and again: killed in the middle of replacing it, one whole version stays.
        version = hashlib.sha256(f"version {number}".encode()).digest() * 8192
        await store.objects.put(f"{lane}/same", chunked(version), size=len(version), content_type="a/b")

async def main():
    async with local_store(Path(sys.argv[1])) as store:
        await asyncio.gather(*(put_forever(store, lane) for lane in "abcd"))

asyncio.run(main())
"""

# Runs into the largest file size the process may write, which the system reports as it does a full disk.
FULL = """
import asyncio, resource, sys
from pathlib import Path
from kernel.errors import DependencyUnavailable
from tests.adapters.objects.opened import local_store, put, read, repeated

async def main():
    async with local_store(Path(sys.argv[1])) as store:
        await put(store, "before", b"x" * 1000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        for number in range(8):
            try:
                await store.objects.put("large", repeated(bytes(1 << 18), 8), size=2 << 20, content_type="a/b")
            except DependencyUnavailable as error:
                print(error.reason)
        assert await read(store, "before") == b"x" * 1000
        assert await store.objects.stat("large") is None
        print((await store.dependency.probe()).circuit.value)

asyncio.run(main())
"""


async def test_what_was_acknowledged_is_there_after_sigkill(tmp_path: Path) -> None:
    acknowledged = await asyncio.to_thread(_written_until_killed, tmp_path)
    assert len(acknowledged) >= 100
    async with local_store(tmp_path) as store:
        for key in acknowledged:
            expected = hashlib.sha256(key.encode()).digest() * 8192
            assert await digest(store, key) == (len(expected), hashlib.sha256(expected).hexdigest())
        whole = {hashlib.sha256(f"version {number}".encode()).digest() for number in range(1000)}
        for lane in "abcd":
            same = await read(store, f"{lane}/same")
            assert same[:32] in whole
            assert same == same[:32] * 8192
        for key in await store.objects.keys(""):
            info = await store.objects.stat(key)
            assert info is not None
            assert (await digest(store, key))[0] == info.size == 32 * 8192


async def test_a_full_disk_is_told_and_leaves_no_rubbish(tmp_path: Path) -> None:
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", FULL, str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.splitlines()
    assert said == ["the disk is full; free space in data_dir"] * 8 + [Circuit.CLOSED.value]
    assert _drafts(tmp_path) == []


async def test_objects_and_unfinished_uploads_survive_a_restart(tmp_path: Path) -> None:
    async with local_store(tmp_path) as store:
        await put(store, "a", b"x", "image/png")
        before = await store.objects.stat("a")
        upload = await store.multipart.begin("b", content_type="text/plain")
        part = await store.multipart.put_part("b", upload, 1, chunked(b"part"), size=4)
    async with local_store(tmp_path) as store:
        assert await store.objects.stat("a") == before
        await store.multipart.complete("b", upload, [part])
        assert await read(store, "b") == b"part"


async def test_files_are_for_this_user_only(tmp_path: Path) -> None:
    async with local_store(tmp_path) as store:
        await put(store, "a/" + "b" * 250, b"x")
        upload = await store.multipart.begin("c", content_type="a/b")
        await store.multipart.put_part("c", upload, 1, chunked(b"x"), size=1)
    for path in (tmp_path / "objects").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


async def test_what_a_dead_process_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    drafts, uploads = tmp_path / "objects" / "drafts", tmp_path / "objects" / "uploads"
    async with local_store(tmp_path) as store:
        old = await store.multipart.begin("a", content_type="a/b")
        young = await store.multipart.begin("b", content_type="a/b")
    (drafts / "old").write_bytes(b"half of something")
    (drafts / "young").write_bytes(b"half of something")
    (drafts / "removed").mkdir()
    (drafts / "removed" / "00001").write_bytes(b"a part")
    long_ago = time.time() - ABANDONED_AFTER - 60
    for path in (drafts / "old", drafts / "removed", uploads / old):
        os.utime(path, (long_ago, long_ago))
    async with local_store(tmp_path) as store:
        async with asyncio.timeout(5):
            while (uploads / old).exists() or (drafts / "old").exists():
                await asyncio.sleep(0.005)
        with pytest.raises(NotFound):
            await store.multipart.parts("a", old)
        assert await store.multipart.parts("b", young) == []
    assert _drafts(tmp_path) == ["young"]


async def test_a_damaged_file_is_no_object_and_says_so(tmp_path: Path) -> None:
    async with local_store(tmp_path) as store:
        await put(store, "a", b"fine")
        (path,) = [path for path in (tmp_path / "objects" / "shelves").rglob("*") if path.is_file()]
        path.write_bytes(b"overwritten by something else")
        for attempt in (store.objects.stat("a"), read(store, "a")):
            with pytest.raises(DependencyUnavailable, match="restore it from a backup"):
                await attempt
        await store.objects.delete("a")
        assert await store.objects.stat("a") is None


async def test_a_truncated_file_fails_the_read_instead_of_ending_it(tmp_path: Path) -> None:
    async with local_store(tmp_path) as store:
        await put(store, "a", bytes(MIB))
        (path,) = [path for path in (tmp_path / "objects" / "shelves").rglob("*") if path.is_file()]
        os.truncate(path, MIB // 2)
        with pytest.raises(DependencyUnavailable, match="shorter"):
            await read(store, "a")


async def test_a_missing_directory_is_an_outage_that_ends_when_it_is_back(tmp_path: Path) -> None:
    async with local_store(tmp_path) as store:
        drafts = tmp_path / "objects" / "drafts"
        drafts.rename(tmp_path / "away")
        with pytest.raises(DependencyUnavailable):
            await put(store, "a", b"x")
        (tmp_path / "away").rename(drafts)
        await put(store, "a", b"x")
        assert await read(store, "a") == b"x"


async def test_many_transfers_share_a_bounded_number_of_threads(tmp_path: Path) -> None:
    before = threading.active_count()
    async with local_store(tmp_path) as store:
        await asyncio.gather(
            *(
                store.objects.put(f"a/{number}", repeated(bytes(MIB // 4), 4), size=MIB, content_type="a/b")
                for number in range(50)
            )
        )
        assert threading.active_count() - before <= THREADS
        assert len(await store.objects.keys("a/")) == 50


async def test_a_disk_that_hangs_is_told_in_time() -> None:
    released = threading.Event()
    guard = Guard("objects", timeout=0.2, outages=(OSError,), clock=SystemClock(), metrics=Metrics())
    async with open_disk_pool(guard) as pool:
        began = time.monotonic()
        with pytest.raises(DependencyUnavailable, match="no answer within"):
            await pool.run(released.wait)
        assert time.monotonic() - began < 0.24
        released.set()
        assert await pool.run(lambda: "back") == "back"


def _drafts(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "objects" / "drafts").iterdir())


def _written_until_killed(data_dir: Path) -> list[str]:
    acknowledged: list[str] = []
    command = [sys.executable, "-c", WRITER, str(data_dir)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            acknowledged.append(line.strip())
            if len(acknowledged) == 100:
                writer.send_signal(signal.SIGKILL)
    return acknowledged
