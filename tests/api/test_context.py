"""Who is asking: forwarding headers are believed from named proxies only."""

from __future__ import annotations

import ipaddress

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from api.http.context import ClientAddresses, RequestIds
from kernel.addresses import limit_key

PROXIES = ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")
PEERS = st.ip_addresses().map(str)
GARBAGE = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=","), max_size=30)


def asked(
    peer: str | None, *forwarded: str, proto: str | None = None, scheme: str = "http", **more: str
) -> web.Request:
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    if proto is not None:
        headers["X-Forwarded-Proto"] = proto
    headers.update(more)
    request: web.Request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer or "", scheme=scheme)
    return request


def address(peer: str, *forwarded: str, trusted: tuple[str, ...] = PROXIES) -> str:
    return ClientAddresses(trusted).of(asked(peer, *forwarded))[0]


# --- whose address -------------------------------------------------------------------------------------------


@given(PEERS.filter(lambda peer: not peer.startswith(("10.", "127.", "fd", "::ffff"))), GARBAGE, PEERS)
def test_what_an_untrusted_peer_forwards_is_ignored(peer: str, garbage: str, claimed: str) -> None:
    for forwarded in (claimed, garbage, f"{claimed}, 10.0.0.1"):
        request = asked(peer, forwarded, proto="https")
        assert ClientAddresses(PROXIES).of(request) == (peer, False)


def test_without_named_proxies_nobody_is_believed() -> None:
    assert ClientAddresses(()).of(asked("127.0.0.1", "1.2.3.4", proto="https")) == ("127.0.0.1", False)


def test_a_trusted_proxy_tells_the_client() -> None:
    assert address("10.0.0.1", "203.0.113.9") == "203.0.113.9"


def test_of_a_chain_the_nearest_address_that_is_no_proxy_of_ours_counts() -> None:
    assert address("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.7, fd00::7") == "203.0.113.9"


def test_a_client_cannot_put_an_address_before_its_own() -> None:
    assert address("10.0.0.1", "127.0.0.1, 10.9.9.9, 203.0.113.9") == "203.0.113.9"


def test_headers_given_twice_are_one_chain_in_order() -> None:
    assert address("10.0.0.1", "1.1.1.1", "203.0.113.9, 10.0.0.7") == "203.0.113.9"


def test_a_chain_of_nothing_but_proxies_ends_at_its_first() -> None:
    assert address("10.0.0.1", "10.0.0.3, 10.0.0.2") == "10.0.0.3"


@pytest.mark.parametrize(
    "garbage", ["unknown", "", "_hidden", "203.0.113.9:1234", "[2001:db8::1]", "1.2.3", "x" * 5_000]
)
def test_garbage_ends_the_chain_at_the_last_address_before_it(garbage: str) -> None:
    assert address("10.0.0.1", f"203.0.113.9, {garbage}, 10.0.0.2") == "10.0.0.2"
    assert address("10.0.0.1", garbage) == "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [("fd00::1", True), ("fe80::1%eth0", False), ("::ffff:10.0.0.1", True), ("::ffff:11.0.0.1", False), ("", False)],
)
def test_proxies_are_recognised_in_every_spelling(peer: str, trusted: bool) -> None:
    assert address(peer, "203.0.113.9") == ("203.0.113.9" if trusted else peer)


def test_a_zone_belongs_to_a_proxy_all_the_same() -> None:
    assert address("fe80::1%eth0", "203.0.113.9", trusted=("fe80::/10",)) == "203.0.113.9"


def test_one_address_has_one_spelling() -> None:
    assert address("10.0.0.1", "2001:DB8:0:0::1") == "2001:db8::1"
    assert address("10.0.0.1", "::ffff:203.0.113.9") == "203.0.113.9"


@given(PEERS, st.lists(PEERS | GARBAGE, max_size=6).map(",".join))
def test_whatever_is_forwarded_the_answer_is_an_address_of_the_chain(peer: str, forwarded: str) -> None:
    found = address(peer, forwarded)
    assert str(ipaddress.ip_address(found)) == found
    assert found == peer or any(found in spellings(hop.strip()) for hop in forwarded.split(","))


def spellings(hop: str) -> set[str]:
    try:
        parsed = ipaddress.ip_address(hop)
    except ValueError:
        return set()
    return {str(parsed), str(getattr(parsed, "ipv4_mapped", None))}


@pytest.mark.parametrize(
    ("peer", "scheme", "proto", "secure"),
    [
        ("10.0.0.1", "http", "https", True),
        ("10.0.0.1", "http", "HTTPS", True),
        ("10.0.0.1", "http", "http", False),
        ("10.0.0.1", "http", None, False),
        ("203.0.113.9", "http", "https", False),
        ("203.0.113.9", "https", "http", True),
    ],
)
def test_tls_is_what_the_proxy_says_or_what_we_see(peer: str, scheme: str, proto: str | None, secure: bool) -> None:
    request = asked(peer, "1.2.3.4", proto=proto, scheme=scheme)
    assert ClientAddresses(PROXIES).of(request)[1] is secure


# --- this machine --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("fe80::1%lo", False),
        ("", False),
        ("0.0.0.0", False),  # noqa: S104 - an address like any other here
    ],
)
def test_a_program_on_this_machine_is_local(peer: str, local: bool) -> None:
    assert ClientAddresses(PROXIES).is_local(asked(peer)) is local


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_what_a_proxy_on_this_machine_passes_on_is_not_local(header: str) -> None:
    request = asked("127.0.0.1", **{header: "127.0.0.1"})
    assert not ClientAddresses(()).is_local(request)
    assert not ClientAddresses(PROXIES).is_local(request)


# --- what limits count by ------------------------------------------------------------------------------------


@given(st.ip_addresses(v=4))
def test_ipv4_counts_by_address_in_either_spelling(parsed: ipaddress.IPv4Address) -> None:
    assert limit_key(str(parsed)) == str(parsed)
    assert limit_key(f"::ffff:{parsed}") == str(parsed)


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_ipv6_counts_by_the_first_64_bits(network: int, one: int, other: int) -> None:
    if network == 0:
        return
    here, there = (str(ipaddress.IPv6Address(network << 64 | host)) for host in (one, other))
    assert limit_key(here) == limit_key(there) == str(ipaddress.IPv6Address(network << 64))
    assert limit_key(f"{here}%eth0") == limit_key(here)
    assert limit_key(str(ipaddress.IPv6Address((network ^ 1) << 64 | one))) != limit_key(here)


@given(st.text())
def test_what_is_no_address_counts_as_it_is(text: str) -> None:
    assert isinstance(limit_key(text), str)


# --- ids -----------------------------------------------------------------------------------------------------


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), max_size=80))
def test_an_offered_request_id_is_taken_only_when_it_is_a_plain_word(offered: str) -> None:
    taken = RequestIds().of(make_mocked_request("GET", "/", headers={"X-Request-Id": offered}))
    plain = 8 <= len(offered) <= 64 and offered.isascii() and all(char.isalnum() or char in "._-" for char in offered)
    assert (taken == offered) is plain


def test_our_own_ids_are_never_given_twice() -> None:
    ids, others = RequestIds(), RequestIds()
    request = make_mocked_request("GET", "/")
    assert len({source.of(request) for source in (ids, others) for _ in range(500)}) == 1_000
