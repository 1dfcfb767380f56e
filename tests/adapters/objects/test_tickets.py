"""Signed URLs of the local store: they permit what was signed, until it expires, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.objects.tickets import PATH, Grant, LocalSigner, verify
from kernel.errors import Forbidden, Malformed
from kernel.objects import SignedUrl
from tests.adapters.objects.opened import BASE_URL, SIGNING_KEY
from tests.clocks import VirtualClock

NOW = 1_800_000_000.0
UPLOAD = "0123456789abcdef" * 2


@pytest.fixture
def signer() -> LocalSigner:
    return LocalSigner(SIGNING_KEY, BASE_URL, VirtualClock(NOW))


def arrives_as(signed: SignedUrl) -> tuple[str, Mapping[str, str]]:
    """The key and the query a server sees."""
    parts = urlsplit(signed.url)
    assert f"{parts.scheme}://{parts.netloc}" == BASE_URL
    assert parts.path.startswith(PATH)
    return unquote(parts.path.removeprefix(PATH)), dict(parse_qsl(parts.query, strict_parsing=True))


def permits(signed: SignedUrl, method: str = "", *, now: float = NOW, key: bytes = SIGNING_KEY) -> Grant:
    path, query = arrives_as(signed)
    return verify(key, method or signed.method, path, query, now=now)


async def test_a_download_is_permitted_until_it_expires(signer: LocalSigner) -> None:
    signed = await signer.sign_get("files/1", expires_in=60, file_name="Grüße & mehr.txt")
    assert (signed.method, signed.headers, signed.expires_at) == ("GET", {}, NOW + 60)
    expected = Grant("GET", "files/1", NOW + 60, file_name="Grüße & mehr.txt")
    assert permits(signed) == expected
    assert permits(signed, "HEAD") == expected
    assert permits(signed, now=NOW + 59.9) == expected
    with pytest.raises(Forbidden) as late:
        permits(signed, now=NOW + 60)
    assert late.value.code == "signature_expired"


async def test_an_upload_is_permitted_with_its_type_and_size_only(signer: LocalSigner) -> None:
    signed = await signer.sign_put("files/1", expires_in=60, content_type="image/png", size=1234)
    assert signed.headers == {"Content-Type": "image/png", "Content-Length": "1234"}
    grant = permits(signed)
    assert (grant.content_type, grant.size, grant.upload, grant.part) == ("image/png", 1234, None, None)
    grant.admit_body("image/png", 1234)
    for content_type, length in [("image/png", 1235), ("image/png", None), ("text/html", 1234), (None, 1234)]:
        with pytest.raises(Forbidden) as refusal:
            grant.admit_body(content_type, length)
        assert refusal.value.code == "signature_invalid"


async def test_a_part_is_permitted_for_its_upload_and_number(signer: LocalSigner) -> None:
    signed = await signer.sign_part("files/1", UPLOAD, 7, expires_in=60, size=99)
    grant = permits(signed)
    assert (grant.upload, grant.part, grant.size, grant.content_type) == (UPLOAD, 7, 99, None)
    grant.admit_body("application/octet-stream", 99)
    with pytest.raises(Forbidden):
        grant.admit_body(None, 98)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST", "put"])
async def test_an_upload_url_permits_no_other_method(signer: LocalSigner, method: str) -> None:
    signed = await signer.sign_put("files/1", expires_in=60, content_type="image/png", size=1)
    with pytest.raises(Forbidden) as refusal:
        permits(signed, method)
    assert refusal.value.code == "signature_invalid"


async def test_a_download_url_permits_no_upload(signer: LocalSigner) -> None:
    with pytest.raises(Forbidden):
        permits(await signer.sign_get("files/1", expires_in=60), "PUT")


async def test_another_key_does_not_verify(signer: LocalSigner) -> None:
    with pytest.raises(Forbidden):
        permits(await signer.sign_get("files/1", expires_in=60), key=SIGNING_KEY + b"!")


names = st.sampled_from(["expires", "size", "type", "name", "upload", "part", "signature", "more"])


@given(
    change=st.dictionaries(names, st.text(max_size=8) | st.none(), min_size=1),
    path=st.sampled_from(["files/1", "files/2", "files/1/", "files//1"]),
)
async def test_any_change_is_refused(change: dict[str, str | None], path: str) -> None:
    signer = LocalSigner(SIGNING_KEY, BASE_URL, VirtualClock(NOW))
    signed = await signer.sign_put("files/1", expires_in=60, content_type="image/png", size=1234)
    _, query = arrives_as(signed)
    changed = {name: value for name, value in {**query, **change}.items() if value is not None}
    if changed == query and path == "files/1":
        return
    with pytest.raises(Forbidden) as refusal:
        verify(SIGNING_KEY, "PUT", path, changed, now=NOW)
    assert refusal.value.code == "signature_invalid"


async def test_parameters_cannot_slide_into_each_other(signer: LocalSigner) -> None:
    """Two grants with the same characters in other places have other signatures."""
    one = await signer.sign_get("files/1", expires_in=60, file_name="a&size=5")
    _, query = arrives_as(one)
    with pytest.raises(Forbidden):
        verify(SIGNING_KEY, "GET", "files/1", {**query, "name": "a", "size": "5"}, now=NOW)


async def test_nothing_is_signed_that_would_not_be_served(signer: LocalSigner) -> None:
    for refused in (
        signer.sign_get("../etc/passwd", expires_in=60),
        signer.sign_get("files/1", expires_in=0),
        signer.sign_get("files/1", expires_in=8 * 86400),
        signer.sign_put("files/1", expires_in=60, content_type="x", size=1),
        signer.sign_put("files/1", expires_in=60, content_type="a/b", size=-1),
        signer.sign_part("files/1", UPLOAD, 10_001, expires_in=60, size=1),
    ):
        with pytest.raises(Malformed):
            await refused
