"""What a source counts and hears."""

from __future__ import annotations

import pytest

from media.engine import AudioLevel, Layer, LayerStats
from media.portable.source import SOONEST_REBINDING, Source
from tests.media.portable.publishing import (
    LEVEL,
    MID,
    SOUND,
    VP8,
    Ingress,
    Sender,
    audio,
    packet,
    repair_of,
    sound,
    video,
)

REPAIR = 3000


def camera(ingress: Ingress) -> Source:
    return ingress.add(video(ssrcs={"": (1000, REPAIR)}))


def test_the_loudest_since_it_was_asked_for() -> None:
    ingress = Ingress()
    source = ingress.add(audio())
    sender = sound()
    for level in (b"\x40", b"\x8a", b"\x20"):
        sender.extensions = {LEVEL: level}
        ingress.receive(*sender.frame(SOUND))
    assert source.take_level() == AudioLevel(10, voice=True)
    assert source.take_level() is None


def test_layers_have_their_own_rates() -> None:
    ingress = Ingress()
    source = camera(ingress)
    sender = Sender()
    for frame in range(60):
        packets = sender.key_frame() if frame == 0 else sender.delta(temporal=frame % 2)
        ingress.receive(*packets)
        ingress.now += 1 / 30
    octets = sum(len(one.build()) for one in sender.delta())
    layers = source.stats(ingress.now).layers
    assert layers == {Layer(0, temporal): LayerStats(15 * octets * 8, 15.0, 640, 480) for temporal in (0, 1)}
    assert source.stats(ingress.now + 2).layers == {}


def test_what_came_and_what_was_lost() -> None:
    ingress = Ingress()
    source = camera(ingress)
    first, _, _, last = Sender(pieces=4).key_frame()
    padded = packet(1000, 5004, b"\x10\x00", padding=100)
    ingress.receive(first, last, padded)
    stats = source.stats(ingress.now)
    assert (stats.packets, stats.lost, stats.repaired, stats.codec) == (3, 2, 0, VP8)
    assert stats.bytes == sum(len(one.build()) for one in (first, last, padded))


def test_what_only_came_late_was_not_lost_and_what_was_repaired_was() -> None:
    ingress = Ingress()
    source = camera(ingress)
    first, late, last = Sender().key_frame()
    ingress.receive(first, last)
    assert source.stats(ingress.now).lost == 1
    ingress.receive(late)
    assert source.stats(ingress.now).lost == 0
    first, lost, last = Sender(sequence=5003).key_frame()
    ingress.receive(first, last, repair_of(lost, REPAIR, 1))
    stats = source.stats(ingress.now)
    assert (stats.lost, stats.repaired) == (1, 1)


def test_what_was_lost_before_numbers_began_anew_still_counts() -> None:
    ingress = Ingress()
    source = camera(ingress)
    sender = Sender()
    for _ in range(2):
        first, _, last = sender.key_frame()
        ingress.receive(first, last)
        sender.sequence += 1 << 15
        ingress.receive(*sender.key_frame())
    assert source.stats(ingress.now).lost == 2


def test_what_was_lost_before_an_encoder_began_anew_still_counts() -> None:
    ingress = Ingress()
    source = ingress.add(video())
    for ssrc in (7, 8):
        first, _, last = Sender(ssrc, extensions={MID: b"1"}).key_frame()
        ingress.receive(first, last)
        ingress.now += SOONEST_REBINDING
    assert source.stats(ingress.now).lost == 2


def test_jitter_is_in_seconds() -> None:
    ingress = Ingress()
    source = camera(ingress)
    sender = Sender(pieces=1)
    for frame in range(400):
        ingress.receive(*sender.delta())
        ingress.now += 3000 / 90_000 + (0.010 if frame % 2 else -0.010)
    assert source.stats(ingress.now).jitter == pytest.approx(0.010, rel=0.1)


def test_reports_answer_sender_reports() -> None:
    ingress = Ingress()
    source = camera(ingress)
    first, _, last = Sender().key_frame()
    ingress.receive(first, last)
    source.sender_report(1000, 0x1122334455667788, 90_000, ingress.now)
    (block,) = source.reports(ingress.now + 0.5)
    assert (block.ssrc, block.cumulative_lost, block.highest_sequence) == (1000, 1, 5002)
    assert (block.last_report, block.delay) == (0x33445566, 0x8000)


def test_the_senders_clock_is_kept_for_each_stream() -> None:
    ingress = Ingress()
    source = ingress.add(video(rids=("q", "h"), ssrcs={"q": (1, None), "h": (2, None)}))
    assert source.clock(1) is None
    source.sender_report(2, 1 << 40, 90_000, ingress.now)
    source.sender_report(66, 1 << 41, 1, ingress.now)
    clock = source.clock(1)
    assert clock is not None
    assert (clock.ntp, clock.rtp_timestamp, clock.arrived) == (1 << 40, 90_000, ingress.now)
    assert source.clock(0) is None
