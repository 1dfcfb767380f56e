"""What the server offers as its addresses."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.candidates import MAX_ADVERTISED, Advertised, Candidate, Protocol, offered, parse, priority
from media.errors import BadPacket

TWO = (Advertised("192.0.2.1", 7000, 7000), Advertised("2001:DB8::1", 7000, 7000))


def test_lines_of_two_addresses_over_both_protocols() -> None:
    assert [one.value for one in offered(TWO)] == [
        "candidate:1 1 udp 2130706431 192.0.2.1 7000 typ host",
        "candidate:2 1 udp 2130706175 2001:db8::1 7000 typ host",
        "candidate:3 1 tcp 1520435199 192.0.2.1 7000 typ host tcptype passive",
        "candidate:4 1 tcp 1520434943 2001:db8::1 7000 typ host tcptype passive",
    ]


def test_the_priority_is_that_of_the_rfc() -> None:
    assert priority(126, 65535) == 2130706431
    assert priority(126, 65535, component=2) == 2130706430


@given(st.integers(1, MAX_ADVERTISED))
def test_priorities_differ_fall_and_keep_udp_above_tcp(count: int) -> None:
    candidates = offered(Advertised(f"192.0.2.{n}", 7000, 7001) for n in range(1, count + 1))
    priorities = [one.priority for one in candidates]
    assert priorities == sorted(set(priorities), reverse=True)
    assert [one.protocol for one in candidates] == [Protocol.UDP] * count + [Protocol.TCP] * count
    assert len({one.foundation for one in candidates}) == 2 * count


def test_a_protocol_without_a_port_is_not_offered() -> None:
    assert [one.protocol for one in offered([Advertised("192.0.2.1", 7000)])] == [Protocol.UDP]
    assert [one.protocol for one in offered([Advertised("192.0.2.1", None, 7000)])] == [Protocol.TCP]


@pytest.mark.parametrize(
    "address", [str(IPv4Address(0)), "::", "224.0.0.1", "ff02::1", "fe80::1", "::ffff:192.0.2.1", "host"]
)
def test_addresses_that_nobody_can_send_to_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        offered([Advertised(address, 7000)])


def test_an_address_comes_once_and_there_are_few() -> None:
    with pytest.raises(ValueError, match="twice"):
        offered([Advertised("2001:db8::1", 7000), Advertised("2001:DB8:0::1", 7000)])
    with pytest.raises(ValueError, match="at most"):
        offered(Advertised(f"192.0.2.{n}", 7000) for n in range(MAX_ADVERTISED + 1))


def test_lines_of_browsers_are_read() -> None:
    line = (
        "a=candidate:842163049 1 udp 1677729535 203.0.113.9 61665 typ srflx raddr 10.0.0.2 rport 61665"
        " generation 0 ufrag abcd network-cost 999"
    )
    assert parse(line) == Candidate("842163049", 1, Protocol.UDP, 1677729535, "203.0.113.9", 61665, "srflx")
    hidden = parse("candidate:0 1 UDP 2122252543 4e2e8ad2.local 40000 typ host")
    assert (hidden.address, hidden.protocol) == ("4e2e8ad2.local", Protocol.UDP)
    assert parse("candidate:4 1 TCP 2105524479 10.0.0.2 9 typ host tcptype active").tcp_type == "active"


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("candidate_form", ""),
        ("candidate_form", "candidate:1 1 udp 1 192.0.2.1 1"),
        ("candidate_form", "candidate:1 1 sctp 1 192.0.2.1 1 typ host"),
        ("candidate_form", "candidate:1 1 udp 1 192.0.2.1 1 typ host odd"),
        # What splits words and is no space.
        ("candidate_form", "candidate:1 1 udp 1 192.0.2.1 1 typ srflx r\x1dddr 0"),
        ("candidate_form", "candidate:1 1 udp 1 192.0.2.1 1 typ host" + " a b" * 200),
        ("candidate_range", "candidate:1 0 udp 1 192.0.2.1 1 typ host"),
        ("candidate_range", "candidate:1 1 udp 2147483648 192.0.2.1 1 typ host"),
        ("candidate_range", "candidate:1 1 udp 1 192.0.2.1 65536 typ host"),
        ("candidate_tcptype", "candidate:1 1 tcp 1 192.0.2.1 1 typ host"),
        ("candidate_tcptype", "candidate:1 1 udp 1 192.0.2.1 1 typ host tcptype passive"),
        ("candidate_tcptype", "candidate:1 1 tcp 1 192.0.2.1 1 typ host tcptype sideways"),
    ],
)
def test_malformed_lines_are_refused_by_name(reason: str, line: str) -> None:
    with pytest.raises(BadPacket) as caught:
        parse(line)
    assert caught.value.reason == reason


@given(st.text(max_size=600) | st.text(max_size=60).map("candidate:1 1 udp 1 192.0.2.1 1 typ host ".__add__))
def test_any_text_is_read_or_refused(line: str) -> None:
    with suppress(BadPacket):
        parse(line)


def test_what_is_offered_is_read_the_same() -> None:
    for candidate in offered(TWO):
        assert parse("a=" + candidate.value) == candidate
