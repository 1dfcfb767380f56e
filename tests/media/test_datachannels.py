"""Data channels between our endpoint and aiortc's, over DTLS, with datagrams passed by callbacks."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiortc import RTCDataChannel, RTCDataChannelParameters, RTCSctpCapabilities, RTCSctpTransport
from aiortc.rtcsctptransport import DataChunk, HeartbeatChunk, SackChunk, serialize_packet
from google_crc32c import value as crc32c
from hypothesis import given
from hypothesis import strategies as st

from media import sctpguard
from media.allowance import Allowance
from media.datachannels import DataChannels, Limits, Waiting
from media.dtls import DtlsIdentity
from tests.media.dtlspeers import Loss, Pair, made_pair, nothing_is_lost


@dataclass
class Connection:
    """Our channels and the client's association."""

    pair: Pair
    channels: DataChannels
    client: RTCSctpTransport
    heard: list[tuple[str, str]]
    closed: list[bool]
    opened: dict[str, RTCDataChannel] = field(default_factory=dict)
    received: list[str | bytes] = field(default_factory=list)

    def open_channel(self, label: str, *, ordered: bool = True, most_repeats: int | None = None) -> RTCDataChannel:
        channel = RTCDataChannel(
            self.client, RTCDataChannelParameters(label=label, ordered=ordered, maxRetransmits=most_repeats)
        )
        channel.on("message", self.received.append)
        self.opened[label] = channel
        return channel

    async def open_both(self) -> None:
        both = (self.open_channel("reliable"), self.open_channel("lossy", ordered=False, most_repeats=0))
        await until(lambda: all(channel.readyState == "open" for channel in both))

    async def inject(self, packet: bytes) -> None:
        """As if the client's association had sent it."""
        await self.pair.client._send_data(packet)
        await asyncio.sleep(0.01)


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def connected(
    *, lost_up: Loss = nothing_is_lost, lost_down: Loss = nothing_is_lost, limits: Limits | None = None
) -> AsyncIterator[Connection]:
    pair = made_pair(DtlsIdentity.make())
    await pair.shake_hands()
    pair.wire.lost = lost_up
    deliver = pair.endpoint._send
    pair.endpoint._send = lambda datagram: None if lost_down(datagram) else deliver(datagram)
    heard: list[tuple[str, str]] = []
    closed: list[bool] = []
    channels = DataChannels(
        pair.endpoint,
        on_message=lambda label, text: heard.append((label, text)),
        on_closed=lambda: closed.append(True),
        limits=limits,
    )
    client = RTCSctpTransport(pair.client)
    await asyncio.gather(channels.open(), client.start(RTCSctpCapabilities(65_536), 5000))
    try:
        yield Connection(pair, channels, client, heard, closed)
    finally:
        await client.stop()
        await channels.close()
        await pair.close()


async def test_text_goes_both_ways_on_both_channels() -> None:
    async with connected() as there:
        await there.open_both()
        there.opened["reliable"].send("from the client")
        there.opened["lossy"].send("quickly")
        await until(lambda: len(there.heard) == 2)
        assert sorted(there.heard) == [("lossy", "quickly"), ("reliable", "from the client")]
        there.channels.send("kept", reliable=True)
        there.channels.send("fast", reliable=False)
        await until(lambda: len(there.received) == 2)
        assert sorted(map(str, there.received)) == ["fast", "kept"]
        assert +there.channels.drops == {}


async def test_what_is_sent_before_the_client_has_opened_its_channels_waits_for_them() -> None:
    async with connected() as there:
        there.channels.send("early")
        await there.open_both()
        await until(lambda: there.received)
        assert there.received == ["early"]


async def test_nothing_of_the_reliable_channel_is_lost_on_a_network_that_loses_a_tenth() -> None:
    chance = random.Random(7)  # noqa: S311 - the same losses each time

    def lose(_datagram: bytes) -> bool:
        return chance.random() < 0.1

    async with connected(lost_up=lose, lost_down=lose) as there:
        await there.open_both()
        for number in range(40):
            there.opened["reliable"].send(f"up {number} " + "x" * 2_000)
            there.channels.send(f"down {number} " + "x" * 2_000)
        await until(lambda: len(there.heard) == 40 and len(there.received) == 40, 60)
        assert [text.split()[1] for _, text in there.heard] == [str(number) for number in range(40)]
        assert [str(text).split()[1] for text in there.received] == [str(number) for number in range(40)]


@pytest.mark.parametrize("label", ["", "chat", "reliable2", "lossy\0"])
async def test_other_labels_are_closed_and_counted(label: str) -> None:
    async with connected() as there:
        other = there.open_channel(label)
        await until(lambda: other.readyState == "closed")
        await there.open_both()
        assert there.channels.drops["data_label"] == 1


