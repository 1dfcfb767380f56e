"""AWS Signature Version 4 as S3 uses it: a pure function of the request, the credentials and the time.

Ours rather than the S3 library's, whose presigned URLs sign the host only: binding the length and the type of an
upload into its URL is what keeps a client from sending a gigabyte where a kilobyte was granted. The tests hold it
against that library's signatures and against two servers.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from config.values import Secret

UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Request:
    """What is signed: ``path`` encoded as it goes over the wire, ``query`` and ``headers`` as plain text."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: str
    secret_key: Secret
    region: str


def query_string(query: Mapping[str, str]) -> str:
    """Canonical (sorted as encoded), and what has to be sent."""
    encoded = [(quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items()]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def signed_headers(request: Request, payload_sha256: str, credentials: Credentials, now: float) -> dict[str, str]:
    """The request's headers and those that authenticate it."""
    stamp, scope = _stamp_and_scope(credentials, now)
    headers = {**request.headers, "x-amz-content-sha256": payload_sha256, "x-amz-date": stamp}
    names, block = _canonical_headers({**headers, "host": request.host})
    canonical = _canonical_request(request, query_string(request.query), names, block, payload_sha256)
    signature = _signature(canonical, stamp, scope, credentials)
    headers["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def presigned_query(request: Request, expires_in: int, credentials: Credentials, now: float) -> str:
    """The query that makes a URL of the request; its headers have to be sent exactly so."""
    stamp, scope = _stamp_and_scope(credentials, now)
    names, block = _canonical_headers({**request.headers, "host": request.host})
    query = query_string(
        {
            **request.query,
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{credentials.access_key}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires_in),
            "X-Amz-SignedHeaders": names,
        }
    )
    canonical = _canonical_request(request, query, names, block, UNSIGNED_PAYLOAD)
    return f"{query}&X-Amz-Signature={_signature(canonical, stamp, scope, credentials)}"


def _stamp_and_scope(credentials: Credentials, now: float) -> tuple[str, str]:
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    return stamp, f"{stamp[:8]}/{credentials.region}/s3/aws4_request"


def _canonical_headers(headers: Mapping[str, str]) -> tuple[str, str]:
    lines = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    names = sorted(lines)
    return ";".join(names), "".join(f"{name}:{lines[name]}\n" for name in names)


def _canonical_request(request: Request, query: str, names: str, block: str, payload_sha256: str) -> bytes:
    return f"{request.method}\n{request.path}\n{query}\n{block}\n{names}\n{payload_sha256}".encode()


def _signature(canonical: bytes, stamp: str, scope: str, credentials: Credentials) -> str:
    key = f"AWS4{credentials.secret_key.reveal()}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    statement = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical).hexdigest()))
    return hmac.digest(key, statement.encode(), "sha256").hex()
