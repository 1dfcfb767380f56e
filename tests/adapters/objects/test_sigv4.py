"""Our signatures against Amazon's published examples and against the S3 library's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st
from minio.credentials.credentials import Credentials as LibraryCredentials
from minio.signer import presign_v4, sign_v4_s3

from adapters.objects.sigv4 import EMPTY_SHA256, Credentials, Request, presigned_query, query_string, signed_headers
from config.values import Secret

# From "Signature Calculations for the Authorization Header" and "Authenticating Requests: Using Query Parameters"
# of the Amazon S3 API reference.
EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "us-east-1")
EXAMPLE_TIME = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
EXAMPLE_HOST = "examplebucket.s3.amazonaws.com"

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)


def signature_in(headers: Mapping[str, object]) -> str:
    return str(headers["Authorization"]).rpartition("Signature=")[2]


def test_amazons_example_of_a_get() -> None:
    request = Request("GET", EXAMPLE_HOST, "/test.txt", {}, {"Range": "bytes=0-9"})
    headers = signed_headers(request, EMPTY_SHA256, EXAMPLE, EXAMPLE_TIME)
    assert signature_in(headers) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


def test_amazons_example_of_a_put() -> None:
    request = Request(
        "PUT",
        EXAMPLE_HOST,
        "/test%24file.text",
        {},
        {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
    )
    digest = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()
    headers = signed_headers(request, digest, EXAMPLE, EXAMPLE_TIME)
    assert signature_in(headers) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"


def test_amazons_example_of_a_list() -> None:
    request = Request("GET", EXAMPLE_HOST, "/", {"max-keys": "2", "prefix": "J"}, {})
    headers = signed_headers(request, EMPTY_SHA256, EXAMPLE, EXAMPLE_TIME)
    assert signature_in(headers) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"


def test_amazons_example_of_a_presigned_url() -> None:
    query = presigned_query(Request("GET", EXAMPLE_HOST, "/test.txt", {}, {}), 86400, EXAMPLE, EXAMPLE_TIME)
    assert query.endswith("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    query=st.dictionaries(texts, texts, max_size=4),
    content_type=st.text("abc/ ;=-", max_size=20),
    payload=st.binary(max_size=20),
    now=st.integers(0, 4_000_000_000),
)
def test_headers_are_signed_as_the_library_signs_them(
    method: str, query: dict[str, str], content_type: str, payload: bytes, now: int
) -> None:
    digest = hashlib.sha256(payload).hexdigest()
    request = Request(method, "s3.test:9000", "/bucket/a/b", query, {"content-type": content_type})
    ours = signed_headers(request, digest, EXAMPLE, now)
    theirs = sign_v4_s3(
        method=method,
        url=urlsplit(f"https://s3.test:9000/bucket/a/b?{query_string(query)}"),
        region=EXAMPLE.region,
        headers={
            "content-type": content_type,
            "host": "s3.test:9000",
            "x-amz-content-sha256": digest,
            "x-amz-date": ours["x-amz-date"],
        },
        credentials=LibraryCredentials(EXAMPLE.access_key, EXAMPLE.secret_key.reveal()),
        content_sha256=digest,
        date=datetime.fromtimestamp(now, UTC),
    )
    assert signature_in(ours) == signature_in(theirs)


@given(query=st.dictionaries(texts, texts, max_size=4), now=st.integers(0, 4_000_000_000), life=st.integers(1, 604_800))
def test_urls_are_signed_as_the_library_signs_them(query: dict[str, str], now: int, life: int) -> None:
    ours = presigned_query(Request("GET", "s3.test", "/bucket/key", query, {}), life, EXAMPLE, now)
    theirs = presign_v4(
        method="GET",
        url=urlsplit(f"https://s3.test/bucket/key?{query_string(query)}"),
        region=EXAMPLE.region,
        credentials=LibraryCredentials(EXAMPLE.access_key, EXAMPLE.secret_key.reveal()),
        date=datetime.fromtimestamp(now, UTC),
        expires=life,
    )
    assert sorted(ours.split("&")) == sorted(theirs.query.split("&"))
