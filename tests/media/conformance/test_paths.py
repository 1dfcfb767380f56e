"""Where datagrams are taken from and where media goes: handles, ICE, restarts, consent, TCP, IPv6."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

from kernel.errors import Overloaded
from media import stun
from media.engine import (
    Connected,
    ConsentLost,
    DtlsDatagram,
    Gone,
    IceCredentials,
    SourceId,
    TransportId,
    TransportKind,
)
from media.icevalues import Limits
from tests.media.conformance.stage import Member, Opens, Stage, camera_format, ice_of, staged
from tests.media.peers import Peer, TcpWire, UdpWire

T = TypeVar("T")

HELLO = b"\x16\xfe\xfdhello, server"
ANSWER = b"\x16\xfe\xfdhello, client"


def every_use_of(stage: Stage, transport: TransportId) -> list[Callable[[], object]]:
    engine = stage.engine
    ice = IceCredentials("peer", "password-of-the-peer-1234")
    return [
        lambda: engine.restart_ice(transport, ice),
        lambda: engine.send_dtls(transport, HELLO),
        lambda: engine.set_srtp(transport, Peer().srtp.engine_keys),
        lambda: engine.close_transport(transport),
        lambda: engine.add_source(transport, camera_format()),
        lambda: engine.add_sinks(transport, []),
    ]


class TestHandles:
    async def test_a_transport_that_was_closed_is_gone_for_every_use(self, stage: Stage) -> None:
        member = await stage.join()
        stage.leave(member)
        for use in every_use_of(stage, member.transport):
            with pytest.raises(Gone):
                use()

    async def test_one_that_never_was_is_gone_as_well(self, stage: Stage) -> None:
        for use in every_use_of(stage, TransportId(77)):
            with pytest.raises(Gone):
                use()

    async def test_what_a_transport_held_ends_with_it(self, stage: Stage) -> None:
        member = await stage.join()
        source, _ = stage.camera(member)
        (sink,) = stage.screen(member)
        tap = stage.engine.tap(source, most_bytes=1000)
        stage.leave(member)
        for use in (
            lambda: stage.engine.remove_source(source),
            lambda: stage.engine.request_keyframe(source),
            lambda: stage.engine.mute_source(source, muted=True),
            lambda: stage.engine.assign(sink, None),
            lambda: stage.engine.pause(sink, paused=True),
            lambda: stage.engine.read_tap(tap, 1),
        ):
            with pytest.raises(Gone):
                use()
        assert stage.engine.source_stats() == {}
        assert stage.engine.sink_stats() == {}
        assert stage.engine.transport_stats() == {}

    async def test_no_handle_is_handed_out_twice(self, stage: Stage) -> None:
        transports, sources = set(), set()
        for _ in range(5):
            member = await stage.newcomer()
            source, _ = stage.camera(member)
            stage.leave(member)
            transports.add(member.transport)
            sources.add(source)
        assert len(transports) == len(sources) == 5

    async def test_a_source_that_was_removed_can_be_neither_watched_nor_removed_again(self, stage: Stage) -> None:
        member = await stage.newcomer()
        source, _ = stage.camera(member)
        (sink,) = stage.screen(member)
        stage.engine.remove_source(source)
        with pytest.raises(Gone):
            stage.engine.assign(sink, source)
        with pytest.raises(Gone):
            stage.engine.remove_source(source)
        with pytest.raises(Gone):
            stage.engine.remove_source(SourceId(99))

    async def test_keys_are_set_once(self, stage: Stage) -> None:
        member = await stage.join()
        with pytest.raises(ValueError, match="once"):
            stage.engine.set_srtp(member.transport, member.peer.srtp.engine_keys)


class TestConnecting:
    async def test_a_check_is_answered_with_the_address_it_came_from(self, stage: Stage) -> None:
        member = await stage.newcomer()
        member.peer.check()
        await member.peer.until(lambda: member.peer.stun_answers)
        (answer,) = member.peer.stun_answers
        assert isinstance(member.peer.wire, UdpWire)
        address = member.peer.wire.address
        assert answer.kind is stun.Kind.SUCCESS
        assert answer.mapped == (address.host, address.port)

    async def test_an_address_that_answered_our_check_and_was_nominated_is_connected(self, stage: Stage) -> None:
        member = await stage.newcomer()
        await stage.connect(member)
        assert isinstance(member.peer.wire, UdpWire)
        assert stage.connections(member) == [Connected(member.transport, member.peer.wire.address, tcp=False)]
        assert stage.engine.transport_stats()[member.transport].remote == member.peer.wire.address

    async def test_one_that_does_not_answer_is_not(self, stage: Stage) -> None:
        member = await stage.newcomer()
        member.peer.answers = False
        member.peer.check()
        await member.peer.until(lambda: member.peer.checks)
        await stage.settle()
        assert stage.told(Connected) == []
        assert stage.engine.transport_stats()[member.transport].remote is None

    async def test_one_that_was_not_nominated_is_not(self, stage: Stage) -> None:
        member = await stage.newcomer()
        member.peer.check(nominates=False)
        await member.peer.until(lambda: member.peer.checks)
        await stage.settle()
        assert stage.told(Connected) == []

    async def test_a_wrong_password_gets_no_answer(self, stage: Stage) -> None:
        member = await stage.newcomer()
        member.peer.check(password="somebody else's, of some length")
        await stage.settle()
        assert member.peer.stun_answers == []
        assert stage.engine.drops()["ice_integrity"] == 1

    async def test_the_engine_wakes_its_reader_when_something_has_happened(self, stage: Stage) -> None:
        member = await stage.newcomer()
        member.peer.check()
        async with asyncio.timeout(5):
            await stage.woken.wait()
        assert len(stage.told(Connected)) == 1


class TestMoving:
    async def test_media_moves_to_another_address_only_after_that_has_answered(self, stage: Stage) -> None:
        member = await stage.join()
        first = member.peer.wire
        await stage.wire(member.peer)
        member.peer.answers = False
        member.peer.check()
        await member.peer.until(lambda: len(member.peer.checks) >= 2)
        await stage.settle()
        assert len(stage.connections(member)) == 1
        assert isinstance(first, UdpWire)
        assert stage.engine.transport_stats()[member.transport].remote == first.address
        member.peer.answers = True
        await stage.connect(member)
        assert isinstance(member.peer.wire, UdpWire)
        assert stage.engine.transport_stats()[member.transport].remote == member.peer.wire.address

    async def test_a_restart_gives_new_credentials_and_media_goes_on_until_they_are_used(self, stage: Stage) -> None:
        member = await stage.join()
        before = ice_of(member.peer)
        member.peer.ice = IceCredentials("later", "another password of the peer")
        member.peer.engine_ice = stage.engine.restart_ice(member.transport, member.peer.ice)
        assert member.peer.engine_ice != before
        stage.engine.send_dtls(member.transport, HELLO)
        await member.peer.until(lambda: member.peer.dtls == [HELLO])
        await stage.wire(member.peer)
        await stage.connect(member)
        assert isinstance(member.peer.wire, UdpWire)
        assert stage.connections(member)[-1].remote == member.peer.wire.address
        member.peer.check(ice=before)
        await stage.until(lambda: stage.engine.drops().get("ice_unknown_ufrag"))


class TestDtls:
    async def test_datagrams_go_both_ways_once_the_address_is_proven(self, stage: Stage) -> None:
        member = await stage.newcomer()
        await stage.connect(member)
        member.peer.send(HELLO)
        await stage.until(lambda: stage.told(DtlsDatagram))
        assert stage.told(DtlsDatagram) == [DtlsDatagram(member.transport, HELLO)]
        stage.engine.send_dtls(member.transport, ANSWER)
        await member.peer.until(lambda: member.peer.dtls)
        assert member.peer.dtls == [ANSWER]

    async def test_a_handshake_that_begins_before_a_path_is_chosen_is_answered_where_it_began(
        self, stage: Stage
    ) -> None:
        member = await stage.newcomer()
        member.peer.check(nominates=False)
        await member.peer.until(lambda: member.peer.checks)
        member.peer.send(HELLO)
        await stage.until(lambda: stage.told(DtlsDatagram))
        assert stage.told(Connected) == []
        stage.engine.send_dtls(member.transport, ANSWER)
        await member.peer.until(lambda: member.peer.dtls == [ANSWER])

    async def test_nothing_is_taken_from_an_address_that_has_not_answered(self, stage: Stage) -> None:
        member = await stage.newcomer()
        member.peer.answers = False
        member.peer.check()
        await member.peer.until(lambda: member.peer.checks)
        member.peer.send(HELLO)
        await stage.until(lambda: stage.engine.drops().get("dtls_stranger"))
        assert stage.told(DtlsDatagram) == []

    async def test_what_cannot_be_sent_yet_is_dropped_by_name(self, stage: Stage) -> None:
        member = await stage.newcomer()
        stage.engine.send_dtls(member.transport, HELLO)
        assert stage.engine.drops()["dtls_no_path"] == 1

    async def test_who_has_left_is_a_stranger_again(self, stage: Stage) -> None:
        member = await stage.newcomer()
        await stage.connect(member)
        stage.leave(member)
        member.peer.send(HELLO)
        await stage.until(lambda: stage.engine.drops().get("dtls_stranger"))
        assert stage.told(DtlsDatagram) == []


class TestTcp:
    async def test_a_peer_connects_and_sends_over_tcp(self, stage: Stage) -> None:
        member = await stage.newcomer(tcp=True)
        await stage.connect(member)
        (connected,) = stage.connections(member)
        assert connected.tcp
        assert stage.engine.transport_stats()[member.transport].tcp
        member.peer.send(HELLO)
        await stage.until(lambda: stage.told(DtlsDatagram))
        stage.engine.send_dtls(member.transport, ANSWER)
        await member.peer.until(lambda: member.peer.dtls == [ANSWER])

    async def test_a_stream_of_something_else_is_cut(self, stage: Stage) -> None:
        member = await stage.newcomer(tcp=True)
        assert isinstance(member.peer.wire, TcpWire)
        member.peer.wire.send_unframed(b"GET / HTTP/1.1\r\nHost: media\r\n\r\n")
        wire = member.peer.wire
        await stage.until(lambda: wire.is_closed)
        assert stage.engine.drops()["tcp_frame_long"] == 1

    async def test_a_peer_moves_from_tcp_to_udp(self, stage: Stage) -> None:
        member = await stage.newcomer(tcp=True)
        await stage.connect(member)
        await stage.wire(member.peer)
        await stage.connect(member)
        assert [connected.tcp for connected in stage.connections(member)] == [True, False]


async def test_ipv6_is_a_path_like_any_other(opens: Opens) -> None:
    async with staged(opens, "::1") as stage:
        member = await stage.newcomer()
        await stage.connect(member)
        assert stage.connections(member)[0].remote.host == "::1"
        member.peer.send(HELLO)
        await stage.until(lambda: stage.told(DtlsDatagram))


async def test_a_peer_that_falls_silent_loses_consent_and_has_it_again_when_it_comes_back(opens: Opens) -> None:
    async with staged(opens, ice=Limits(consent_interval=0.2, consent_timeout=1.0)) as stage:
        member = await stage.join()
        member.peer.answers = False
        await stage.until(lambda: stage.told(ConsentLost))
        assert stage.told(ConsentLost) == [ConsentLost(member.transport)]
        assert stage.engine.transport_stats()[member.transport].remote is None
        member.peer.answers = True
        await stage.connect(member)
        assert stage.engine.transport_stats()[member.transport].remote is not None


async def test_only_so_many_transports_are_taken_and_one_that_ends_makes_room(opens: Opens) -> None:
    async with staged(opens, ice=Limits(transports=2)) as stage:
        first, _ = await stage.newcomer(), await stage.newcomer()
        with pytest.raises(Overloaded):
            await stage.newcomer()
        stage.leave(first)
        await stage.newcomer()


async def test_closing_the_engine_frees_its_port(opens: Opens) -> None:
    async with staged(opens) as stage:
        member: Member = await stage.join()
        await stage.join(tcp=True)
        stage.camera(member)
        port = stage.remote
    wire = UdpWire(lambda _: None, port)
    await wire.close()
    with pytest.raises(OSError, match="refused"):
        await TcpWire.connect(lambda _: None, port)


async def test_kinds_of_transports_differ_in_nothing_here(stage: Stage) -> None:
    for kind in TransportKind:
        member = await stage.newcomer(kind=kind)
        await stage.connect(member)
