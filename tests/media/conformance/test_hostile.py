"""Whatever comes, it is counted by name, costs little, and changes nothing for others."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from media.engine import DtlsDatagram, SourceId
from media.rtcp import Nack, PictureLoss, ReceiverReport
from media.rtp import Header, build
from tests.media.conformance.stage import OPUS, VP8, Member, Stage
from tests.media.tracks import Vp8Track, gaps

SLOT = 0x9001


@contextmanager
def stranger(stage: Stage) -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as made:
        made.connect((stage.remote.host, stage.remote.port))
        yield made


class Call:
    """One peer sends to another: what must go on."""

    def __init__(self, stage: Stage, publisher: Member, subscriber: Member) -> None:
        self.stage, self.publisher, self.subscriber = stage, publisher, subscriber
        self.source: SourceId
        self.track: Vp8Track
        self.source, self.track = stage.camera(publisher)
        (self.sink,) = stage.screen(subscriber)
        stage.engine.assign(self.sink, self.source)
        self.expected = 0

    async def goes_on(self) -> None:
        """A few frames more, none lost, and the engine has no fault."""
        for index in range(5):
            for packet in self.track.frame(keyframe=index == 0):
                self.publisher.peer.send_rtp(packet)
            self.expected += 2
            await asyncio.sleep(0.002)
        peer = self.subscriber.peer
        await peer.until(lambda: len(peer.packets_of(SLOT)) == self.expected)
        assert gaps(peer.packets_of(SLOT)) == []
        assert "internal_error" not in self.stage.engine.drops()


@pytest.fixture
async def call(stage: Stage) -> Call:
    made = Call(stage, await stage.join(), await stage.join())
    await made.goes_on()
    return made


async def drops(stage: Stage, name: str, number: int) -> None:
    await stage.until(lambda: stage.engine.drops().get(name, 0) >= number)
    assert stage.engine.drops()[name] == number


class TestStrangers:
    async def test_empty_and_oversized_datagrams(self, stage: Stage, call: Call) -> None:
        with stranger(stage) as one:
            one.send(b"")
            for first in (0x00, 0x16, 0x80):
                one.send(bytes((first,)) + bytes(1500))
            await drops(stage, "datagram_empty", 1)
            await drops(stage, "datagram_long", 3)
        await call.goes_on()

    async def test_every_first_byte(self, stage: Stage, call: Call) -> None:
        with stranger(stage) as one:
            for first in range(256):
                one.send(bytes((first,)))
                one.send(bytes((first, first)) + os.urandom(60))
        await call.goes_on()
        counted = stage.engine.drops()
        assert counted["srtp_stranger"] + counted["datagram_unknown"] + counted["dtls_stranger"] > 400
        assert stage.told(DtlsDatagram) == []

    async def test_noise_that_begins_as_stun(self, stage: Stage, call: Call) -> None:
        with stranger(stage) as one:
            for length in range(1, 200, 7):
                one.send(b"\x00\x01" + (length * 4).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + os.urandom(length))
            one.settimeout(0.2)
            with pytest.raises(TimeoutError):
                one.recv(2000)
        await call.goes_on()

    async def test_media_of_somebody_elses_address_is_not_looked_at(self, stage: Stage, call: Call) -> None:
        with stranger(stage) as one:
            for _ in range(10):
                one.send(call.publisher.peer.srtp.protect(call.track.frame()[0]))
            await drops(stage, "srtp_stranger", 10)
        assert stage.engine.source_stats()[call.source].packets == call.expected


class TestPeers:
    async def test_the_same_packet_again_is_a_replay(self, stage: Stage, call: Call) -> None:
        first, second = (call.publisher.peer.srtp.protect(packet) for packet in call.track.frame())
        for _ in range(5):
            call.publisher.peer.send(first)
        call.publisher.peer.send(second)
        call.expected += 2
        await drops(stage, "srtp_replay", 4)
        await call.goes_on()

    async def test_forged_packets(self, stage: Stage, call: Call) -> None:
        for _ in range(10):
            forged = bytearray(call.publisher.peer.srtp.protect(call.track.stream.packet(b"\x10\x00", marker=True)))
            forged[-1] ^= 1
            call.publisher.peer.send(bytes(forged))
            call.track.stream.sequence -= 1
            call.track.stream.counted.next -= 1
        await drops(stage, "srtp_auth", 10)
        await call.goes_on()

    async def test_packets_of_no_stream_of_theirs(self, stage: Stage, call: Call) -> None:
        for ssrc in range(20):
            header = Header(payload_type=OPUS, sequence=ssrc, timestamp=0, ssrc=ssrc)
            call.publisher.peer.send_rtp(build(header, b"\xf8sound"))
        await drops(stage, "ssrc_unknown", 20)
        await call.goes_on()

    async def test_payloads_that_cannot_be_read(self, stage: Stage, call: Call) -> None:
        for length in range(1, 6):
            call.publisher.peer.send_rtp(call.track.stream.packet(b"\xff" * length, marker=True))
        await stage.until(lambda: stage.engine.source_stats()[call.source].packets == call.expected + 5)
        await call.goes_on()

    async def test_every_length_of_every_kind_of_noise_that_is_authentic(self, stage: Stage, call: Call) -> None:
        member = await stage.join()
        source, _ = stage.camera(member)
        for length in range(0, 300, 11):
            header = Header(payload_type=VP8, sequence=length, timestamp=0, ssrc=4)
            member.peer.send_rtp(build(header, os.urandom(length)))
            member.peer.send(member.peer.srtp.protect_rtcp(b"\x80\xc9\x00\x01" + os.urandom(4 + length)))
            for kind in range(200, 208):
                noise = (
                    bytes((0x80 | length % 32, kind)) + (length // 4).to_bytes(2, "big") + os.urandom(length // 4 * 4)
                )
                member.peer.send(member.peer.srtp.protect_rtcp(noise + bytes(8)))
            await asyncio.sleep(0.002)
        await call.goes_on()
        assert stage.engine.source_stats()[source].packets > 10

    async def test_a_flood_of_rtcp_is_read_only_up_to_a_bound(self, stage: Stage, call: Call) -> None:
        for number in range(2000):
            call.subscriber.peer.send_rtcp([ReceiverReport(9)] if number % 2 else [PictureLoss(1, SLOT)])
            if number % 100 == 0:
                await asyncio.sleep(0.001)
        await stage.until(lambda: stage.engine.drops().get("rtcp_flood", 0) > 800)
        asked = stage.engine.source_stats()[call.source].keyframe_requests
        await stage.settle(0.3)
        assert stage.engine.source_stats()[call.source].keyframe_requests <= asked + 1
        await call.goes_on()

    async def test_one_nack_for_everything_brings_a_bounded_answer(self, stage: Stage, call: Call) -> None:
        before = len(call.subscriber.peer.rtp)
        for _ in range(10):
            call.subscriber.peer.send_rtcp([Nack(1, SLOT, tuple(range(start, start + 16 * 17))) for start in (0, 5000)])
        await stage.settle(0.3)
        assert len(call.subscriber.peer.rtp) - before <= 2 * call.expected
        await call.goes_on()

    async def test_rtcp_about_slots_of_others_does_nothing(self, stage: Stage, call: Call) -> None:
        other = await stage.join()
        before = len(call.subscriber.peer.rtp)
        other.peer.send_rtcp([Nack(1, SLOT, tuple(range(100))), PictureLoss(1, SLOT)])
        await stage.settle()
        assert len(call.subscriber.peer.rtp) == before
        await call.goes_on()

    async def test_a_flood_of_dtls_keeps_its_place(self, stage: Stage, call: Call) -> None:
        for _ in range(200):
            call.publisher.peer.send(b"\x16\xfe\xfd" + bytes(100))
        await stage.until(lambda: stage.engine.drops().get("dtls_overflow"))
        await call.goes_on()
        assert len(stage.told(DtlsDatagram)) <= 64
