"""Tokens as an attacker, or a server that is not ours, would make them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity import roomtokens
from identity.tokens import KeySet, VerifyingKey


def forgeries(token: str, keys: KeySet) -> dict[str, str]:
    """By what is wrong with them. ``token`` is a good one, ``keys`` are ours: some are signed as ours are."""
    head, body, signature = token.split(".")
    header, claims = _read(head), _read(body)
    name, algorithm, value = keys.signing.name, keys.signing.algorithm, keys.signing.value

    def signed(**changed: Any) -> str:
        said = {key: item for key, item in (claims | changed).items() if item is not None}
        return jwt.encode(said, value, algorithm=algorithm, headers={"kid": name, "typ": header["typ"]})

    def headed(**changed: Any) -> str:
        return jwt.encode(claims, value, algorithm=algorithm, headers=header | changed)

    found = {
        "wrong audience": signed(aud="another-service"),
        "two audiences of others": signed(aud=["a", "b"]),
        "no audience": signed(aud=None),
        "wrong issuer": signed(iss="another-server"),
        "no issuer": signed(iss=None),
        "no session": signed(sid=None),
        "no id": signed(jti=None),
        "no expiry": signed(exp=None),
        "expiry is no number": signed(exp="tomorrow"),
        "from the future": signed(iat=claims["iat"] + 3600, exp=claims["exp"] + 3600),
        "subject is no id": signed(sub="admin"),
        "session is no id": signed(sid="../admin"),
        "roles are a word": signed(roles="admin"),
        "another session": signed(sid=str(uuid4())),
        "of another type": headed(typ="JWT"),
        "a room token": jwt.encode(
            claims | {"aud": roomtokens.AUDIENCE}, value, algorithm=algorithm, headers=header | {"typ": roomtokens.TYPE}
        ),
        "of an unknown key": headed(kid="f" * 16),
        "of a key that is a file": headed(kid="../../../dev/null"),
        "of a key in a table": headed(kid="' UNION SELECT 'k' --"),
        "of no key": headed(kid=""),
        "with something critical that is not known": headed(crit=["exp-but-not-really"]),
        "with something critical that is no list": headed(crit="exp"),
        "with a payload that is elsewhere": f"{_written(header | {'b64': False, 'crit': ['b64']})}..{signature}",
        "with keys to be fetched": _own_key(header | {"jku": "https://evil.example/keys.json"}, claims),
        "alg none": f"{_written(header | {'alg': 'none'})}.{body}.",
        "alg None": f"{_written(header | {'alg': 'None'})}.{body}.",
        "alg none with the signature of another": f"{_written(header | {'alg': 'none'})}.{body}.{signature}",
        "no signature": f"{head}.{body}.",
        "roles added": f"{head}.{_written(claims | {'roles': ['admin']})}.{signature}",
        "signature changed": f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "signed by a key of their own": _own_key(header, claims),
        "a key in the header": _own_key(header, claims, embedded=True),
        "two parts": f"{head}.{body}",
        "four parts": f"{token}.{signature}",
        "not base64": "a.b.c",
        "a header that is a list": f"{_written([1])}.{body}.{signature}",
        "claims that are a list": f"{head}.{_written([1])}.{signature}",
        "long": "a" * 5000,
        "empty": "",
        "a word": "admin",
        "an API key of nobody": f"sck_{uuid4().hex}_{'a' * 43}",
    }
    for key_name, (_, key) in keys.verifying.items():
        for kind, secret in _as_secrets(key).items():
            confused = header | {"alg": "HS256", "kid": key_name}
            found[f"HS256 with {kind}"] = _hs256(confused, claims, secret)
    return found


def expired(claims_of: str, keys: KeySet) -> str:
    claims = _read(claims_of.split(".")[1])
    past = claims | {"iat": claims["iat"] - 7200, "exp": claims["iat"] - 3600}
    headers = {"kid": keys.signing.name, "typ": _read(claims_of.split(".", maxsplit=1)[0])["typ"]}
    return jwt.encode(past, keys.signing.value, algorithm=keys.signing.algorithm, headers=headers)


def _as_secrets(key: VerifyingKey) -> Mapping[str, bytes]:
    """What of a public key somebody could take for a secret; nothing of a key that is one."""
    if isinstance(key, bytes):
        return {"an empty secret": b"", "the name of the key": hashlib.sha256(key).hexdigest()[:16].encode()}
    found = {
        "the public key in PEM": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "the public key in DER": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    }
    return found | {"the public key without the end of its line": found["the public key in PEM"].rstrip()}


def _own_key(header: Mapping[str, Any], claims: Mapping[str, Any], *, embedded: bool = False) -> str:
    key = Ed25519PrivateKey.generate()
    more: dict[str, Any] = {}
    if embedded:
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        more = {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": _base64(raw)}}
    return jwt.encode(dict(claims), key, algorithm="EdDSA", headers={**header, "alg": "EdDSA", **more})


def _hs256(header: Mapping[str, Any], claims: Mapping[str, Any], secret: bytes) -> str:
    signed = f"{_written(header)}.{_written(claims)}"
    return f"{signed}.{_base64(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _read(part: str) -> dict[str, Any]:
    read = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(read, dict)
    return read


def _written(value: object) -> str:
    return _base64(json.dumps(value).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
