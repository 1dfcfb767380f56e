"""A transport's keys and early packets, and how RTCP is put into datagrams."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.engine import SrtpKeys, SrtpProfile, TransportId
from media.errors import BadPacket
from media.icevalues import Path
from media.portable.outbox import MOST_WAITING, Outbox
from media.portable.transport import MOST_EARLY, Transport, bundled
from media.rtcp import Description, Packet, PictureLoss, ReceiverReport, SourceDescription, build, parse
from media.rtp import Header, Kind
from media.rtp import build as build_rtp
from tests.media import peers

OUTBOX = Outbox()
PATH = Path(1, "192.0.2.1", 5000)


class Wire:
    def __init__(self, *, is_full: bool = False) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.runs: list[int] = []
        self.is_full = is_full

    def send(self, data: bytes | memoryview, address: tuple[str, int]) -> bool:
        if not self.is_full:
            self.sent.append((bytes(data), address))
        return not self.is_full

    def send_run(self, run: memoryview, size: int, address: tuple[str, int]) -> int:
        self.runs.append(-(-len(run) // size))
        return sum(self.send(run[at : at + size], address) for at in range(0, len(run), size))


def made() -> tuple[Transport, Counter[str]]:
    drops: Counter[str] = Counter()
    return Transport(TransportId(1), 77, outbox=OUTBOX, drops=drops, now=0.0, rtp_per_second=1000), drops


def sent(transport: Transport, *packets: bytes) -> None:
    for packet in packets:
        transport.send_rtp(packet)
    OUTBOX.flush()


def rtp(sequence: int) -> bytes:
    return build_rtp(Header(payload_type=96, sequence=sequence, timestamp=0, ssrc=1), b"picture")


def test_keys_are_set_once_and_bad_ones_leave_the_place_free() -> None:
    transport, _ = made()
    with pytest.raises(ValueError, match="bytes"):
        transport.set_keys(SrtpKeys(SrtpProfile.AEAD_AES_128_GCM, b"", b""))
    transport.set_keys(peers.Srtp().engine_keys)
    with pytest.raises(ValueError, match="once"):
        transport.set_keys(peers.Srtp().engine_keys)


def test_the_first_packets_that_came_early_are_handed_out_in_order() -> None:
    transport, drops = made()
    for number in range(MOST_EARLY + 3):
        transport.keep_early(Kind.RTP if number else Kind.RTCP, memoryview(number.to_bytes(2, "big")))
    early = transport.set_keys(peers.Srtp().engine_keys)
    assert [int.from_bytes(data, "big") for _, data in early] == list(range(MOST_EARLY))
    assert early[0][0] is Kind.RTCP
    assert drops == {"early_full": 3}


def test_nothing_is_read_or_sent_without_keys() -> None:
    transport, drops = made()
    transport.move(PATH, Wire())
    with pytest.raises(BadPacket, match="srtp_no_keys"):
        transport.unprotected(rtp(1))
    sent(transport, rtp(1))
    assert drops == {"no_path": 1}
    assert not transport.can_send


def test_nothing_is_sent_after_consent_was_lost_until_it_moves_again() -> None:
    transport, drops = made()
    wire = Wire()
    transport.set_keys(peers.Srtp().engine_keys)
    transport.move(PATH, wire)
    sent(transport, rtp(1))
    transport.send_rtp(rtp(2))
    transport.halt()
    sent(transport, rtp(3))
    with pytest.raises(BadPacket, match="dtls_no_path"):
        transport.send(b"\x16")
    transport.move(PATH._replace(port=6000), wire)
    sent(transport, rtp(4))
    assert [address for _, address in wire.sent] == [("192.0.2.1", 5000), ("192.0.2.1", 6000)]
    assert drops == {"no_path": 2}


def test_only_what_was_sent_is_counted_as_sent() -> None:
    transport, _ = made()
    transport.set_keys(peers.Srtp().engine_keys)
    transport.move(PATH, Wire(is_full=True))
    sent(transport, rtp(1))
    assert (transport.sent_packets, transport.sent_bytes) == (0, 0)


def test_both_directions_have_their_own_key() -> None:
    peer, (transport, _), wire = peers.Srtp(), made(), Wire()
    transport.set_keys(peer.engine_keys)
    transport.move(PATH, wire)
    sent(transport, rtp(1))
    assert peer.unprotect(wire.sent[0][0]) == rtp(1)
    assert transport.unprotected(peer.protect(rtp(2))) == rtp(2)
    foreign = peers.Srtp(SrtpProfile.AEAD_AES_128_GCM)
    with pytest.raises(BadPacket, match="srtp_auth"):
        transport.unprotected(foreign.protect(rtp(3)))


@given(st.lists(st.sampled_from([0, 1, 10, 500, 501, 1300]), max_size=100))
def test_what_waits_together_is_sent_in_order_as_runs_of_one_length(lengths: list[int]) -> None:
    peer, (transport, drops), wire = peers.Srtp(), made(), Wire()
    transport.set_keys(peer.engine_keys)
    transport.move(PATH, wire)
    packets = [rtp(number) + bytes(length) for number, length in enumerate(lengths)]
    sent(transport, *packets)
    assert [peer.unprotect(data) for data, _ in wire.sent] == packets
    assert transport.sent_packets == len(packets) == sum(wire.runs)
    assert transport.sent_bytes == sum(len(data) for data, _ in wire.sent)
    assert drops == {}
    sizes = [len(data) for data, _ in wire.sent]
    at = 0
    for run in wire.runs:
        assert len(set(sizes[at : at + run - 1])) <= 1
        assert sizes[at + run - 1] <= sizes[at]
        at += run


def test_equal_packets_are_one_run_up_to_what_a_message_holds() -> None:
    (transport, _), wire = made(), Wire()
    transport.set_keys(peers.Srtp().engine_keys)
    transport.move(PATH, wire)
    sent(transport, *(rtp(number) for number in range(MOST_WAITING + 3)))
    assert wire.runs == [MOST_WAITING, 3]


def test_the_short_end_of_a_frame_goes_with_the_rest_of_it() -> None:
    (transport, _), wire = made(), Wire()
    transport.set_keys(peers.Srtp().engine_keys)
    transport.move(PATH, wire)
    sent(transport, rtp(1) + bytes(50), rtp(2) + bytes(50), rtp(3), rtp(4) + bytes(50))
    assert wire.runs == [3, 1]


def test_a_fault_of_one_keeps_nobody_elses_packets() -> None:
    outbox, flushed = Outbox(), []

    class Working:
        def flush(self) -> None:
            flushed.append(self)

    class Broken:
        def flush(self) -> None:
            raise RuntimeError("a fault of ours")

    first, last = Working(), Working()
    for one in (first, Broken(), last):
        outbox.add(one)
    with pytest.raises(RuntimeError):
        outbox.flush()
    outbox.flush()
    assert flushed == [first, last]


def test_a_packet_that_cannot_be_protected_is_dropped_alone() -> None:
    (transport, drops), wire = made(), Wire()
    transport.set_keys(peers.Srtp().engine_keys)
    transport.move(PATH, wire)
    sent(transport, rtp(1), rtp(2) + bytes(2000), rtp(3))
    assert len(wire.sent) == 2
    assert drops == {"srtp_long": 1}


GROUPS = st.lists(
    st.lists(
        st.one_of(
            st.builds(PictureLoss, st.integers(0, 9), st.integers(0, 9)),
            st.just(ReceiverReport(1)),
            st.builds(lambda name: SourceDescription((Description(1, name),)), st.text("abc", min_size=1, max_size=99)),
        ),
        min_size=1,
        max_size=3,
    ),
    max_size=30,
)


@given(GROUPS, st.integers(150, 1200))
def test_bundles_hold_all_groups_whole_and_in_order(groups: list[list[Packet]], most_bytes: int) -> None:
    datagrams = list(bundled(groups, most_bytes))
    together = [packet for datagram in datagrams for packet in parse(datagram).packets]
    assert together == [packet for group in groups for packet in group]
    for datagram in datagrams:
        assert len(datagram) <= max(most_bytes, *(len(build(group)) for group in groups))
    heads = {id(group[0]) for group in groups}
    assert len(datagrams) <= len(heads) or not groups


def test_time_never_goes_back_between_packets_of_two_sockets() -> None:
    transport, _ = made()
    assert [transport.in_order(came) for came in (1.0, 3.0, 2.0, 4.0)] == [1.0, 3.0, 3.0, 4.0]


def test_small_groups_share_a_datagram() -> None:
    assert len(list(bundled([[PictureLoss(1, number)] for number in range(50)]))) == 1
    assert len(list(bundled([[PictureLoss(1, number)] for number in range(101)]))) == 2
    assert list(bundled([])) == []


def test_random_bytes_are_never_authentic() -> None:
    transport, _ = made()
    transport.set_keys(peers.Srtp().engine_keys)
    for length in range(0, 200, 3):
        with pytest.raises(BadPacket, match="srtp_"):
            transport.unprotected(b"\x80\x60" + os.urandom(length))
