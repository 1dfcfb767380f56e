"""Access tokens: short-lived, signed, checked without asking a store (whether they were revoked is asked elsewhere).

The algorithm belongs to the key, never to the token's header: a token that says ``none``, or names a public key as if
it were an HMAC secret, finds no key to be checked with.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from kernel.errors import Unauthenticated

ISSUER = "secureconnect"
AUDIENCE = "secureconnect-api"
TYPE = "at+jwt"  # RFC 9068
# Between the clocks of two nodes.
LEEWAY_SECONDS = 5.0
MAX_TOKEN_LENGTH = 4096
# Tokens seen lately, so that a client's next request costs no signature.
REMEMBERED = 8192

VerifyingKey = bytes | Ed25519PublicKey | RSAPublicKey
SigningKeyValue = bytes | Ed25519PrivateKey | RSAPrivateKey
_REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub", "jti", "sid"]


@dataclass(frozen=True, slots=True)
class SigningKey:
    name: str
    algorithm: str
    value: SigningKeyValue


@dataclass(frozen=True, slots=True)
class KeySet:
    """``signing`` signs; each of ``verifying`` (by name: algorithm and key) is believed, so keys can be changed."""

    signing: SigningKey
    verifying: Mapping[str, tuple[str, VerifyingKey]]


Said = TypeVar("Said")


class Claims(msgspec.Struct, frozen=True):
    """What a token says."""

    sub: UUID
    sid: UUID
    jti: str
    exp: float
    iat: float
    roles: frozenset[str] = frozenset()


class AccessTokens:
    def __init__(self, keys: KeySet, *, lifetime: float) -> None:
        self.lifetime = lifetime
        self._keys = keys
        self._known: OrderedDict[str, Claims] = OrderedDict()

    def issue(self, *, user: UUID, session: UUID, token_id: str, roles: Sequence[str], now: float) -> str:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user),
            "sid": str(session),
            "jti": token_id,
            "iat": int(now),
            "exp": int(now + self.lifetime),
            "roles": list(roles),
        }
        key = self._keys.signing
        return jwt.encode(claims, key.value, algorithm=key.algorithm, headers={"kid": key.name, "typ": TYPE})

    def verify(self, token: str, now: float) -> Claims:
        """Raises Unauthenticated ``invalid_token`` or ``token_expired``."""
        claims = self._known.get(token)
        if claims is None:
            claims = self._checked(token, now)
            self._known[token] = claims
            self._forget_oldest(now)
        if now >= claims.exp + LEEWAY_SECONDS:
            self._known.pop(token, None)
            raise Unauthenticated("This access token has expired; refresh it.", code="token_expired")
        return claims

    def _forget_oldest(self, now: float) -> None:
        """Those that are too many, or have expired: nobody else may be left to say that their owner was erased."""
        while self._known and (
            len(self._known) > REMEMBERED or next(iter(self._known.values())).exp + LEEWAY_SECONDS <= now
        ):
            self._known.popitem(last=False)

    def drop(self, token: str) -> None:
        """Keep nothing in memory of one."""
        self._known.pop(token, None)

    def forget(self, user: UUID) -> None:
        """Keep nothing in memory of tokens that name somebody."""
        for token in [token for token, claims in self._known.items() if claims.sub == user]:
            del self._known[token]

    def _checked(self, token: str, now: float) -> Claims:
        claims = read_token(token, self._keys, kind=TYPE, audience=AUDIENCE, required=_REQUIRED, into=Claims)
        if claims.iat > now + LEEWAY_SECONDS:
            raise _invalid()
        return claims


def read_token(
    token: str, keys: KeySet, *, kind: str, audience: str, required: Sequence[str], into: type[Said]
) -> Said:
    """What a token of ``kind`` says that one of ``keys`` has signed; its times are for the caller to look at, who has a
    clock. Raises Unauthenticated ``invalid_token``."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise _invalid()
    try:
        header = jwt.get_unverified_header(token)
        algorithm, key = keys.verifying[header.get("kid", "")]
        if header.get("typ") != kind:
            raise _invalid()
        said: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=audience,
            issuer=ISSUER,
            options={"require": list(required), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        return msgspec.convert(said, into)
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError) as error:
        raise _invalid() from error


def _invalid() -> Unauthenticated:
    return Unauthenticated("This token is not valid here.", code="invalid_token")