async def test_a_second_channel_of_a_label_is_refused_and_a_new_one_taken_when_the_first_is_closed() -> None:
    async with connected() as there:
        await there.open_both()
        first = there.opened["reliable"]
        second = there.open_channel("reliable")
        await until(lambda: second.readyState == "closed")
        assert there.channels.drops["data_label"] == 1
        assert there.channels.is_open(reliable=True)
        first.close()
        await until(lambda: first.readyState == "closed")
        assert not there.channels.is_open(reliable=True)
        assert there.channels.is_open(reliable=False)
        third = there.open_channel("reliable")
        await until(lambda: third.readyState == "open")
        third.send("again")
        await until(lambda: there.heard)
        assert there.heard == [("reliable", "again")]


async def test_only_text_of_a_bounded_length_is_heard() -> None:
    async with connected(limits=Limits(text_bytes=1_000)) as there:
        await there.open_both()
        channel = there.opened["reliable"]
        channel.send(b"binary")
        channel.send("x" * 1_001)
        channel.send("\N{EURO SIGN}" * 334)
        channel.send("x" * 1_000)
        await until(lambda: there.heard)
        assert there.heard == [("reliable", "x" * 1_000)]
        assert +there.channels.drops == {"data_binary": 1, "data_too_long": 2}


async def test_who_sends_too_often_is_not_heard_until_there_is_allowance_again() -> None:
    async with connected(limits=Limits(messages_per_second=10)) as there:
        await there.open_both()
        for number in range(50):
            there.opened["reliable"].send(str(number))
        await until(lambda: len(there.heard) + there.channels.drops["data_rate"] == 50)
        assert 20 <= len(there.heard) < 30
        assert [text for _, text in there.heard[:20]] == [str(number) for number in range(20)]
        await asyncio.sleep(0.3)
        there.opened["reliable"].send("patient")
        await until(lambda: there.heard[-1][1] == "patient")


async def test_a_client_that_does_not_read_loses_the_oldest_and_memory_stays_bounded() -> None:
    deaf = False
    async with connected(lost_down=lambda _: deaf) as there:
        await there.open_both()
        deaf = True
        for number in range(2_000):
            there.channels.send(f"{number} " + "x" * 1_000)
        waiting = there.channels._waiting["reliable"]
        assert len(waiting) <= 256
        assert there.channels.drops["data_unread"] >= 1_700
        deaf = False
        await until(lambda: there.received and str(there.received[-1]).startswith("1999 "), 60)


async def test_a_message_longer_than_the_client_takes_is_not_sent() -> None:
    async with connected() as there:
        await there.open_both()
        there.channels.send("x" * 65_537)
        there.channels.send("short")
        await until(lambda: there.received)
        assert there.received == ["short"]
        assert there.channels.drops["data_too_long"] == 1


async def test_the_end_of_the_association_is_told_once_and_leaves_nothing_behind() -> None:
    async with connected() as there:
        await there.open_both()
        await there.client.stop()
        await until(lambda: there.closed)
        there.channels.send("nobody")
        assert there.channels.drops["data_closed"] == 1
        await there.channels.close()
        assert there.closed == [True]


async def test_closing_ends_the_client_s_channels() -> None:
    async with connected() as there:
        await there.open_both()
        await there.channels.close()
        await until(lambda: there.opened["reliable"].readyState == "closed")
        assert there.closed == []


def sctp(there: Connection, chunk: object, tag: int | None = None) -> bytes:
    remote = there.client._remote_verification_tag if tag is None else tag
    return serialize_packet(5000, 5000, remote, chunk)  # type: ignore[arg-type]


class Raw:
    """A chunk as it is given."""

    def __init__(self, kind: int, value: bytes) -> None:
        self.data = struct.pack("!BBH", kind, 0, 4 + len(value)) + value

    def __bytes__(self) -> bytes:
        return self.data


async def test_a_parameter_of_length_zero_does_not_hold_the_server_up() -> None:
    """aiortc's parser would never come back from it."""
    async with connected() as there:
        await there.open_both()
        await there.inject(sctp(there, Raw(4, b"\0\1\0\0")))
        assert there.channels.drops["sctp_parameter"] == 1
        there.opened["reliable"].send("still here")
        await until(lambda: there.heard)


async def test_an_acknowledgement_of_what_was_never_sent_costs_nothing() -> None:
    async with connected() as there:
        await there.open_both()
        sack = SackChunk()
        sack.cumulative_tsn = there.client._last_received_tsn or 0
        sack.gaps = [(1, 65_535)] * 250
        await there.inject(sctp(there, sack))
        assert there.channels.drops["sctp_acknowledgement"] == 1


async def test_fragments_that_never_become_a_message_end_the_association_before_they_fill_the_memory() -> None:
    async with connected() as there:
        await there.open_both()
        for number in range(200):
            chunk = DataChunk()
            chunk.flags = 2 if number == 0 else 0
            chunk.tsn = (there.client._local_tsn + number) % 2**32
            chunk.stream_id = 0
            chunk.stream_seq = there.client._outbound_stream_seq.get(0, 0)
            chunk.protocol = 51
            chunk.user_data = b"x" * 1_100
            await there.pair.client._send_data(sctp(there, chunk))
            await asyncio.sleep(0)
        await until(lambda: there.closed)


