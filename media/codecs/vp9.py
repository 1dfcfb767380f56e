"""VP9 in RTP (RFC 9628 section 4.2): flexible and non-flexible mode, layers, the scalability structure.

Everything stands in the descriptor, nothing in the frame: encrypted media is read the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.codecs.part import FramePart, Readable, Writable
from media.codecs.pictureid import PictureId, read_picture_id, write_picture_id
from media.errors import BadPacket

_PICTURE_ID = 0x80
_INTER_PREDICTED = 0x40
_LAYERS = 0x20
_FLEXIBLE = 0x10
_STARTS = 0x08
_ENDS = 0x04
_STRUCTURE = 0x02
_NOT_FOR_UPPER = 0x01
_MOST_REFERENCES = 3
_TRUNCATED = "vp9_truncated"


@dataclass(frozen=True, slots=True)
class GroupPicture:
    """One picture of the group that a non-flexible stream repeats."""

    temporal_id: int
    is_switching_up: bool
    picture_diffs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scalability:
    """``sizes`` has one a spatial layer, or none at all; ``group`` is None where the structure does not speak of it."""

    spatial_layers: int
    sizes: tuple[tuple[int, int], ...]
    group: tuple[GroupPicture, ...] | None


@dataclass(frozen=True, slots=True)
class Vp9Descriptor:
    """``length`` is that of the descriptor: the frame's bytes follow. ``tl0_at`` is where TL0PICIDX stands."""

    length: int
    picture_id: PictureId | None
    is_inter_predicted: bool
    is_flexible: bool
    starts_frame: bool
    ends_frame: bool
    is_not_for_upper: bool
    temporal_id: int | None
    spatial_id: int | None
    is_switching_up: bool
    is_inter_layer_predicted: bool
    tl0_pic_idx: int | None
    tl0_at: int
    picture_diffs: tuple[int, ...]
    scalability: Scalability | None

    def part(self, *, marker: bool) -> FramePart:
        # A picture's last packet ends its last frame, whatever a sender forgot to say.
        fresh = self.starts_frame and not self.is_inter_predicted
        lowest = not self.spatial_id
        return FramePart(
            starts_frame=self.starts_frame,
            ends_frame=self.ends_frame or marker,
            is_keyframe=fresh and lowest and not self.is_inter_layer_predicted,
            temporal_id=self.temporal_id,
            spatial_id=self.spatial_id,
            is_switching_point=fresh,
            # Senders set U where a picture refers to lower temporal layers alone.
            is_layer_sync=self.starts_frame and (self.is_switching_up or fresh),
            size=self._size(),
            frame_at=self.length,
        )

    def _size(self) -> tuple[int, int] | None:
        if self.scalability is None or (self.spatial_id or 0) >= len(self.scalability.sizes):
            return None
        return self.scalability.sizes[self.spatial_id or 0]


def parse_vp9(payload: Readable) -> Vp9Descriptor:
    """Raises BadPacket."""
    reader = _Reader(payload)
    flags = reader.byte()
    flexible, inter = bool(flags & _FLEXIBLE), bool(flags & _INTER_PREDICTED)
    if flexible and not flags & _PICTURE_ID:
        # References are differences of picture ids: the flexible mode must have them.
        raise BadPacket("vp9_no_picture_id")
    picture_id = reader.picture_id() if flags & _PICTURE_ID else None
    temporal_id = spatial_id = tl0 = None
    up = inter_layer = False
    tl0_at = 0
    if flags & _LAYERS:
        layers = reader.byte()
        temporal_id, spatial_id = layers >> 5, layers >> 1 & 7
        up, inter_layer = bool(layers & 0x10), bool(layers & 1)
        if not flexible:
            tl0_at = reader.at
            tl0 = reader.byte()
    diffs = reader.references() if flexible and inter else ()
    scalability = reader.scalability() if flags & _STRUCTURE else None
    if reader.at >= len(payload):
        raise BadPacket("vp9_no_frame")
    return Vp9Descriptor(
        length=reader.at,
        picture_id=picture_id,
        is_inter_predicted=inter,
        is_flexible=flexible,
        starts_frame=bool(flags & _STARTS),
        ends_frame=bool(flags & _ENDS),
        is_not_for_upper=bool(flags & _NOT_FOR_UPPER),
        temporal_id=temporal_id,
        spatial_id=spatial_id,
        is_switching_up=up,
        is_inter_layer_predicted=inter_layer,
        tl0_pic_idx=tl0,
        tl0_at=tl0_at,
        picture_diffs=diffs,
        scalability=scalability,
    )


def read_vp9(payload: Readable, *, marker: bool) -> FramePart:
    return parse_vp9(payload).part(marker=marker)


def rewrite_vp9(payload: Writable, descriptor: Vp9Descriptor, *, picture_id: int, tl0_pic_idx: int) -> None:
    """In place, no byte moves. What the publisher left out stays out; numbers wrap to their field's width."""
    if descriptor.picture_id is not None:
        write_picture_id(payload, descriptor.picture_id, picture_id)
    if descriptor.tl0_pic_idx is not None:
        payload[descriptor.tl0_at] = tl0_pic_idx & 0xFF


class _Reader:
    __slots__ = ("_payload", "at")

    def __init__(self, payload: Readable) -> None:
        self._payload = payload
        self.at = 0

    def byte(self) -> int:
        if self.at >= len(self._payload):
            raise BadPacket(_TRUNCATED)
        self.at += 1
        return self._payload[self.at - 1]

    def picture_id(self) -> PictureId:
        found = read_picture_id(self._payload, self.at, truncated=_TRUNCATED)
        self.at += found.length
        return found

    def references(self) -> tuple[int, ...]:
        """P_DIFF: seven bits and one that says whether another follows; at most three."""
        diffs: list[int] = []
        more = True
        while more:
            if len(diffs) == _MOST_REFERENCES:
                raise BadPacket("vp9_too_many_references")
            byte = self.byte()
            diffs.append(byte >> 1)
            more = bool(byte & 1)
        return tuple(diffs)

    def scalability(self) -> Scalability:
        head = self.byte()
        layers = (head >> 5) + 1
        sizes = tuple((self._short(), self._short()) for _ in range(layers)) if head & 0x10 else ()
        group = tuple(self._group_picture() for _ in range(self.byte())) if head & 0x08 else None
        return Scalability(layers, sizes, group)

    def _group_picture(self) -> GroupPicture:
        byte = self.byte()
        diffs = tuple(self.byte() for _ in range(byte >> 2 & 3))
        return GroupPicture(byte >> 5, bool(byte & 0x10), diffs)

    def _short(self) -> int:
        return self.byte() << 8 | self.byte()
