"""What differs from subscriber to subscriber behind the RTP header: extensions and the numbers of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from media.codecs.names import CodecName
from media.codecs.vp8 import Vp8Descriptor, rewrite_vp8
from media.codecs.vp9 import Vp9Descriptor, rewrite_vp9
from media.dependency import DependencyDescriptor, build, rewrite_active
from media.extensions import SIZES, ExtensionName, write_send_time
from media.portable.packet import Incoming
from media.rtp import ExtensionLayout, Slot
from media.sequence import Sent, SequenceMap, Turn, Unwrapper, distance

# In this order after the send time and the mid.
_PASSED_ON: Final = (
    ExtensionName.AUDIO_LEVEL,
    ExtensionName.ORIENTATION,
    ExtensionName.CONTENT_TYPE,
    ExtensionName.PLAYOUT_DELAY,
)
_BLOCK_HEADER_BYTES: Final = 4
# Blocks of one layout that are kept: every audio level twice over, and what pictures say.
_BLOCKS_KEPT: Final = 512
# Most dependency descriptors have three bytes; a longer one with a structure needs the form of two-byte headers.
_DESCRIPTOR_ROOMS: Final = (3, 16)

# Where the numbers of pictures stand: RFC 7741 4.2 and RFC 9628 4.2 have them in a payload's first five bytes.
HEAD_BYTES: Final = 5


class Blocks:
    """Extension blocks for all sinks with the same map of extensions and equally long mids. A block is ``front`` (with
    the send time), the sink's mid element, and ``rest``: those two are of the packet that was taken last, however many
    sinks it goes to."""

    def __init__(self, extensions: Mapping[ExtensionName, int], mid_length: int) -> None:
        self._ids: Final = dict(extensions)
        self._mid_length: Final = mid_length
        self._layout: Final = ExtensionLayout(self._slots(0))
        self._with_descriptor: Final[dict[int, ExtensionLayout]] = {}
        self._rests: Final[dict[tuple[tuple[ExtensionName, bytes], ...], bytes]] = {}
        self.has_descriptor: Final = ExtensionName.DEPENDENCY_DESCRIPTOR in extensions
        self.has_block: Final = self._layout.size > 0
        self.extensions: Mapping[ExtensionName, bytes] | None = None
        self.stamped_at = -1.0
        self.front = b""
        self.rest = b""
        self._is_stamped: Final = ExtensionName.ABS_SEND_TIME in extensions
        stamp = SIZES[ExtensionName.ABS_SEND_TIME] if self._is_stamped else 0
        front_end = self._mid_end() - self._mid_element_bytes() - stamp
        self._front: Final = self._layout.render(self._send_time(0.0))[:front_end]

    def take(self, extensions: Mapping[ExtensionName, bytes]) -> None:
        self.extensions = extensions
        said = tuple(extensions.items())
        rest = self._rests.get(said)
        if rest is None:
            if len(self._rests) >= _BLOCKS_KEPT:
                self._rests.clear()
            rest = self._rests[said] = self._layout.render(self._values(extensions))[self._mid_end() :]
        self.rest = rest

    def stamp(self, now: float) -> None:
        self.stamped_at = now
        self.front = self._front + write_send_time(now) if self._is_stamped else self._front

    def mid_element(self, mid: str) -> bytes:
        """Nothing where it was not negotiated."""
        identifier = self._ids.get(ExtensionName.MID)
        if identifier is None:
            return b""
        end = self._mid_end()
        return self._layout.render({identifier: mid.encode()})[end - self._mid_element_bytes() : end]

    def whole(self, extensions: Mapping[ExtensionName, bytes], mid: str, descriptor: bytes, now: float) -> bytes:
        """With a dependency descriptor, which is each sink's own."""
        values = {**self._values(extensions), **self._send_time(now)}
        if ExtensionName.MID in self._ids:
            values[self._ids[ExtensionName.MID]] = mid.encode()
        values[self._ids[ExtensionName.DEPENDENCY_DESCRIPTOR]] = descriptor
        room = next((room for room in _DESCRIPTOR_ROOMS if len(descriptor) <= room), len(descriptor))
        layout = self._with_descriptor.get(room)
        if layout is None:
            # One for each length that a descriptor can have, at most.
            layout = self._with_descriptor[room] = ExtensionLayout(self._slots(room))
        return layout.render(values)

    def _slots(self, descriptor_room: int) -> list[Slot]:
        rooms = {
            ExtensionName.ABS_SEND_TIME: SIZES[ExtensionName.ABS_SEND_TIME],
            ExtensionName.MID: self._mid_length,
            **{name: SIZES[name] for name in _PASSED_ON},
            ExtensionName.DEPENDENCY_DESCRIPTOR: descriptor_room,
        }
        return [Slot(self._ids[name], room) for name, room in rooms.items() if room and name in self._ids]

    def _values(self, extensions: Mapping[ExtensionName, bytes]) -> dict[int, bytes]:
        return {self._ids[name]: extensions[name] for name in _PASSED_ON if name in self._ids and name in extensions}

    def _send_time(self, now: float) -> dict[int, bytes]:
        identifier = self._ids.get(ExtensionName.ABS_SEND_TIME)
        return {} if identifier is None else {identifier: write_send_time(now)}

    def _mid_element_bytes(self) -> int:
        if ExtensionName.MID not in self._ids:
            return 0
        return self._mid_length + (2 if self._layout.two_byte else 1)

    def _mid_end(self) -> int:
        for name, size in ((ExtensionName.MID, self._mid_length), (ExtensionName.ABS_SEND_TIME, 3)):
            at = self._layout.offset(self._ids.get(name, 0))
            if at is not None:
                return at + size
        return min(_BLOCK_HEADER_BYTES, self._layout.size)


