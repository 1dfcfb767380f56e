"""SFrame against the vectors of RFC 9605, appendix C."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from media import sframe
from media.errors import BadPacket
from media.sframe import Suite

# C.1: key id, counter, header.
HEADERS = [
    (0x0, 0x0, "00"),
    (0x0, 0x1, "01"),
    (0x0, 0xFF, "08ff"),
    (0x0, 0x100, "090100"),
    (0x0, 0xFFFF, "09ffff"),
    (0x0, 0x10000, "0a010000"),
    (0x0, 0xFFFFFF, "0affffff"),
    (0x0, 0x1000000, "0b01000000"),
    (0x0, 0xFFFFFFFF, "0bffffffff"),
    (0x0, 0x100000000, "0c0100000000"),
    (0x0, 0xFFFFFFFFFF, "0cffffffffff"),
    (0x0, 0x10000000000, "0d010000000000"),
    (0x0, 0xFFFFFFFFFFFF, "0dffffffffffff"),
    (0x0, 0x1000000000000, "0e01000000000000"),
    (0x0, 0xFFFFFFFFFFFFFF, "0effffffffffffff"),
    (0x0, 0x100000000000000, "0f0100000000000000"),
    (0x0, 0xFFFFFFFFFFFFFFFF, "0fffffffffffffffff"),
    (0x1, 0x0, "10"),
    (0x1, 0x1, "11"),
    (0x1, 0xFF, "18ff"),
    (0x1, 0xFFFFFFFFFFFFFFFF, "1fffffffffffffffff"),
    (0xFF, 0x0, "80ff"),
    (0xFF, 0x1, "81ff"),
    (0xFF, 0xFF, "88ffff"),
    (0xFF, 0x100, "89ff0100"),
    (0xFF, 0xFFFFFFFFFFFFFFFF, "8fffffffffffffffffff"),
    (0x100, 0x0, "900100"),
    (0x100, 0x1, "910100"),
    (0x100, 0xFF, "980100ff"),
    (0x100, 0x100, "9901000100"),
    (0x100, 0x100000000000000, "9f01000100000000000000"),
    (0xFFFF, 0x0, "90ffff"),
    (0xFFFF, 0xFF, "98ffffff"),
    (0xFFFF, 0xFFFFFFFF, "9bffffffffffff"),
    (0x10000, 0x0, "a0010000"),
    (0x10000, 0x10000, "aa010000010000"),
    (0x10000, 0xFFFFFFFFFFFFFFFF, "af010000ffffffffffffffff"),
    (0xFFFFFF, 0x0, "a0ffffff"),
    (0xFFFFFF, 0xFFFFFFFFFF, "acffffffffffffffff"),
    (0x1000000, 0x0, "b001000000"),
    (0x1000000, 0x1000000, "bb0100000001000000"),
    (0xFFFFFFFF, 0xFFFFFFFFFFFF, "bdffffffffffffffffffff"),
    (0x100000000, 0x0, "c00100000000"),
    (0x100000000, 0x100000000, "cc01000000000100000000"),
    (0xFFFFFFFFFF, 0xFFFFFFFFFFFFFF, "ceffffffffffffffffffffffff"),
    (0x10000000000, 0x1, "d1010000000000"),
    (0x10000000000, 0x10000000000, "dd010000000000010000000000"),
    (0xFFFFFFFFFFFF, 0xFF, "d8ffffffffffffff"),
    (0x1000000000000, 0x0, "e001000000000000"),
    (0x1000000000000, 0x1000000000000, "ee0100000000000001000000000000"),
    (0xFFFFFFFFFFFFFF, 0x100, "e9ffffffffffffff0100"),
    (0x100000000000000, 0x100000000000000, "ff01000000000000000100000000000000"),
    (0x100000000000000, 0xFFFFFFFFFFFFFFFF, "ff0100000000000000ffffffffffffffff"),
    (0xFFFFFFFFFFFFFFFF, 0x0, "f0ffffffffffffffff"),
    (0xFFFFFFFFFFFFFFFF, 0x100000000000000, "ffffffffffffffffff0100000000000000"),
    (0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, "ff" + "ff" * 16),
]

METADATA = bytes.fromhex("4945544620534672616d65205747")
PLAINTEXT = bytes.fromhex("64726166742d696574662d736672616d652d656e63")
BASE_KEY = bytes(range(16))
KEY_ID = 0x123
COUNTER = 0x4567

# C.2: the tag's length and what 48 bytes of key make of nonce, metadata and plaintext.
CTR_HMAC = [
    (10, "6339af04ada1d064688a442b8dc69d5b6bfa40f4bef0583e8081069cc60705"),
    (8, "6339af04ada1d064688a442b8dc69d5b6bfa40f4be6e93b7da076927bb"),
    (4, "6339af04ada1d064688a442b8dc69d5b6bfa40f4be09480509"),
]

# C.3: key, salt, nonce, sealed.
SEALED = {
    Suite.AES_128_CTR_HMAC_SHA256_80: (
        "3f7d9a7c83ae8e1c8a11ae695ab59314b367e359fadac7b9c46b2bc6f81f46e16b96f0811868d59402b7e870102720b3",
        "50b29329a04dc0f184ac3168",
        "50b29329a04dc0f184ac740f",
        "9901234567449408b6f490086165b9d6f62b24ae1a59a56486b4ae8ed036b88912e24f11",
    ),
    Suite.AES_128_CTR_HMAC_SHA256_64: (
        "e2ec5c797540310483b16bf6e7a570d2a27d192fe869c7ccd8584a8d9dab91549fbe553f5113461ec6aa83bf3865553e",
        "e68ac8dd3d02fbcd368c5577",
        "e68ac8dd3d02fbcd368c1010",
        "99012345673f31438db4d09434e43afa0f8a2f00867a2be085046a9f5cb4f101d607",
    ),
    Suite.AES_128_CTR_HMAC_SHA256_32: (
        "2c5703089cbb8c583475e4fc461d97d18809df79b6d550f78eb6d50ffa80d89211d57909934f46f5405e38cd583c69fe",
        "38c16e4f5159700c00c7f350",
        "38c16e4f5159700c00c7b637",
        "990123456717fc8af28a5a695afcfc6c8df6358a17e26b2fcb3bae32e443",
    ),
    Suite.AES_128_GCM_SHA256_128: (
        "d34f547f4ca4f9a7447006fe7fcbf768",
        "75234edefe07819026751816",
        "75234edefe07819026755d71",
        "9901234567b7412c2513a1b66dbb48841bbaf17f598751176ad847681a69c6d0b091c07018ce4adb34eb",
    ),
    Suite.AES_256_GCM_SHA512_128: (
        "d3e27b0d4a5ae9e55df01a70e6d4d28d969b246e2936f4b7a5d9b494da6b9633",
        "84991c167b8cd23c93708ec7",
        "84991c167b8cd23c9370cba0",
        "990123456794f509d36e9beacb0e261d99c7d1e972f1fed787d4049f17ca21353c1cc24d56ceabced279",
    ),
}

FIELDS = st.integers(0, sframe.LARGEST_FIELD) | st.integers(0, 300)


@pytest.mark.parametrize(("key_id", "counter", "encoded"), HEADERS)
def test_headers_of_the_rfc(key_id: int, counter: int, encoded: str) -> None:
    wire = bytes.fromhex(encoded)
    assert sframe.build_header(key_id, counter) == wire
    assert sframe.parse_header(wire) == sframe.Header(key_id, counter, len(wire))


@hypothesis.given(FIELDS, FIELDS, st.binary(max_size=5), st.binary(max_size=5))
def test_every_header_survives_the_way(key_id: int, counter: int, before: bytes, behind: bytes) -> None:
    wire = sframe.build_header(key_id, counter)
    parsed = sframe.parse_header(memoryview(before + wire + behind), len(before))
    assert parsed == sframe.Header(key_id, counter, len(wire))


@hypothesis.given(st.binary(max_size=20))
def test_bytes_are_the_header_of_what_they_parse_to_or_refused(data: bytes) -> None:
    try:
        parsed = sframe.parse_header(data)
    except BadPacket:
        return
    assert sframe.build_header(parsed.key_id, parsed.counter) == data[: parsed.size]


@pytest.mark.parametrize("encoded", ["8007", "0800", "08" + "07", "90" + "00ff", "09" + "0001"])
def test_a_value_has_one_encoding(encoded: str) -> None:
    with pytest.raises(BadPacket, match="sframe_not_minimal"):
        sframe.parse_header(bytes.fromhex(encoded))


@pytest.mark.parametrize("encoded", ["", "80", "9901", "990123", "99012345"])
def test_a_header_cut_short_is_refused(encoded: str) -> None:
    with pytest.raises(BadPacket, match="sframe_short"):
        sframe.parse_header(bytes.fromhex(encoded))


@pytest.mark.parametrize("value", [-1, 2**64])
def test_fields_have_64_bits(value: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        sframe.build_header(0, value)


@pytest.mark.parametrize(("tag_length", "sealed"), CTR_HMAC)
def test_counter_mode_with_hmac_of_the_rfc(tag_length: int, sealed: str) -> None:
    aead = sframe.CtrHmac(bytes(range(48)), tag_length)
    nonce = bytes(range(0x10, 0x1C))
    assert aead.seal(nonce, PLAINTEXT, METADATA).hex() == sealed
    assert aead.open(nonce, bytes.fromhex(sealed), METADATA) == PLAINTEXT


@pytest.mark.parametrize("suite", Suite)
def test_keys_and_nonces_of_the_rfc(suite: Suite) -> None:
    key, salt, nonce, _ = SEALED[suite]
    material = sframe.derived(suite, KEY_ID, BASE_KEY)
    assert (material.key.hex(), material.salt.hex()) == (key, salt)
    assert sframe.nonce_for(material.salt, COUNTER).hex() == nonce


@pytest.mark.parametrize("suite", Suite)
def test_frames_of_the_rfc(suite: Suite) -> None:
    key = sframe.Key(suite, KEY_ID, BASE_KEY)
    sealed = bytes.fromhex(SEALED[suite][3])
    assert key.seal(COUNTER, PLAINTEXT, METADATA) == sealed
    assert key.open(memoryview(sealed), sframe.parse_header(sealed), METADATA) == PLAINTEXT


@pytest.mark.parametrize("suite", Suite)
def test_a_bit_turned_anywhere_is_noticed(suite: Suite) -> None:
    key = sframe.Key(suite, KEY_ID, BASE_KEY)
    sealed = bytes.fromhex(SEALED[suite][3])
    for bit in range(5 * 8, len(sealed) * 8):
        turned = (int.from_bytes(sealed, "big") ^ 1 << (len(sealed) * 8 - 1 - bit)).to_bytes(len(sealed), "big")
        with pytest.raises(BadPacket, match="sframe_unauthentic"):
            key.open(turned, sframe.parse_header(turned), METADATA)
    with pytest.raises(BadPacket, match="sframe_unauthentic"):
        key.open(sealed, sframe.parse_header(sealed), METADATA + b"!")


@pytest.mark.parametrize("suite", Suite)
def test_nothing_shorter_than_a_tag_is_opened(suite: Suite) -> None:
    key = sframe.Key(suite, KEY_ID, BASE_KEY)
    empty = key.seal(1, b"")
    assert key.open(empty, sframe.parse_header(empty)) == b""
    for length in range(sframe.parse_header(empty).size, len(empty)):
        with pytest.raises(BadPacket, match="sframe_short"):
            key.open(empty[:length], sframe.parse_header(empty))
