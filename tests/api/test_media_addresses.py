"""Which addresses media is bound to and which clients are told, by what is configured and what the machine has."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from api.media_addresses import of_this_machine, to_advertise, to_bind
from config.sections import Media
from media.candidates import MAX_ADVERTISED, offered
from media.engine import Address

MACHINE = ("127.0.0.1", "::1", "fe80::1", "169.254.7.7", "2001:db8::7", "192.0.2.5", "10.0.0.5")


EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound to it


@pytest.mark.parametrize(
    ("listening", "machine", "bound"),
    [
        ((EVERYWHERE,), MACHINE, ("192.0.2.5", "10.0.0.5", "2001:db8::7")),
        (("::",), MACHINE, ("192.0.2.5", "10.0.0.5", "2001:db8::7")),
        ((EVERYWHERE,), ("127.0.0.1", "::1"), ("127.0.0.1", "::1")),
        (("127.0.0.1",), MACHINE, ("192.0.2.5", "10.0.0.5", "2001:db8::7", "127.0.0.1", "::1")),
        (("127.0.0.1", "::1"), MACHINE, ("192.0.2.5", "10.0.0.5", "2001:db8::7", "127.0.0.1", "::1")),
        (("::1",), ("127.0.0.1",), ("127.0.0.1",)),
        (("192.0.2.5",), MACHINE, ("192.0.2.5",)),
        (("2001:db8::7",), MACHINE, ("2001:db8::7",)),
    ],
)
def test_where_nothing_is_configured_the_server_s_own_address_decides(
    listening: tuple[str, ...], machine: tuple[str, ...], bound: tuple[str, ...]
) -> None:
    assert to_bind(Media(), listening, machine) == bound


def test_what_is_configured_is_bound_and_nothing_else() -> None:
    assert to_bind(Media(addresses=("10.0.0.5",)), (EVERYWHERE,), MACHINE) == ("10.0.0.5",)


def test_a_machine_with_a_hundred_addresses_offers_as_many_as_can_be_told() -> None:
    many = tuple(f"10.0.0.{number}" for number in range(1, 101))
    bound = to_bind(Media(), ("127.0.0.1",), ("127.0.0.1", "::1", *many))
    assert len(bound) == MAX_ADVERTISED
    assert bound[-2:] == ("127.0.0.1", "::1")
    assert offered(to_advertise(Media(), [Address(host, 9) for host in bound]))


def test_clients_are_told_what_is_bound_or_what_is_said_instead() -> None:
    bound = [Address("10.0.0.5", 4000), Address("2001:db8::7", 4000)]
    told = to_advertise(Media(), bound)
    assert [(one.address, one.udp_port, one.tcp_port) for one in told] == [
        ("10.0.0.5", 4000, 4000),
        ("2001:db8::7", 4000, 4000),
    ]
    [public] = to_advertise(Media(advertised=("203.0.113.9",), tcp=False), bound)
    assert (public.address, public.udp_port, public.tcp_port) == ("203.0.113.9", 4000, None)


def test_this_machine_has_addresses_and_each_can_be_bound() -> None:
    found = of_this_machine()
    assert any(ip_address(address).is_loopback for address in found)
    for address in found:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
