"""Idempotency-Key: a retried unsafe request gets the first answer and does nothing twice.

Kept in ephemeral state for a day. A request that is still running answers its twin 409; the same key with a
different request is 422; an answer of 5xx is not kept, so that a retry tries again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec
from aiohttp import web

from kernel.ephemeral import KeyValues
from kernel.errors import Conflict, Malformed, Unprocessable

HEADER = "Idempotency-Key"
KEEP_SECONDS = 86_400.0
MAX_KEY_LENGTH = 128
# Answers of ours are far smaller; one beyond this is not kept, and a retry of it runs again.
MAX_KEPT_BODY = 256 * 1024
_KEPT_HEADERS = ("Content-Type", "Location", "ETag")


class _Record(msgspec.Struct, array_like=True, frozen=True):
    fingerprint: bytes
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Claim:
    """This request is the first of its key and will say how it ended."""

    storage_key: str
    fingerprint: bytes


class IdempotencyKeys:
    def __init__(self, store: KeyValues, *, running_ttl: float) -> None:
        self._store = store
        self._running_ttl = running_ttl

    async def begin(self, key: str, caller: str, request: web.Request, body: bytes) -> Claim | web.Response:
        if not key or len(key) > MAX_KEY_LENGTH or not key.isprintable():
            raise Malformed(f"Idempotency-Key is text of 1 to {MAX_KEY_LENGTH} characters.", code="bad_idempotency_key")
        # The credentials are part of the key: nobody reads another caller's answer by guessing theirs.
        owner = "\0".join((caller, request.headers.get("Authorization", ""), key))
        claim = Claim(
            storage_key=f"idempotency:{_digest(owner.encode()).hex()}",
            fingerprint=_digest(f"{request.method} {request.rel_url}\0".encode() + body),
        )
        running = msgspec.msgpack.encode(_Record(claim.fingerprint))
        if await self._store.put(claim.storage_key, running, ttl=self._running_ttl, if_absent=True):
            return claim
        stored = await self._store.get(claim.storage_key)
        if stored is None:
            raise Conflict("The first request with this key just ended; send it again.", code="request_in_progress")
        return self._answer(msgspec.msgpack.decode(stored, type=_Record), claim)

    async def finish(self, claim: Claim, response: web.StreamResponse) -> None:
        body = response.body if isinstance(response, web.Response) else None
        content = bytes(body) if isinstance(body, bytes | bytearray) else b""
        keepable = isinstance(response, web.Response) and (body is None or isinstance(body, bytes | bytearray))
        if not keepable or response.status >= 500 or len(content) > MAX_KEPT_BODY:
            await self.abandon(claim)
            return
        kept = tuple((name, response.headers[name]) for name in _KEPT_HEADERS if name in response.headers)
        record = _Record(claim.fingerprint, response.status, kept, content)
        await self._store.put(claim.storage_key, msgspec.msgpack.encode(record), ttl=KEEP_SECONDS)

    async def abandon(self, claim: Claim) -> None:
        await self._store.delete(claim.storage_key)

    @staticmethod
    def _answer(record: _Record, claim: Claim) -> web.Response:
        if record.fingerprint != claim.fingerprint:
            raise Unprocessable(
                "This Idempotency-Key came with a different request before.", code="idempotency_key_reused"
            )
        if record.status == 0:
            raise Conflict(
                "The first request with this key is still being answered.", code="request_in_progress", retry_after=1.0
            )
        response = web.Response(status=record.status, body=record.body or None, headers=dict(record.headers))
        response.headers["Idempotent-Replayed"] = "true"
        return response


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=20).digest()
