"""Whatever a publisher sends: every number is accounted for once, and nothing else comes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import framekeys, rtp
from media.codecs.names import CodecName
from media.drops import is_named
from media.engine import GateRule
from media.extensions import ExtensionName
from media.framecrypto import FrameEncryptor
from media.portable.held import HELD_FOR
from media.portable.packet import Gap, Incoming, Result
from tests.media.portable.publishing import (
    AV1,
    DELTA_FRAME,
    DEPENDENCY,
    H264,
    KEY_FRAME,
    OPUS,
    PAYLOAD_TYPES,
    SOUND,
    VP8,
    VP9,
    Ingress,
    packet,
    repair_of,
    video,
)

KEY = framekeys.track_key(bytes(32), "ada", "camera", 0)
RULE = GateRule((KEY.key_id,))
SEALED = [FrameEncryptor(KEY).seal(frame, VP8) for frame in (KEY_FRAME, DELTA_FRAME)]
AV1_KEY = bytes.fromhex(
    "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a0941b820ac128250"
    "3157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d"
)

payloads = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"", b"\x10" + KEY_FRAME, b"\x10" + DELTA_FRAME, b"\x00" + DELTA_FRAME, *(b"\x10" + one for one in SEALED)]
    ),
)
descriptors = st.one_of(
    st.none(),
    st.binary(min_size=3, max_size=60),
    st.sampled_from([AV1_KEY, bytes.fromhex("860173"), bytes.fromhex("86017340fc"), b"\x80\x00\x01"]),
)
# What each codec's reader takes, so that whatever is held comes to be looked at.
READABLE = {
    VP8: b"\x10" + DELTA_FRAME,
    VP9: b"\x08" + DELTA_FRAME,
    H264: b"\x41\x9a" + DELTA_FRAME,
    AV1: b"\x10\x30" + DELTA_FRAME,
    OPUS: SOUND,
}


@dataclass(frozen=True, slots=True)
class Step:
    ahead: int
    payload: bytes
    descriptor: bytes | None
    what: str
    pause: float
    frame: int
    marker: bool


steps = st.lists(
    st.builds(
        Step,
        st.integers(-3, 4),
        payloads,
        descriptors,
        st.sampled_from(["primary", "primary", "primary", "repair", "foreign", "mute", "unmute"]),
        st.floats(0, 0.3),
        st.integers(0, 2),
        st.booleans(),
    ),
    max_size=60,
)


@dataclass(slots=True)
class Publisher:
    """``sent`` has every number that should be accounted for."""

    kind: int
    highest: int = 60_000
    sent: set[int] = field(default_factory=set)

    def packet(self, step: Step) -> rtp.Packet | None:
        number = self.highest + step.ahead
        if step.what == "repair" and not self.sent:
            return None
        self.highest = max(self.highest, number) if self.sent else number
        self.sent.add(number & 0xFFFF)
        extensions = {} if step.descriptor is None else {DEPENDENCY: step.descriptor}
        kind = 50 if step.what == "foreign" else self.kind
        padding = 0 if step.payload else 5
        timestamp = 3000 * step.frame
        one = packet(
            1,
            number,
            step.payload,
            kind=kind,
            extensions=extensions,
            timestamp=timestamp,
            marker=step.marker,
            padding=padding,
        )
        return repair_of(one, 2, number, extensions) if step.what == "repair" else one


@pytest.mark.parametrize(
    ("codec", "rule"),
    [(VP8, None), (VP9, None), (H264, None), (AV1, None), (OPUS, None), (VP8, RULE), (VP9, RULE), (OPUS, RULE)],
)
@settings(max_examples=60, deadline=None)
@given(steps=steps)
def test_every_number_is_forwarded_or_a_gap_and_only_once(
    codec: CodecName, rule: GateRule | None, steps: list[Step]
) -> None:
    ingress, publisher = Ingress(), Publisher(PAYLOAD_TYPES[codec])
    extensions = {DEPENDENCY: ExtensionName.DEPENDENCY_DESCRIPTOR}
    source = ingress.add(video(codec=codec, ssrcs={"": (1, 2)}, extensions=extensions))
    source.set_gate(rule)
    results: list[Result] = []
    # Nothing waits for longer than this, and the packets at the end show it.
    last = Step(1, READABLE[codec], None, "primary", HELD_FOR + 0.1, 3, marker=True)
    for step in (*steps, Step(0, b"", None, "unmute", 0, 0, marker=False), last, last):
        ingress.now += step.pause
        if step.what in ("mute", "unmute"):
            source.mute(muted=step.what == "mute")
        elif (one := publisher.packet(step)) is not None:
            results += ingress.receive(one)
    assert all(is_named(name) for name in ingress.drops)
    accounted = Counter(one.number & 0xFFFF for one in results if isinstance(one, Incoming | Gap))
    assert accounted == dict.fromkeys(publisher.sent, 1)
