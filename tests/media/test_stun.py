"""STUN as ICE speaks it. The bytes are the vectors of RFC 5769."""

from __future__ import annotations

import operator
import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import stun
from media.errors import BadPacket
from media.stun import Claim, Failure, Kind, Message, Role

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
# RFC 5769 sections 2.1, 2.2 and 2.3.
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RESPONSE_V4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RESPONSE_V6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def test_the_request_of_the_rfc_is_read_and_authentic() -> None:
    received = stun.parse(REQUEST)
    assert received.message == Message(
        Kind.REQUEST,
        TRANSACTION,
        username=b"evtj:h6vY",
        priority=0x6E0001FF,
        claim=Claim(Role.CONTROLLED, 0x932FF9B151263B36),
    )
    assert received.is_authentic(PASSWORD)
    assert not received.is_authentic(PASSWORD + b"x")
    assert received.has_fingerprint
    assert received.has_integrity
    assert received.not_understood == ()


@pytest.mark.parametrize(
    ("datagram", "host"),
    [(RESPONSE_V4, "192.0.2.1"), (RESPONSE_V6, "2001:db8:1234:5678:11:2233:4455:6677")],
    ids=["IPv4", "IPv6"],
)
def test_the_answers_of_the_rfc_are_read_and_authentic(datagram: bytes, host: str) -> None:
    received = stun.parse(memoryview(datagram))
    assert received.message == Message(Kind.SUCCESS, TRANSACTION, mapped=(host, 32853))
    assert received.is_authentic(PASSWORD)


def test_what_is_built_has_these_bytes() -> None:
    built = stun.build(Message(Kind.SUCCESS, TRANSACTION, mapped=("192.0.2.1", 32853)), PASSWORD)
    assert built[:32] == bytes.fromhex("0101002c2112a442b7e7a701bc34d686fa87dfae002000080001a147e112a643")
    assert built[32:36] == bytes.fromhex("00080014")
    assert built[56:60] == bytes.fromhex("80280004")
    assert len(built) == 64


def test_an_ipv4_peer_of_a_socket_of_both_families_is_told_its_ipv4_address() -> None:
    built = stun.build(Message(Kind.SUCCESS, TRANSACTION, mapped=("::ffff:192.0.2.1", 9)), PASSWORD)
    assert stun.parse(built).message.mapped == ("192.0.2.1", 9)


def test_nor_does_a_mapped_address_of_somebody_else_come_out_of_a_message() -> None:
    written = IPv6Address("::ffff:192.0.2.1").packed
    mask = stun.COOKIE.to_bytes(4, "big") + TRANSACTION
    value = b"\x00\x02" + (9 ^ stun.COOKIE >> 16).to_bytes(2, "big") + bytes(map(operator.xor, written, mask))
    answer = struct.pack("!HHI", 0x0101, 24, stun.COOKIE) + TRANSACTION + b"\x00\x20\x00\x14" + value
    assert stun.parse(answer).message.mapped == ("192.0.2.1", 9)


@pytest.mark.parametrize("at", range(len(REQUEST) - 8))
def test_a_bit_changed_before_the_fingerprint_is_noticed(at: int) -> None:
    forged = bytearray(REQUEST)
    forged[at] ^= 1
    with pytest.raises(BadPacket):
        stun.parse(bytes(forged))


def test_a_message_without_integrity_is_nobodys() -> None:
    received = stun.parse(stun.build(Message(Kind.REQUEST, TRANSACTION, username=b"a:b"), None))
    assert not received.has_integrity
    assert not received.is_authentic(b"")


def test_unknown_attributes_that_must_be_understood_are_listed_and_others_are_not() -> None:
    received = stun.parse(_with(REQUEST[:20], (0x0014, b"realm"), (0x7F00, b""), (0xC057, b"\0\0\0\1"), (0x0014, b"")))
    assert received.not_understood == (0x0014, 0x7F00)


def test_what_follows_the_integrity_is_not_believed() -> None:
    signed = stun.build(Message(Kind.REQUEST, TRANSACTION, username=b"a:b"), PASSWORD)[:-8]
    received = stun.parse(_with(signed, (0x0025, b""), (0x0024, b"\0\0\0\1"), (0x7F00, b"")))
    assert received.is_authentic(PASSWORD)
    assert not received.message.nominates
    assert received.message.priority is None
    assert received.not_understood == ()


def test_of_an_attribute_that_comes_twice_the_first_counts() -> None:
    received = stun.parse(_with(REQUEST[:20], (0x0006, b"one"), (0x0006, b"two")))
    assert received.message.username == b"one"