async def test_packets_far_ahead_are_not_kept() -> None:
    async with connected() as there:
        await there.open_both()
        for ahead in (5_000, 2**30):
            chunk = DataChunk()
            chunk.flags = 3
            chunk.tsn = (there.client._local_tsn + ahead) % 2**32
            chunk.protocol = 51
            chunk.user_data = b"x"
            await there.inject(sctp(there, chunk))
        assert there.channels.drops["sctp_fault"] == 2
        assert not there.closed


async def test_a_peer_that_speaks_nonsense_for_long_is_left() -> None:
    async with connected() as there:
        await there.open_both()
        for number in range(40):
            chunk = DataChunk()
            chunk.flags = 7
            chunk.tsn = (there.client._local_tsn + number) % 2**32
            chunk.stream_id = 10
            chunk.protocol = 50
            chunk.user_data = b"\x02"
            await there.pair.client._send_data(sctp(there, chunk))
        await until(lambda: there.closed)
        assert there.channels.drops["sctp_fault"] == 32


async def test_packets_by_the_thousand_are_not_all_looked_at() -> None:
    async with connected() as there:
        await there.open_both()
        beat = HeartbeatChunk()
        beat.params = [(1, b"x" * 1_000)]
        for _ in range(3_000):
            await there.pair.client._send_data(sctp(there, beat))
        assert there.channels.drops["sctp_rate"] > 500
        assert not there.closed


def mutated(packet: bytes, chance: random.Random) -> bytes:
    """One that was sent, with some of its chunks' bytes changed, cut or added, and a checksum that is right."""
    changed = bytearray(packet)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(12, len(changed) - 1)
        match chance.randint(0, 4):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                struct.pack_into("!H", changed, at, chance.choice([0, 1, 4, 8, 0xFFFF]))
            case 2:
                changed[12] = chance.choice([0, 1, 2, 3, 4, 5, 9, 10, 11, 130, 192])
            case 3:
                changed = changed[: max(16, at)]
            case _:
                changed += chance.randbytes(chance.randrange(40))
    changed[8:12] = bytes(4)
    struct.pack_into("<L", changed, 8, crc32c(bytes(changed)))
    return bytes(changed)


@pytest.mark.parametrize("seed", range(8))
async def test_no_packet_breaks_the_association_or_holds_it_up(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same packets each time
    wrong: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
    async with connected() as there:
        sent: list[bytes] = []
        honestly = there.pair.client._send_data

        async def kept(data: bytes) -> None:
            sent.append(data)
            await honestly(data)

        there.pair.client._send_data = kept  # type: ignore[method-assign]
        await there.open_both()
        for size in (5, 3_000):
            there.opened["reliable"].send("x" * size)
            there.channels.send("y" * size)
        await until(lambda: len(there.heard) == 2 and len(there.received) == 2)
        there.pair.endpoint._send = lambda _: None  # its own end is not what is tried
        for _ in range(250):
            await there.pair.client._send_data(mutated(chance.choice(sent), chance))
            await asyncio.sleep(0)
        association = there.channels._association
        assert association is not None
        await until(lambda: association._inbox.empty() or there.closed, 5)
        assert association._pump is not None
        assert not association._pump.done() or there.closed
        assert sum(there.channels.drops.values()) > 100
    assert wrong == []


@given(st.binary(max_size=200))
def test_the_guard_answers_whatever_it_is_given(packet: bytes) -> None:
    reason = sctpguard.refusal(packet)
    assert reason is None or reason.startswith("sctp_")


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.integers(min_value=0, max_value=0xFFFF))
def test_the_guard_passes_what_associations_say(values: list[bytes], kind: int) -> None:
    beat = HeartbeatChunk()
    beat.params = [(kind, value) for value in values]
    assert sctpguard.refusal(serialize_packet(5000, 5000, 1, beat)) is None


@given(
    st.lists(st.tuples(st.floats(min_value=0, max_value=3), st.floats(min_value=0, max_value=30)), max_size=60),
)
def test_an_allowance_never_gives_more_than_its_rate_and_a_burst(steps: list[tuple[float, float]]) -> None:
    allowance, now, taken = Allowance(10, 0.0), 0.0, 0.0
    for passed, amount in steps:
        now += passed
        if allowance.take(amount, now):
            taken += amount
    assert taken <= 20 + 10 * now + 1e-6


@given(st.lists(st.text(max_size=40), max_size=80))
def test_of_what_waits_the_newest_stays(texts: list[str]) -> None:
    waiting = Waiting(Limits(waiting_bytes=200, waiting_messages=10))
    lost = sum(waiting.add(text, len(text.encode())) for text in texts)
    kept = [waiting.next() for _ in range(len(waiting))]
    assert kept == texts[lost:]
    assert sum(len(text.encode()) for text in kept) <= 200
    assert len(kept) <= 10
