"""Pictures that libvpx encoded, through a slot, to a libvpx that decodes: what is shown is what the publisher has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from zlib import crc32

import av
import pytest
from av.video.frame import PictureType

from media.codecs.vp8 import parse_vp8
from media.engine import SourceId
from tests.emulator.link import Bursts, Conditions
from tests.media.portable.invariants import TAG_BYTES, Out, Tag
from tests.media.portable.slotworld import Encoder, World

ROUGH = Conditions(delay=0.1, jitter=0.02, bursts=Bursts(enter=0.01, leave=0.4), reorder=0.02, duplicate=0.02)
PIECE = 300
LAYERS = (
    "ts_number_layers=3:ts_target_bitrate=80,120,200:ts_rate_decimator=4,2,1"
    ":ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3"
)
SIZES = ((96, 64), (160, 96))


class Decoder:
    def __init__(self) -> None:
        self._context = av.CodecContext.create("libvpx", "r")

    def shown(self, data: bytes) -> int:
        """Of every pixel of the one picture that comes out."""
        (frame,) = self._context.decode(av.Packet(data))
        assert isinstance(frame, av.VideoFrame)
        checksum = 0
        for plane in frame.planes:
            checksum = crc32(bytes(plane), checksum)
        return checksum


class RealEncoder(Encoder):
    """``shown`` is what each of its frames looks like to who has them all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # libvpx counts its pattern of layers on over key frames.
        self.may_begin_anywhere = False
        self.width, self.height = SIZES[self.stream]
        self.shown: dict[int, int] = {}
        self._decoder = Decoder()
        self._context = av.CodecContext.create("libvpx", "w")
        self._context.width, self._context.height, self._context.pix_fmt = self.width, self.height, "yuv420p"
        self._context.time_base = Fraction(1, 30)
        self._context.bit_rate = 200_000
        self._context.gop_size = 10_000
        self._context.options = {
            "deadline": "realtime",
            "cpu-used": "8",
            "lag-in-frames": "0",
            "auto-alt-ref": "0",
            # Or frames take the probabilities of whichever came before them, of upper layers too.
            "error-resilient": "default",
            **({"ts-parameters": LAYERS} if self.layered else {}),
        }

    def pieces(self, *, key: bool) -> list[bytes]:
        picture = self._picture()
        picture.pict_type = PictureType.I if key else PictureType.NONE
        (encoded,) = self._context.encode(picture)
        data = bytes(encoded)
        assert key == (not data[0] & 1)
        self.shown[self.frames] = self._decoder.shown(data)
        return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]

    def _picture(self) -> av.VideoFrame:
        picture = av.VideoFrame(self.width, self.height, "yuv420p")
        picture.pts = self.frames
        picture.time_base = Fraction(1, 30)
        for plane in picture.planes:
            row = bytes((2 * x + 7 * self.frames + 50 * self.source) & 0xFF for x in range(plane.line_size + 256))
            plane.update(b"".join(row[3 * y % 256 :][: plane.line_size] for y in range(plane.height)))
        return picture


def frames(out: dict[int, Out]) -> Iterator[tuple[Tag, bytes]]:
    """As a receiver puts them together, by number and timestamp, whole ones only."""
    packets = [one for _, one in sorted(out.items()) if one.tag is not None]
    for _, group in groupby(packets, key=attrgetter("packet.header.timestamp")):
        parts = list(group)
        tag, payloads = parts[0].tag, [bytes(one.packet.payload) for one in parts]
        assert tag is not None
        is_whole = tag.index == 0 and parts[-1].packet.header.marker
        if is_whole and parts[-1].number - parts[0].number == len(parts) - 1:
            yield tag, b"".join(one[parse_vp8(one).length : -TAG_BYTES] for one in payloads)


@pytest.mark.parametrize("seed", [0, 4])
def test_what_a_subscriber_sees_is_what_the_publisher_encoded_whatever_was_lost_or_switched(seed: int) -> None:
    watch(seed)


@pytest.mark.slow(alone=False)
@pytest.mark.parametrize("seed", range(10, 20))
def test_what_a_subscriber_sees_is_what_the_publisher_encoded_again_and_again(seed: int) -> None:
    watch(seed)


def watch(seed: int) -> None:
    world = World(seed, ROUGH, ROUGH, publishers=(1, 2), encoder=RealEncoder)
    world.sink.assign(SourceId(1))
    for _ in range(6):
        world.run(world.dice.uniform(0.2, 0.8))
        world.disturb()
    world.settle()
    world.watched.judge()
    originals: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for source, publisher in world.sources.items():
        for encoder in publisher.encoders:
            assert isinstance(encoder, RealEncoder)
            originals[source, encoder.stream] = encoder.shown
    decoder, seen = Decoder(), 0
    waits = True
    last: Tag | None = None
    for tag, data in frames(world.watched.out):
        # A frame that never came whole leaves wrong pictures until the next key frame, here as everywhere.
        waits = not tag.is_key and (waits or last is None or is_broken(world, last, tag))
        last = tag
        if not waits:
            assert decoder.shown(data) == originals[tag.from_][tag.frame], (seed, tag)
            seen += 1
    assert seen > 60


def is_broken(world: World, last: Tag, tag: Tag) -> bool:
    between = world.watched.totals[last.from_][last.place + last.count : tag.place]
    return last.from_ != tag.from_ or any((*one.from_, one.place) not in world.watched.arrived for one in between)
