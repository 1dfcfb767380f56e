"""Room tokens: who comes into which room, and what they may do there. Signed here, read wherever a room is held.

An integrator mints them for people who need no account (scope ``tokens:mint``), a call for its own. They are signed
with the keys of access tokens but are of another type and for another audience, so that neither passes for the other.
They cannot be taken back, which is why they are short-lived: a room holds who has come in by other means.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from uuid import UUID

import jwt
import msgspec

from identity import names
from identity.tokens import ISSUER, LEEWAY_SECONDS, MAX_TOKEN_LENGTH, KeySet, read_token
from kernel.clock import Clock
from kernel.errors import FieldError, Unauthenticated, Unprocessable
from kernel.ids import IdGenerator

AUDIENCE: Final = "secureconnect-rooms"
TYPE: Final = "rt+jwt"
SIGNALING: Final = "/v1/calls/ws/signaling"

USUAL_SECONDS: Final = 600
MIN_SECONDS, MAX_SECONDS = 10, 86_400
MAX_IDENTITY: Final = 128
MAX_METADATA_BYTES: Final = 1024
_REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub", "jti", "room", "grants", "by"]


class Source(Enum):
    CAMERA = "camera"
    MICROPHONE = "microphone"
    SCREEN = "screen"
    SCREEN_AUDIO = "screen_audio"


class Grants(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is not named is not granted. Nobody sees who is ``hidden``, so they send nothing either."""

    join: bool = False
    publish: frozenset[Source] = frozenset()
    subscribe: bool = False
    data: bool = False
    moderate: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """``identity`` is whoever it is to those who mint: an account's id, or a name from another system."""

    room: UUID
    identity: str
    grants: Grants
    name: str | None = None
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class RoomToken:
    token: str
    url: str
    expires_at: float


class RoomClaims(msgspec.Struct, frozen=True):
    """What a token says. ``by`` is who minted it: an account or an API key."""

    sub: str
    room: UUID
    jti: UUID
    by: str
    grants: Grants
    exp: float
    iat: float
    name: str | None = None
    metadata: str | None = None

    @property
    def admission(self) -> Admission:
        return Admission(self.room, self.sub, self.grants, self.name, self.metadata)


class RoomTokens:
    def __init__(self, keys: KeySet, *, base_url: str, ids: IdGenerator, clock: Clock) -> None:
        self._keys = keys
        # http becomes ws, https wss.
        self._url = f"ws{base_url.removeprefix('http').rstrip('/')}{SIGNALING}"
        self._ids = ids
        self._clock = clock

    def mint(self, admission: Admission, *, by: str, ttl: int = USUAL_SECONDS) -> RoomToken:
        """Whether ``by`` may is asked before. Raises Unprocessable ``contradictory_grants``, ``invalid_identity``,
        ``invalid_display_name``, ``invalid_metadata`` or ``invalid_ttl``."""
        _check(admission, ttl)
        now = int(self._clock.now())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": admission.identity,
            "room": str(admission.room),
            "jti": str(self._ids.next()),
            "by": by,
            "iat": now,
            "exp": now + ttl,
            "grants": msgspec.to_builtins(admission.grants),
        }
        if admission.name is not None:
            claims["name"] = names.display_name(admission.name)
        if admission.metadata is not None:
            claims["metadata"] = admission.metadata
        key = self._keys.signing
        token = jwt.encode(claims, key.value, algorithm=key.algorithm, headers={"kid": key.name, "typ": TYPE})
        if len(token) > MAX_TOKEN_LENGTH:
            raise _refused("metadata", "takes more room than a token has", "invalid_metadata")
        return RoomToken(token, self._url, float(now + ttl))

    def verify(self, token: str) -> RoomClaims:
        """Raises Unauthenticated ``invalid_token`` or ``token_expired``."""
        claims = self.read(token)
        self.require_current(claims)
        return claims

    def read(self, token: str) -> RoomClaims:
        """Also of a token that has expired: who is in a room already stays for longer than a token does, and comes
        back with the one they have. Raises Unauthenticated ``invalid_token``."""
        claims = read_token(token, self._keys, kind=TYPE, audience=AUDIENCE, required=_REQUIRED, into=RoomClaims)
        if claims.iat > self._clock.now() + LEEWAY_SECONDS:
            raise Unauthenticated("This room token is from the future.", code="invalid_token")
        return claims

    def require_current(self, claims: RoomClaims) -> None:
        """Raises Unauthenticated ``token_expired``."""
        if self._clock.now() >= claims.exp + LEEWAY_SECONDS:
            raise Unauthenticated("This room token has expired; ask for a new one.", code="token_expired")


def _check(admission: Admission, ttl: int) -> None:
    grants, identity, metadata = admission.grants, admission.identity, admission.metadata
    if grants.hidden and (grants.publish or grants.data):
        raise _refused("grants", "let nobody send anything who is hidden", "contradictory_grants")
    if not 1 <= len(identity) <= MAX_IDENTITY or not identity.isprintable():
        raise _refused("identity", f"is 1 to {MAX_IDENTITY} characters that can be seen", "invalid_identity")
    if metadata is not None and len(metadata.encode("utf-8", "surrogatepass")) > MAX_METADATA_BYTES:
        raise _refused("metadata", f"has {MAX_METADATA_BYTES} bytes at most", "invalid_metadata")
    if not MIN_SECONDS <= ttl <= MAX_SECONDS:
        raise _refused("ttl", f"is {MIN_SECONDS} to {MAX_SECONDS} seconds", "invalid_ttl")


def _refused(field: str, message: str, code: str) -> Unprocessable:
    return Unprocessable(f"The {field} of a room token {message}.", code=code, fields=[FieldError(field, message)])
