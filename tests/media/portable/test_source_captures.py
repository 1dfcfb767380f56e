"""Sources before what a real Chromium sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from media import rtp
from media.codecs.names import CodecName
from media.engine import GateRule, Layer
from media.framecrypto import SEALED_CODECS
from media.portable.packet import Incoming, Result
from media.portable.source import Source
from tests.media import captures
from tests.media.captures import CLEAR, KEY_ID, LOWEST_FIRST, NAMES, SEALED, Capture
from tests.media.portable.publishing import Ingress, forwarded, gaps

# Probes, and one that came before the stream it repairs was known.
USUAL = {"rtx_duplicate", "rtx_padding", "repair_before_primary"}


class Played:
    """A capture, given to a source in its own time. ``lost`` do not arrive, by SSRC and sequence number."""

    def __init__(
        self, name: str, *, lost: frozenset[tuple[int, int]] = frozenset(), rule: GateRule | None = None
    ) -> None:
        self.capture = captures.load(name)
        self.ingress = Ingress()
        self.source: Source = self.ingress.add(self.capture.published)
        self.source.set_gate(rule)
        self.results: list[Result] = []
        for now, packet in _packets(self.capture):
            self.ingress.now = now
            if (packet.header.ssrc, packet.header.sequence) not in lost:
                self.results += self.ingress.receive(packet)

    @property
    def forwarded(self) -> list[Incoming]:
        return forwarded(self.results)

    def frames(self, stream: int) -> int:
        """Pictures: frames of one timestamp are one."""
        return len({one.timestamp for one in self.forwarded if one.stream == stream})


def _packets(capture: Capture) -> Iterator[tuple[float, rtp.Packet]]:
    return ((one.at, rtp.Packet.parse(one.data)) for one in capture.packets if not one.is_rtcp)


@pytest.fixture(scope="module", params=NAMES)
def played(request: pytest.FixtureRequest) -> Played:
    return Played(request.param)


def test_every_packet_of_media_is_forwarded_and_nothing_else(played: Played) -> None:
    media = list(played.capture.media())
    assert [one.payload for one in played.forwarded] == [bytes(one.payload) for one in media]
    assert [one.number & 0xFFFF for one in played.forwarded] == [one.header.sequence for one in media]
    assert not gaps(played.results)
    assert set(played.ingress.drops) <= USUAL


def test_nothing_is_asked_for_where_nothing_was_lost(played: Played) -> None:
    assert played.source.due() is None
    stats = played.source.stats(played.ingress.now)
    assert (stats.lost, stats.repaired, stats.keyframe_requests) == (0, 0, 0)
    assert 0 < stats.jitter < 0.05


def test_pictures_and_key_frames_are_as_many_as_the_browser_sent(played: Played) -> None:
    for one in played.capture.about.sent:
        if not one.frames:
            continue
        stream = LOWEST_FIRST.index(one.rid) if one.rid else 0
        keys = Counter(each.timestamp for each in played.forwarded if each.stream == stream and each.part.is_keyframe)
        assert len(keys) == one.keyframes
        # Those that the encoder had made but the browser had not sent yet when the capture ended.
        assert one.frames - 3 <= played.frames(stream) * _frames_a_picture(played, stream) <= one.frames


def _frames_a_picture(played: Played, stream: int) -> int:
    return 1 + max(one.spatial for one in played.forwarded) if not played.source.format.rids else 1


def test_sizes_of_all_layers_are_known_where_the_codec_tells_them(played: Played) -> None:
    layers = played.source.stats(played.ingress.now).layers
    known = {layer.spatial: (one.width, one.height) for layer, one in layers.items() if one.width}
    codec = played.source.stats(played.ingress.now).codec
    if codec in (CodecName.VP8, CodecName.VP9, CodecName.AV1):
        assert set(known) == {layer.spatial for layer in layers}
        assert max(width or 0 for width, _ in known.values()) == max(one.width for one in played.capture.about.sent)


@pytest.mark.parametrize("name", SEALED)
def test_behind_the_gate_all_of_a_sealing_browser_comes_through(name: str) -> None:
    played = Played(name, rule=GateRule((KEY_ID, KEY_ID + 1)))
    assert [one.payload for one in played.forwarded] == [bytes(one.payload) for one in played.capture.media()]
    assert not played.source.is_muted
    assert set(played.ingress.drops) <= USUAL


@pytest.mark.parametrize(
    ("name", "key_id"), [*((name, KEY_ID) for name in CLEAR), *((name, KEY_ID + 1) for name in SEALED)]
)
def test_behind_the_gate_nothing_of_another_comes_through(name: str, key_id: int) -> None:
    played = Played(name, rule=GateRule((key_id,)))
    assert not played.forwarded
    assert len(gaps(played.results)) == len(list(played.capture.media()))
    known = played.source.stats(0).codec in SEALED_CODECS
    assert played.source.is_muted == known
    assert known or played.ingress.drops["gate_codec"] == len(gaps(played.results))


def test_what_the_browser_sent_again_replaces_what_was_lost() -> None:
    whole = Played("vp8_simulcast")
    lost = frozenset(_repaired(whole))
    assert len(lost) > 10
    damaged = Played("vp8_simulcast", lost=lost)
    assert damaged.source.stats(damaged.ingress.now).repaired == len(lost)
    assert _contents(damaged) == _contents(whole)


def _contents(played: Played) -> dict[tuple[int, int], tuple[bytes, int, int, Layer]]:
    """Of payloads as much as the capture keeps of a repair."""
    kept = captures.KEPT - rtp.RTX_HEADER_BYTES
    return {
        (one.stream, one.number): (
            one.payload[:kept],
            len(one.payload),
            one.timestamp,
            Layer(one.spatial, one.temporal),
        )
        for one in played.forwarded
    }


def _repaired(played: Played) -> Iterator[tuple[int, int]]:
    """What there is a repair of, but for the first packets of streams, before which nothing can be repaired."""
    firsts = {(one.stream, one.number & 0xFFFF) for one in played.forwarded[:20]}
    sent = {(one.stream, one.number & 0xFFFF) for one in played.forwarded}
    for _, packet in _packets(played.capture):
        stream = played.source._repairs.get(packet.header.ssrc)
        if stream is None or stream.ssrc is None or len(packet.payload) < rtp.RTX_HEADER_BYTES:
            continue
        sequence = int.from_bytes(packet.payload[: rtp.RTX_HEADER_BYTES], "big")
        if (stream.index, sequence) in sent - firsts:
            yield stream.ssrc, sequence
