"""Idempotency-Key: a retried unsafe request gets the first answer and does nothing twice.

Kept in ephemeral state for a day. A request that is still running answers its twin 409; the same key with a
different request is 422; an answer of 5xx is not kept, so that a retry tries again.

Answers hold tokens, recovery codes, keys. They are kept encrypted under the caller's own credentials and key, which
are not kept: only who sends both again can read them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import structlog
from aiohttp import web

from identity.sealing import Sealer
from kernel.ephemeral import KeyValues
from kernel.errors import Conflict, Malformed, SecureConnectError, Unprocessable

_log = structlog.stdlib.get_logger("api.idempotency")

HEADER = "Idempotency-Key"
KEEP_SECONDS = 86_400.0
MAX_KEY_LENGTH = 128
# Visible ASCII: UUIDs, and the quoted strings that the IETF's draft of this header has.
KEY_PATTERN = "^[!-~]+$"
_KEY = re.compile(rf"[!-~]{{1,{MAX_KEY_LENGTH}}}")
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
    sealer: Sealer

    def seal(self, record: _Record) -> bytes:
        return self.sealer.seal(msgspec.msgpack.encode(record), self.storage_key.encode())

    def open(self, kept: bytes) -> _Record:
        """Raises ValueError for what this key's owner did not keep."""
        record = self.sealer.open(kept, self.storage_key.encode())
        if record is None:
            raise ValueError("a record was sealed by somebody else")
        return msgspec.msgpack.decode(record, type=_Record)


class IdempotencyKeys:
    def __init__(self, store: KeyValues, *, running_ttl: float) -> None:
        self._store = store
        self._running_ttl = running_ttl

    async def begin(self, key: str, caller: str, request: web.Request, body: bytes) -> Claim | web.Response:
        if not _KEY.fullmatch(key):
            detail = f"Idempotency-Key is 1 to {MAX_KEY_LENGTH} visible ASCII characters."
            raise Malformed(detail, code="bad_idempotency_key")
        # The credentials are part of the key: nobody reads another caller's answer by guessing theirs.
        owner = _bytes("\0".join((caller, request.headers.get("Authorization", ""), key)))
        claim = Claim(
            storage_key=f"idempotency:{_digest(owner).hex()}",
            fingerprint=_digest(_bytes(f"{request.method} {request.rel_url}\0") + body),
            sealer=Sealer(hashlib.blake2b(owner, digest_size=32, person=b"kept answer").digest()),
        )
        running = claim.seal(_Record(claim.fingerprint))
        if await self._store.put(claim.storage_key, running, ttl=self._running_ttl, if_absent=True):
            return claim
        stored = await self._store.get(claim.storage_key)
        if stored is None:
            raise _in_progress("The first request with this key just ended; send it again.")
        return self._answer(claim.open(stored), claim)

    async def finish(self, claim: Claim, response: web.StreamResponse, headers: Mapping[str, str]) -> None:
        """Keep the answer, ``headers`` that the handler set included. It happened, so a store that fails now does
        not turn it into an error; a retry is refused until the claim runs out."""
        body = response.body if isinstance(response, web.Response) else None
        content = bytes(body) if isinstance(body, bytes | bytearray) else b""
        keepable = isinstance(response, web.Response) and (body is None or isinstance(body, bytes | bytearray))
        if not keepable or response.status >= 500 or len(content) > MAX_KEPT_BODY:
            await self.abandon(claim)
            return
        found = ((name, headers.get(name) or response.headers.get(name)) for name in _KEPT_HEADERS)
        kept = tuple((name, value) for name, value in found if value is not None)
        record = _Record(claim.fingerprint, response.status, kept, content)
        try:
            await self._store.put(claim.storage_key, claim.seal(record), ttl=KEEP_SECONDS)
        except SecureConnectError as error:
            _log.warning("an answer was not kept for its Idempotency-Key", error=error.code)

    async def abandon(self, claim: Claim) -> None:
        """Let a retry try again. When the store fails now, it can once the claim runs out."""
        try:
            await self._store.delete(claim.storage_key)
        except SecureConnectError as error:
            _log.warning("an Idempotency-Key was not given back", error=error.code)

    @staticmethod
    def _answer(record: _Record, claim: Claim) -> web.Response:
        if record.fingerprint != claim.fingerprint:
            raise Unprocessable(
                "This Idempotency-Key came with a different request before.", code="idempotency_key_reused"
            )
        if record.status == 0:
            raise _in_progress("The first request with this key is still being answered.")
        response = web.Response(status=record.status, body=record.body or None, headers=dict(record.headers))
        response.headers["Idempotent-Replayed"] = "true"
        return response


def _in_progress(detail: str) -> Conflict:
    return Conflict(detail, code="request_in_progress", retry_after=1.0)


def _bytes(text: str) -> bytes:
    """Headers hold whatever bytes a client sent; aiohttp hands out those that are not UTF-8 as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=20).digest()
