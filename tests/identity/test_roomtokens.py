"""Room tokens: what they let somebody do, for how long, and that nothing else passes for one."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from identity.keyfiles import shared_key_set
from identity.roomtokens import (
    AUDIENCE,
    MAX_IDENTITY,
    MAX_METADATA_BYTES,
    MAX_SECONDS,
    MIN_SECONDS,
    SIGNALING,
    TYPE,
    USUAL_SECONDS,
    Admission,
    Grants,
    RoomTokens,
    Source,
)
from identity.tokens import LEEWAY_SECONDS, AccessTokens, KeySet, SigningKey
from kernel.clock import SystemClock
from kernel.errors import Unauthenticated, Unprocessable
from kernel.ids import IdGenerator
from tests.clocks import VirtualClock
from tests.identity.forging import expired, forgeries

SHARED = shared_key_set(b"k" * 32)
PRIVATE = Ed25519PrivateKey.generate()
PAIR = KeySet(SigningKey("pair", "EdDSA", PRIVATE), {"pair": ("EdDSA", PRIVATE.public_key())})
ROOM = uuid4()
SPEAKER = Grants(join=True, publish=frozenset({Source.CAMERA, Source.MICROPHONE}), subscribe=True, data=True)
IDS = IdGenerator(SystemClock())


def desk(
    keys: KeySet = SHARED, clock: VirtualClock | None = None, base_url: str = "https://meet.example/"
) -> RoomTokens:
    return RoomTokens(keys, base_url=base_url, ids=IDS, clock=clock or VirtualClock())


def minted(desk: RoomTokens, **fields: Any) -> str:
    return desk.mint(Admission(ROOM, "ada", SPEAKER, **fields), by="key-7").token


def code_of(desk: RoomTokens, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        desk.verify(token)
    return caught.value.code


@pytest.mark.parametrize("keys", [SHARED, PAIR], ids=["shared", "pair"])
def test_a_token_says_who_comes_where_and_may_do_what(keys: KeySet) -> None:
    clock = VirtualClock()
    here = desk(keys, clock)
    admission = Admission(ROOM, "crm|4711", SPEAKER, "Ada Lovelace", '{"seat": 4}')
    made = here.mint(admission, by="key-7", ttl=60)
    assert (made.url, made.expires_at) == (f"wss://meet.example{SIGNALING}", clock.now() + 60)
    claims = here.verify(made.token)
    assert (claims.admission, claims.by) == (admission, "key-7")
    assert claims.jti != here.verify(here.mint(admission, by="key-7").token).jti
    clock.advance(60 + LEEWAY_SECONDS - 1)
    here.verify(made.token)
    clock.advance(1)
    assert code_of(here, made.token) == "token_expired"
    assert code_of(desk(keys, VirtualClock(0.0)), minted(here)) == "invalid_token"


def test_the_address_is_that_of_the_signaling_socket() -> None:
    made = desk(base_url="http://127.0.0.1:8080").mint(Admission(ROOM, "ada", SPEAKER), by="x")
    assert made.url == f"ws://127.0.0.1:8080{SIGNALING}"


@given(
    st.builds(
        Grants,
        join=st.booleans(),
        publish=st.frozensets(st.sampled_from(Source)),
        subscribe=st.booleans(),
        data=st.booleans(),
        moderate=st.booleans(),
        hidden=st.booleans(),
    )
)
def test_what_is_granted_is_what_was_named_and_who_is_hidden_sends_nothing(grants: Grants) -> None:
    here, admission = desk(), Admission(ROOM, "ada", grants)
    if grants.hidden and (grants.publish or grants.data):
        with pytest.raises(Unprocessable) as caught:
            here.mint(admission, by="x")
        assert caught.value.code == "contradictory_grants"
    else:
        assert here.verify(here.mint(admission, by="x").token).grants == grants


def test_what_is_not_named_is_not_granted() -> None:
    nothing = msgspec.to_builtins(msgspec.convert({}, Grants))
    assert nothing == {}
    assert not any(getattr(Grants(), name) for name in Grants.__struct_fields__)
    for unknown in ({"admin": True}, {"publish": ["everything"]}, {"join": "yes"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(unknown, Grants)


def test_what_no_token_can_say_is_refused() -> None:
    here = desk()
    for fields, ttl, code in (
        ({"identity": ""}, USUAL_SECONDS, "invalid_identity"),
        ({"identity": "a" * (MAX_IDENTITY + 1)}, USUAL_SECONDS, "invalid_identity"),
        ({"identity": "ada\nbob"}, USUAL_SECONDS, "invalid_identity"),
        ({"name": " "}, USUAL_SECONDS, "invalid_display_name"),
        ({"metadata": "é" * (MAX_METADATA_BYTES // 2 + 1)}, USUAL_SECONDS, "invalid_metadata"),
        ({"metadata": "\x01" * MAX_METADATA_BYTES}, USUAL_SECONDS, "invalid_metadata"),
        ({}, MIN_SECONDS - 1, "invalid_ttl"),
        ({}, MAX_SECONDS + 1, "invalid_ttl"),
    ):
        said: dict[str, Any] = {"room": ROOM, "identity": "ada", "grants": SPEAKER} | fields
        with pytest.raises(Unprocessable) as caught:
            here.mint(Admission(**said), by="x", ttl=ttl)
        assert caught.value.code == code, fields
    longest = Admission(ROOM, "ü" * MAX_IDENTITY, SPEAKER, metadata="m" * MAX_METADATA_BYTES)
    here.verify(here.mint(longest, by="x", ttl=MAX_SECONDS).token)


@pytest.mark.parametrize("keys", [SHARED, PAIR], ids=["shared", "pair"])
def test_nothing_else_passes_for_a_room_token(keys: KeySet) -> None:
    here = desk(keys)
    good = minted(here)
    here.verify(good)
    harmless = {
        "no session",
        "session is no id",
        "another session",
        "roles are a word",
        "subject is no id",
        "a room token",
    }
    for name, forged in forgeries(good, keys).items():
        if name not in harmless:  # of access tokens; here they are claims that nobody reads
            assert code_of(here, forged) == "invalid_token", name
    assert code_of(here, expired(good, keys)) == "token_expired"
    for changed in ({"room": "lobby"}, {"grants": {"admin": True}}, {"grants": None}, {"by": None}, {"room": None}):
        claims = jwt.decode(good, options={"verify_signature": False}) | changed
        said = {name: value for name, value in claims.items() if value is not None}
        signing = keys.signing
        headers = {"kid": signing.name, "typ": TYPE}
        forged = jwt.encode(said, signing.value, algorithm=signing.algorithm, headers=headers)
        assert code_of(here, forged) == "invalid_token", changed


@pytest.mark.parametrize("keys", [SHARED, PAIR], ids=["shared", "pair"])
def test_an_access_token_opens_no_room_and_a_room_token_nothing_else(keys: KeySet) -> None:
    clock = VirtualClock()
    here, access = desk(keys, clock), AccessTokens(keys, lifetime=900.0)
    token = access.issue(user=UUID(int=1), session=UUID(int=2), token_id="t", roles=["admin"], now=clock.now())
    assert code_of(here, token) == "invalid_token"
    with pytest.raises(Unauthenticated):
        access.verify(minted(here), clock.now())
    # Nor when the type in its header is changed by somebody with the key, for the audience is another.
    claims = jwt.decode(minted(here), options={"verify_signature": False})
    assert claims["aud"] == AUDIENCE
    disguised = jwt.encode(
        claims,
        keys.signing.value,
        algorithm=keys.signing.algorithm,
        headers={"kid": keys.signing.name, "typ": "at+jwt"},
    )
    with pytest.raises(Unauthenticated):
        access.verify(disguised, clock.now())