MALFORMED = [
    ("stun_short", b""),
    ("stun_short", REQUEST[:19]),
    ("stun_long", REQUEST + bytes(2000)),
    ("stun_cookie", REQUEST[:4] + bytes(4) + REQUEST[8:]),
    ("stun_cookie", b"\x80" + REQUEST[1:]),
    ("stun_method", b"\x00\x03" + REQUEST[2:]),
    ("stun_length", REQUEST[:-4]),
    ("stun_length", REQUEST + bytes(4)),
    ("stun_fingerprint", REQUEST[:-1] + b"\0"),
    ("stun_attribute", REQUEST[:2] + b"\x00\x04" + REQUEST[4:20] + b"\x00\x06\x00\x01"),
]


@pytest.mark.parametrize(("reason", "datagram"), MALFORMED)
def test_malformed_messages_are_refused_by_name(reason: str, datagram: bytes) -> None:
    with pytest.raises(BadPacket) as caught:
        stun.parse(datagram)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("reason", "attribute", "value"),
    [
        ("stun_attribute", 0x0006, bytes(509)),
        ("stun_attribute", 0x0008, bytes(19)),
        ("stun_attribute", 0x0009, b"\0\0\4"),
        ("stun_error_code", 0x0009, b"\0\0\4\x64"),
        ("stun_error_code", 0x0009, b"\0\0\7\0"),
        ("stun_error_code", 0x0009, b"\0\0\4\0"),
        ("stun_attribute", 0x000A, b"\0\1\0"),
        ("stun_attribute", 0x0020, b"\0\1\0\0\0\0\0"),
        ("stun_attribute", 0x0020, b"\0\3" + bytes(6)),
        ("stun_attribute", 0x0024, b"\0"),
        ("stun_attribute", 0x0025, b"\0"),
        ("stun_attribute", 0x802A, bytes(4)),
        ("stun_fingerprint", 0x8028, bytes(3)),
    ],
)
def test_attributes_of_the_wrong_form_are_refused_by_name(reason: str, attribute: int, value: bytes) -> None:
    with pytest.raises(BadPacket) as caught:
        stun.parse(_with(REQUEST[:20], (attribute, value)))
    assert caught.value.reason == reason


def test_nobody_has_two_roles() -> None:
    with pytest.raises(BadPacket, match="stun_two_roles"):
        stun.parse(_with(REQUEST[:20], (0x8029, bytes(8)), (0x802A, bytes(8))))


def test_nothing_follows_a_fingerprint() -> None:
    with pytest.raises(BadPacket, match="stun_fingerprint"):
        stun.parse(_with(stun.build(Message(Kind.INDICATION, TRANSACTION), None), (0xC057, b"")))


def test_media_is_told_from_stun() -> None:
    assert stun.is_stun(REQUEST)
    assert not stun.is_stun(b"")
    assert not stun.is_stun(b"\x16" + REQUEST[1:])
    assert not stun.is_stun(bytes(20))


HOSTS = st.one_of(
    st.builds(str, st.builds(IPv4Address, st.integers(0, 2**32 - 1))),
    st.builds(str, st.builds(IPv6Address, st.integers(2**64, 2**128 - 1))),
)
NUMBERS = st.integers(0, 2**16 - 1)
MESSAGES = st.builds(
    Message,
    st.sampled_from([Kind.REQUEST, Kind.INDICATION, Kind.SUCCESS]),
    st.binary(min_size=12, max_size=12),
    username=st.none() | st.binary(max_size=508),
    priority=st.none() | st.integers(0, 2**32 - 1),
    nominates=st.booleans(),
    claim=st.none() | st.builds(Claim, st.sampled_from(Role), st.integers(0, 2**64 - 1)),
    mapped=st.none() | st.tuples(HOSTS, NUMBERS),
)
ERRORS = st.builds(
    Message,
    st.just(Kind.ERROR),
    st.binary(min_size=12, max_size=12),
    failure=st.builds(Failure, st.integers(300, 699), st.text(max_size=60)),
    unknown=st.lists(NUMBERS, max_size=8).map(tuple),
)


@given(MESSAGES | ERRORS, st.binary(min_size=1, max_size=64))
def test_what_was_built_is_read_the_same(message: Message, password: bytes) -> None:
    received = stun.parse(stun.build(message, password))
    assert received.message == message
    assert received.is_authentic(password)


@given(st.binary(max_size=1400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    header = struct.pack("!HHI", 1, len(data) & ~3, stun.COOKIE) + TRANSACTION
    for datagram in (data, header + data[: len(data) & ~3]):
        with suppress(BadPacket):
            stun.parse(datagram)


def _with(message: bytes, *attributes: tuple[int, bytes]) -> bytes:
    out = message
    for attribute, value in attributes:
        out += struct.pack("!HH", attribute, len(value)) + value + bytes(-len(value) % 4)
    return out[:2] + struct.pack("!H", len(out) - 20) + out[4:]
