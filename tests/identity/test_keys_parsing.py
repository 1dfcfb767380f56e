"""Public keys from texts: exactly those that can be agreed with, each written in one way."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import example, given
from hypothesis import strategies as st

from identity import prekeys
from identity.prekeys import SMALL_ORDER, SignedKey
from kernel.errors import Unprocessable

P = 2**255 - 19
OURS = X25519PrivateKey.from_private_bytes(bytes(range(32)))
seeds = st.binary(min_size=32, max_size=32)
# Any value, and those around where mistakes are made.
near = st.sampled_from([*SMALL_ORDER, P, P + 1, 2 * P - 1, 2 * P, 2 * P + 1]).flatmap(
    lambda value: st.integers(-2, 2).map(lambda step: (value + step) % 2**256)
)
points = (st.integers(0, 2**256 - 1) | near).map(lambda value: value.to_bytes(32, "little"))


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def taken(parse: Callable[[], object]) -> bool:
    try:
        parse()
    except Unprocessable:
        return False
    return True


def agrees(raw: bytes) -> bool:
    """Whether an agreement with this public key depends on our secret, by a library that looks at the outcome."""
    try:
        OURS.exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError:
        return False
    return True


@given(points)
def test_a_pre_key_is_taken_when_it_can_be_agreed_with_and_is_written_in_the_one_way(raw: bytes) -> None:
    canonical = int.from_bytes(raw, "little") < P
    assert taken(lambda: prekeys.agreement_key(text(raw), "key")) == (canonical and agrees(raw))


@given(seeds)
def test_every_key_that_is_made_properly_is_taken(seed: bytes) -> None:
    agreement = X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    identity = Ed25519PrivateKey.from_private_bytes(seed)
    raw = identity.public_key().public_bytes_raw()
    assert prekeys.agreement_key(text(agreement), "key") == agreement
    assert prekeys.identity_key(text(raw)) == raw
    key = prekeys.signed_key(1, text(agreement), text(identity.sign(b"secureconnect-spk-v1" + agreement)))
    prekeys.require_signed_by(raw, key)


@given(points)
def test_an_identity_maps_to_an_agreement_key_that_would_be_taken(raw: bytes) -> None:
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if not taken(lambda: prekeys.identity_key(text(raw))):
        return
    mapped = ((1 + y) * pow(1 - y, -1, P) % P).to_bytes(32, "little")
    assert taken(lambda: prekeys.agreement_key(text(mapped), "key"))


@pytest.mark.parametrize(
    "encoding",
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ],
)
def test_the_eight_points_of_small_order_are_no_identity_however_they_are_written(encoding: str) -> None:
    assert not taken(lambda: prekeys.identity_key(text(bytes.fromhex(encoding))))


@given(st.text(max_size=60) | st.binary(max_size=40).map(text))
@example("A" * 43 + "=")
@example("A" * 42 + "B=")
def test_a_text_is_a_key_when_it_is_the_base64_of_32_bytes_and_is_given_back_as_it_came(sent: str) -> None:
    try:
        raw = prekeys.agreement_key(sent, "key")
    except Unprocessable:
        return
    assert len(raw) == 32
    assert prekeys.encoded(raw) == sent


@given(seeds, st.integers(0, 511), st.binary(min_size=32, max_size=32))
def test_one_bit_more_or_less_and_a_signature_is_none(seed: bytes, bit: int, key: bytes) -> None:
    identity = Ed25519PrivateKey.from_private_bytes(seed)
    raw = identity.public_key().public_bytes_raw()
    signature = identity.sign(b"secureconnect-spk-v1" + key)
    prekeys.require_signed_by(raw, SignedKey(1, key, signature))
    turned = (int.from_bytes(signature, "little") ^ 1 << bit).to_bytes(64, "little")
    assert not taken(lambda: prekeys.require_signed_by(raw, SignedKey(1, key, turned)))
    other = (int.from_bytes(key, "little") ^ 1 << bit % 256).to_bytes(32, "little")
    assert not taken(lambda: prekeys.require_signed_by(raw, SignedKey(1, other, signature)))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=6))
def test_an_upload_names_each_id_and_each_key_once(pairs: list[tuple[int, int]]) -> None:
    raw = [
        X25519PrivateKey.from_private_bytes(bytes([number]) * 32).public_key().public_bytes_raw() for number in range(6)
    ]
    sent = [(key_id, text(raw[number])) for key_id, number in pairs]
    distinct = len({key_id for key_id, _ in pairs}) == len({number for _, number in pairs}) == len(pairs)
    assert taken(lambda: prekeys.one_time_keys(sent)) == distinct
    if distinct:
        assert [(key.key_id, text(key.public_key)) for key in prekeys.one_time_keys(sent)] == sent