class Layouts:
    """The blocks of one engine, shared by all its sinks."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[frozenset[tuple[ExtensionName, int]], int], Blocks] = {}

    def blocks(self, extensions: Mapping[ExtensionName, int], mid: str) -> Blocks:
        known = frozenset(extensions.items()), len(mid)
        if known not in self._blocks:
            self._blocks[known] = Blocks(extensions, len(mid))
        return self._blocks[known]


@dataclass(frozen=True, slots=True)
class PictureShifts:
    """What is added to a source's numbers for the time of its turn. ``turn`` names it among VP8's picture ids, which
    ``unwrapper`` counts on."""

    turn: int
    unwrapper: Unwrapper
    tl0: int = 0
    picture: int = 0
    frame: int = 0


class Pictures:
    """The numbers of pictures that one slot sends. VP8's picture ids rise by one from picture to picture that is sent,
    because receivers wait for those between; VP9's pictures name each other by the difference of their ids, so that
    within a turn these keep the distances that the publisher gave them, and so do frame numbers of the dependency
    descriptor. All go on where another source begins."""

    def __init__(self) -> None:
        self._ids: SequenceMap | None = None
        self._turns = 0
        self._picture: int | None = None
        self._tl0: int | None = None
        self._frame: int | None = None

    def begin(self, first: Incoming) -> PictureShifts:
        descriptor = first.descriptor
        self._turns += 1
        tl0 = picture = frame = 0
        unwrapper = Unwrapper(15)
        if descriptor is not None and descriptor.tl0_pic_idx is not None and self._tl0 is not None:
            tl0 = self._tl0 + 1 - descriptor.tl0_pic_idx
        if descriptor is not None and descriptor.picture_id is not None:
            identifier = descriptor.picture_id
            unwrapper = Unwrapper(identifier.bits)
            if isinstance(descriptor, Vp8Descriptor):
                if self._ids is None:
                    self._ids = SequenceMap(identifier.value)
                self._ids.switch(Turn(self._turns, identifier.value))
            elif self._picture is not None:
                picture = self._picture + 1 - identifier.value
        if first.dependency is not None and self._frame is not None:
            frame = self._frame + 1 - first.dependency.frame_number
        return PictureShifts(self._turns, unwrapper, tl0, picture, frame)

    def head(self, packet: Incoming, shifts: PictureShifts, *, is_latest: bool) -> bytes | None:
        """The payload's first bytes as they are sent. None for a late one whose picture has no id any more."""
        head = bytearray(packet.payload[:HEAD_BYTES])
        descriptor = packet.descriptor
        tl0 = 0
        if descriptor is not None and descriptor.tl0_pic_idx is not None:
            tl0 = descriptor.tl0_pic_idx + shifts.tl0
            if tl0 != self._tl0 and shifts.turn == self._turns:
                self._tl0 = _newer(tl0, self._tl0, 8)
        if isinstance(descriptor, Vp8Descriptor):
            picture_id = self._vp8_id(descriptor, shifts, is_latest=is_latest)
            if picture_id is None:
                return None
            rewrite_vp8(head, descriptor, picture_id=picture_id, tl0_pic_idx=tl0)
        elif isinstance(descriptor, Vp9Descriptor):
            picture = 0
            if descriptor.picture_id is not None:
                picture = descriptor.picture_id.value + shifts.picture
                if shifts.turn == self._turns:
                    self._picture = _newer(picture, self._picture, descriptor.picture_id.bits)
            rewrite_vp9(head, descriptor, picture_id=picture, tl0_pic_idx=tl0)
        return bytes(head)

    def leave_out(self, packet: Incoming, shifts: PictureShifts) -> None:
        descriptor = packet.descriptor
        if self._ids is not None and isinstance(descriptor, Vp8Descriptor) and descriptor.picture_id is not None:
            self._ids.close(shifts.turn, shifts.unwrapper.unwrap(descriptor.picture_id.value))

    def frame_number(self, dependency: DependencyDescriptor, shifts: PictureShifts) -> int:
        frame = (dependency.frame_number + shifts.frame) & 0xFFFF
        if shifts.turn == self._turns:
            self._frame = _newer(frame, self._frame, 16)
        return frame

    def _vp8_id(self, descriptor: Vp8Descriptor, shifts: PictureShifts, *, is_latest: bool) -> int | None:
        identifier = descriptor.picture_id
        if identifier is None or self._ids is None:
            return 0
        sent = self._ids.send(shifts.turn, shifts.unwrapper.unwrap(identifier.value))
        if isinstance(sent, Sent):
            return sent.number
        # An encoder that counts anew says so in a key frame, behind which nobody compares ids with those before.
        return identifier.value if is_latest else None


def _newer(number: int, before: int | None, bits: int) -> int:
    return number if before is None or distance(number, before, bits) > 0 else before


def written_descriptor(
    raw: bytes, dependency: DependencyDescriptor, frame: int, layers: tuple[int, int] | None
) -> bytes:
    """``raw`` with another frame number; and with the mask of what is forwarded up to ``layers``, where it has to be
    said: with each structure, and where the limits change."""
    if layers is None:
        return b"%b%b%b" % (raw[:1], frame.to_bytes(2, "big"), raw[3:])
    spatial, temporal = layers
    targets = dependency.structure.targets_up_to(spatial_id=spatial, temporal_id=temporal)
    return build(rewrite_active(replace(dependency, frame_number=frame), targets))


REWRITTEN: Final = frozenset({CodecName.VP8, CodecName.VP9})
