"""Signed URLs of real S3 servers, used by a plain client that knows nothing of us."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from urllib.parse import quote, urlsplit

import aiohttp
import pytest
from yarl import URL

from adapters.objects import ObjectStore
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.objects import SignedUrl
from tests.adapters.objects.opened import MIB, chunked, digest, put, read, s3_store
from tests.clocks import MovableClock
from tests.services.s3 import S3Service

NAME = 'Größe "ja"; 東京/.pdf'
SHOWN = 'Größe "ja"; 東京_.pdf'

# MinIO says 400 when a signed header is not sent at all.
REFUSED = {400, 403}


@pytest.fixture
async def store(s3_server: S3Service) -> AsyncIterator[ObjectStore]:
    async with s3_store(s3_server) as opened:
        yield opened


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest.fixture
def key() -> str:
    return f"files/{IdGenerator(SystemClock()).next()}"


async def asked(
    client: aiohttp.ClientSession,
    signed: SignedUrl,
    *,
    method: str = "",
    url: str = "",
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case) and body of the request the URL stands for, or of a changed one."""
    async with client.request(
        method or signed.method,
        URL(url or signed.url, encoded=True),
        data=None if data is None else io.BytesIO(data),
        headers=signed.headers if headers is None else headers,
        skip_auto_headers=("Content-Type",),
    ) as response:
        answered = {name.lower(): value for name, value in response.headers.items()}
        return response.status, answered, await response.read()


async def test_a_download_needs_nothing_but_the_url(
    store: ObjectStore, client: aiohttp.ClientSession, key: str
) -> None:
    await put(store, key, b"the bytes of the file", "application/pdf")
    status, headers, body = await asked(client, await store.signer.sign_get(key, expires_in=60))
    assert (status, body) == (200, b"the bytes of the file")
    assert headers["content-type"] == "application/pdf"
    assert "attachment" not in headers.get("content-disposition", "")


async def test_a_download_by_name_is_an_attachment_of_that_name(
    store: ObjectStore, client: aiohttp.ClientSession, key: str
) -> None:
    await put(store, key, b"x", "application/pdf")
    _, headers, _ = await asked(client, await store.signer.sign_get(key, expires_in=60, file_name=NAME))
    disposition = headers["content-disposition"]
    assert disposition.startswith("attachment; ")
    assert "filename*=UTF-8''" + quote(SHOWN, safe="") in disposition


async def test_a_download_by_range(store: ObjectStore, client: aiohttp.ClientSession, key: str) -> None:
    await put(store, key, bytes(range(100)))
    signed = await store.signer.sign_get(key, expires_in=60)
    status, headers, body = await asked(client, signed, headers={"Range": "bytes=10-19"})
    assert (status, body) == (206, bytes(range(10, 20)))
    assert headers["content-range"] == "bytes 10-19/100"


async def test_an_upload_of_what_was_signed(store: ObjectStore, client: aiohttp.ClientSession, key: str) -> None:
    data = bytes(2 * MIB)
    signed = await store.signer.sign_put(key, expires_in=60, content_type="image/png", size=len(data))
    status, _, _ = await asked(client, signed, data=data)
    assert status == 200
    found = await store.objects.stat(key)
    assert found is not None
    assert (found.size, found.content_type) == (2 * MIB, "image/png")


async def test_an_upload_of_anything_else_is_refused(
    store: ObjectStore, client: aiohttp.ClientSession, key: str
) -> None:
    signed = await store.signer.sign_put(key, expires_in=60, content_type="image/png", size=100)
    larger, smaller, renamed = bytes(101), bytes(99), bytes(100)
    assert (await asked(client, signed, data=larger, headers={"Content-Type": "image/png"}))[0] in REFUSED
    assert (await asked(client, signed, data=smaller, headers={"Content-Type": "image/png"}))[0] in REFUSED
    assert (await asked(client, signed, data=renamed, headers={"Content-Type": "text/html"}))[0] in REFUSED
    assert (await asked(client, signed, data=renamed, headers={}))[0] in REFUSED
    assert await store.objects.stat(key) is None


