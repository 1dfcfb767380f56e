"""A source and its publisher over networks that lose, reorder and fall silent: both ways, in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from media import framekeys, rtcp, rtp
from media.engine import GateRule
from media.framecrypto import FrameEncryptor
from media.portable.nacks import OLDEST
from media.portable.packet import Refused, Result
from media.portable.router import Router
from media.portable.source import Source
from tests.emulator.link import Bursts, Conditions, Link
from tests.media.portable.publishing import DELTA_FRAME, KEY_FRAME, RTX, VP8, Sender, forwarded, video

STEP = 0.001
# As often as the engine looks what is due.
TICK = 0.02
DELAY = 0.025
FRAMES_A_SECOND = 30
PIECES = 6
KEY = framekeys.track_key(bytes(32), "ada", "camera", 0)
SSRC, REPAIR, OURS = 1000, 3000, 1


def _as_it_is(frame: bytes) -> bytes:
    return frame


@dataclass(slots=True)
class Publisher:
    """Thirty frames of six packets a second; answers NACKs of what it sent lately, and PLIs at once."""

    sealed: Callable[[bytes], bytes] = _as_it_is
    sender: Sender = field(default_factory=lambda: Sender(SSRC, sequence=0xFF00, pieces=PIECES))
    sent: dict[int, rtp.Packet] = field(default_factory=dict)
    repairs: int = 0
    keyframes: int = 0
    wants_keyframe: bool = True

    def frame(self) -> list[bytes]:
        packets = self.sender.frame(self.sealed((KEY_FRAME if self.wants_keyframe else DELTA_FRAME) * 3))
        self.keyframes += self.wants_keyframe
        self.wants_keyframe = False
        self.sent.update((one.header.sequence, one) for one in packets)
        return [one.build() for one in packets]

    def heard(self, datagram: bytes) -> list[bytes]:
        answers = []
        for packet in rtcp.parse(datagram).packets:
            if isinstance(packet, rtcp.PictureLoss):
                self.wants_keyframe = True
            elif isinstance(packet, rtcp.Nack):
                answers += [self._repair(self.sent[one]) for one in packet.lost if one in self.sent]
        return answers

    def _repair(self, lost: rtp.Packet) -> bytes:
        self.repairs += 1
        return rtp.wrap_rtx(lost, payload_type=RTX, ssrc=REPAIR, sequence=self.repairs & 0xFFFF)


class Call:
    def __init__(self, up: Conditions, down: Conditions, *, rule: GateRule | None = None) -> None:
        self.drops = Counter[str]()
        self.router = Router(self.drops)
        self.source = Source(video(ssrcs={"": (SSRC, REPAIR)}), self.drops)
        self.router.add(self.source, 0.0)
        self.source.set_gate(rule)
        sealed = FrameEncryptor(KEY).seal
        self.publisher = Publisher(_as_it_is if rule is None else lambda frame: sealed(frame, VP8))
        self.up, self.down = Link(up, seed=3, now=0.0), Link(down, seed=4, now=0.0)
        self.results: list[Result] = []
        self.sent_at: dict[int, float] = {}
        # From the first sending of a packet until it was forwarded.
        self.delays: list[float] = []
        self.asked: Counter[str] = Counter()
        self.now = 0.0
        self._steps = 0

    def run(self, seconds: float, *, sends: bool = True) -> Call:
        for _ in range(round(seconds / STEP)):
            self.now = self._steps * STEP
            self._publish(sends=sends)
            self._receive()
            self._steps += 1
        return self

    def _publish(self, *, sends: bool) -> None:
        if sends and self._steps % round(1 / FRAMES_A_SECOND / STEP) == 0:
            for one in self.publisher.frame():
                self.sent_at[rtp.Packet.parse(one).header.sequence] = self.now
                self.up.push(0, one, now=self.now)
        for _, datagram in self.down.due(self.now):
            for one in self.publisher.heard(datagram):
                self.up.push(0, one, now=self.now)

    def _receive(self) -> None:
        for _, datagram in self.up.due(self.now):
            packet = rtp.Packet.parse(datagram)
            source = self.router.route(packet, self.now)
            assert source is not None
            made = source.receive(packet, self.now)
            self.delays += (self.now - self.sent_at[one.number & 0xFFFF] for one in forwarded(made))
            self.results += made
        due = self.source.due()
        if due is not None and due <= self.now and self._steps % round(TICK / STEP) == 0:
            for request in self.source.requests(self.now, 2 * DELAY, OURS):
                self.asked[type(request).__name__] += 1
                self.down.push(0, rtcp.build([request]), now=self.now)

    @property
    def forwarded(self) -> set[int]:
        numbers = [one.number & 0xFFFF for one in forwarded(self.results)]
        assert len(set(numbers)) == len(numbers)
        return set(numbers)


def over(*, rule: GateRule | None = None, loss: float = 0.0) -> Call:
    conditions = Conditions(loss=loss, delay=DELAY)
    return Call(conditions, conditions, rule=rule)


def test_without_loss_nothing_is_asked_for() -> None:
    call = Call(Conditions(delay=DELAY, jitter=0.01), Conditions(delay=DELAY)).run(10)
    call.run(0.2, sends=False)
    assert call.forwarded == set(call.publisher.sent)
    assert not call.asked
    assert not call.drops


def test_what_is_only_overtaken_is_not_asked_for() -> None:
    call = Call(Conditions(delay=DELAY, reorder=0.1, reorder_by=0.015), Conditions(delay=DELAY)).run(10)
    call.run(0.2, sends=False)
    assert call.up.counts.reordered > 100
    assert call.forwarded == set(call.publisher.sent)
    assert not call.asked


def test_what_arrives_twice_is_forwarded_once() -> None:
    call = Call(Conditions(delay=DELAY, duplicate=0.2, jitter=0.02), Conditions(delay=DELAY)).run(5)
    call.run(0.2, sends=False)
    assert call.up.counts.duplicated > 100
    assert call.drops == {"duplicate": call.up.counts.duplicated}
    assert not call.asked


@pytest.mark.parametrize("rule", [None, GateRule((KEY.key_id,))], ids=["clear", "secure"])
@pytest.mark.parametrize(("loss", "worst"), [(0.01, 0.2), (0.05, 0.3), (0.2, 0.8)])
def test_what_is_lost_is_repaired_in_time_and_nothing_twice(loss: float, worst: float, rule: GateRule | None) -> None:
    call = over(loss=loss, rule=rule).run(20)
    call.run(1.5, sends=False)
    # Nobody knows that the last packets of all are missing.
    assert len(set(call.publisher.sent) - call.forwarded) <= PIECES
    assert max(call.delays) < worst
    assert call.publisher.repairs <= call.up.counts.lost
    assert call.publisher.keyframes == 1
    assert not any(isinstance(one, Refused) for one in call.results)
    assert not call.drops


def test_losses_in_bursts_are_repaired_too() -> None:
    conditions = Conditions(bursts=Bursts(enter=0.005, leave=0.1), delay=DELAY)
    call = Call(conditions, Conditions(delay=DELAY)).run(20)
    call.run(1.5, sends=False)
    assert call.up.counts.lost > 100
    assert len(set(call.publisher.sent) - call.forwarded) <= PIECES


def test_after_seconds_of_silence_there_is_a_key_frame_and_no_flood_of_requests() -> None:
    call = over().run(2)
    call.up.change(Conditions(loss=1.0), now=call.now)
    call.run(4)
    before = len(call.results)
    call.up.change(Conditions(delay=DELAY), now=call.now)
    call.run(3)
    back = forwarded(call.results[before:])
    assert any(one.part.is_keyframe for one in back)
    assert call.asked["PictureLoss"] == 1
    assert call.publisher.repairs == 0
    assert call.publisher.keyframes == 2
    assert call.source.due() is None


def test_a_publisher_that_has_forgotten_is_asked_for_no_longer_than_it_helps() -> None:
    call = over(loss=0.05).run(5)
    call.publisher.sent.clear()
    call.run(OLDEST + TICK, sends=False)
    asked = call.asked["Nack"]
    call.run(3, sends=False)
    assert call.asked["Nack"] == asked
    assert call.source.due() is None