async def test_an_upload_url_works_for_its_key_and_method_only(
    store: ObjectStore, client: aiohttp.ClientSession, key: str
) -> None:
    await put(store, key, b"kept")
    signed = await store.signer.sign_put(key, expires_in=60, content_type="image/png", size=1)
    elsewhere = signed.url.replace(key, key + "x")
    assert (await asked(client, signed, url=elsewhere, data=b"x"))[0] in REFUSED
    for method in ("GET", "DELETE"):
        assert (await asked(client, signed, method=method, headers={}))[0] in REFUSED
    download = await store.signer.sign_get(key, expires_in=60)
    assert (await asked(client, download, method="PUT", data=b"x"))[0] in REFUSED
    assert await read(store, key) == b"kept"
    assert await store.objects.stat(key + "x") is None


@pytest.mark.parametrize("parameter", ["X-Amz-Expires", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"])
async def test_a_changed_url_is_refused(
    store: ObjectStore, client: aiohttp.ClientSession, key: str, parameter: str
) -> None:
    await put(store, key, b"secret")
    signed = await store.signer.sign_get(key, expires_in=60, file_name="a.txt")
    changes = {
        "X-Amz-Expires": ("X-Amz-Expires=60", "X-Amz-Expires=600"),
        "X-Amz-Date": ("X-Amz-Date=2", "X-Amz-Date=3"),
        "X-Amz-SignedHeaders": ("SignedHeaders=host", "SignedHeaders="),
        "X-Amz-Signature": ("X-Amz-Signature=", "X-Amz-Signature=0"),
    }
    before, after = changes[parameter]
    assert before in signed.url
    status, _, body = await asked(client, signed, url=signed.url.replace(before, after))
    assert status in REFUSED
    assert b"secret" not in body
    renamed = signed.url.replace("a.txt", "b.exe")
    assert (await asked(client, signed, url=renamed))[0] in REFUSED


async def test_an_expired_url_is_refused(s3_server: S3Service, client: aiohttp.ClientSession, key: str) -> None:
    clock = MovableClock()
    async with s3_store(s3_server, clock=clock) as store:
        await put(store, key, b"secret")
        clock.ahead = -120
        download = await store.signer.sign_get(key, expires_in=60)
        upload = await store.signer.sign_put(key, expires_in=60, content_type="text/plain", size=3)
        assert (await asked(client, download))[0] in REFUSED
        assert (await asked(client, upload, data=b"new"))[0] in REFUSED
        clock.ahead = 0
        assert await read(store, key) == b"secret"


async def test_parts_are_uploaded_by_the_client(store: ObjectStore, client: aiohttp.ClientSession, key: str) -> None:
    upload = await store.multipart.begin(key, content_type="video/mp4")
    first = await store.signer.sign_part(key, upload, 1, expires_in=60, size=5 * MIB)
    status, headers, _ = await asked(client, first, data=b"a" * 5 * MIB)
    assert status == 200
    last = await store.multipart.put_part(key, upload, 2, chunked(b"end"), size=3)
    wrong = await store.signer.sign_part(key, upload, 3, expires_in=60, size=4)
    assert (await asked(client, wrong, data=b"12345", headers={}))[0] in REFUSED
    parts = await store.multipart.parts(key, upload)
    assert [part.number for part in parts] == [1, 2]
    assert parts[0].etag == headers["etag"].strip('"')
    assert parts[1] == last
    await store.multipart.complete(key, upload, parts)
    assert (await digest(store, key))[0] == 5 * MIB + 3


async def test_clients_are_sent_to_the_public_address(
    s3_server: S3Service, client: aiohttp.ClientSession, key: str
) -> None:
    public = f"http://localhost:{s3_server.port}"
    async with s3_store(s3_server, public_endpoint=public) as store:
        await put(store, key, b"seen from outside")
        signed = await store.signer.sign_get(key, expires_in=60)
    assert urlsplit(signed.url).hostname == "localhost"
    assert (await asked(client, signed))[2] == b"seen from outside"
