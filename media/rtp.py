"""RTP packets (RFC 3550 5.1) with header extensions (RFC 8285), and repairs in a stream of their own (RFC 4588).

``Packet.parse`` looks and copies nothing: what it returns refers to the bytes it was given. ``build`` writes. A packet
for a subscriber is a new fixed header, an ``ExtensionLayout``'s block, and the payload as it came.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, Self

from media.errors import BadPacket

VERSION: Final = 2
FIXED_HEADER: Final = struct.Struct("!BBHII")
LARGEST_PADDING: Final = 255
LARGEST_PAYLOAD_TYPE: Final = 127
RTX_HEADER_BYTES: Final = 2  # RFC 4588 4: the original sequence number.

_PADDING_FLAG: Final = 0x20
_EXTENSION_FLAG: Final = 0x10
_MARKER_FLAG: Final = 0x80

# RFC 8285 4.2 and 4.3; the lowest four bits of the second are the application's.
_ONE_BYTE_PROFILE: Final = 0xBEDE
_TWO_BYTE_PROFILE: Final = 0x1000
_STOP: Final = 15
_LARGEST_ONE_BYTE_ID: Final = 14
_LARGEST_ONE_BYTE_VALUE: Final = 16
_BLOCK_HEADER: Final = struct.Struct("!HH")


class Kind(Enum):
    """What a datagram on the shared port is."""

    STUN = "stun"
    ZRTP = "zrtp"
    DTLS = "dtls"
    TURN_CHANNEL = "turn_channel"
    RTP = "rtp"
    RTCP = "rtcp"
    UNKNOWN = "unknown"


def _kinds_by_first_byte() -> tuple[Kind, ...]:
    kinds = [Kind.UNKNOWN] * 256
    # RFC 7983 7.
    for first, last, kind in (
        (0, 3, Kind.STUN),
        (16, 19, Kind.ZRTP),
        (20, 63, Kind.DTLS),
        (64, 79, Kind.TURN_CHANNEL),
        (128, 191, Kind.RTP),
    ):
        kinds[first : last + 1] = [kind] * (last - first + 1)
    return tuple(kinds)


_KINDS: Final = _kinds_by_first_byte()
# RFC 5761 4: payload types 64 to 95, with the marker, are packet types of RTCP.
_RTCP_TYPES: Final = range(192, 224)


def kind_of(datagram: bytes | memoryview) -> Kind:
    if not datagram:
        return Kind.UNKNOWN
    kind = _KINDS[datagram[0]]
    if kind is not Kind.RTP:
        return kind
    if len(datagram) < 2:
        return Kind.UNKNOWN
    return Kind.RTCP if datagram[1] in _RTCP_TYPES else Kind.RTP


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The fields that differ from subscriber to subscriber."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    marker: bool = False


@dataclass(frozen=True, slots=True)
class Packet:
    """Views into a decrypted packet. ``extension_block`` has its own header and is empty where there is none;
    ``extensions`` are its elements by id, the first one where an id stands twice; ``payload`` is without padding."""

    header: Header
    csrcs: memoryview
    extension_block: memoryview
    extensions: Mapping[int, memoryview] = field(compare=False)
    payload: memoryview
    padding: int = 0

    @classmethod
    def parse(cls, data: bytes | memoryview) -> Self:
        """Raises BadPacket."""
        view = memoryview(data)
        if len(view) < FIXED_HEADER.size:
            raise BadPacket("rtp_too_short")
        flags, second, sequence, timestamp, ssrc = FIXED_HEADER.unpack_from(view)
        if flags >> 6 != VERSION:
            raise BadPacket("rtp_version")
        csrcs_end = FIXED_HEADER.size + 4 * (flags & 0x0F)
        if csrcs_end > len(view):
            raise BadPacket("rtp_csrcs_truncated")
        start = _block_end(view, csrcs_end) if flags & _EXTENSION_FLAG else csrcs_end
        padding = _padding(view, start) if flags & _PADDING_FLAG else 0
        block = view[csrcs_end:start]
        return cls(
            Header(
                payload_type=second & 0x7F,
                sequence=sequence,
                timestamp=timestamp,
                ssrc=ssrc,
                marker=second >= _MARKER_FLAG,
            ),
            view[FIXED_HEADER.size : csrcs_end],
            block,
            parse_extensions(block),
            view[start : len(view) - padding],
            padding,
        )

    @property
    def is_padding_only(self) -> bool:
        """Sent to probe or to keep a path open; it takes a sequence number and says nothing."""
        return not self.payload

    def build(self) -> bytes:
        """What was parsed, but for what stood in the padding."""
        return build(
            self.header,
            self.payload,
            csrcs=self.csrcs,
            extension_block=self.extension_block,
            padding=self.padding,
        )


def build(
    header: Header,
    payload: bytes | memoryview,
    *,
    extension_block: bytes | memoryview = b"",
    csrcs: bytes | memoryview = b"",
    padding: int = 0,
) -> bytes:
    """Contributing sources are left out when forwarding: they would make the header's length vary, and name what the
    subscriber never sees. ``padding`` makes packets of one frame equally long, so that they can be sent as one message.
    Raises BadPacket for what has no place in the format."""
    if not 0 <= padding <= LARGEST_PADDING:
        raise BadPacket("rtp_padding")
    if len(csrcs) % 4 or len(csrcs) > 60:
        raise BadPacket("rtp_csrcs")
    if not 0 <= header.payload_type <= LARGEST_PAYLOAD_TYPE:
        raise BadPacket("rtp_header_field")
    flags = VERSION << 6 | len(csrcs) // 4
    if padding:
        flags |= _PADDING_FLAG
    if extension_block:
        flags |= _EXTENSION_FLAG
    try:
        fixed = FIXED_HEADER.pack(
            flags,
            _MARKER_FLAG * header.marker | header.payload_type,
            header.sequence,
            header.timestamp,
            header.ssrc,
        )
    except struct.error as error:
        raise BadPacket("rtp_header_field") from error
    tail = bytes(padding - 1) + bytes((padding,)) if padding else b""
    return b"".join((fixed, csrcs, extension_block, payload, tail))


def parse_extensions(block: bytes | memoryview) -> dict[int, memoryview]:
    """The elements of a block that begins with its own header. A profile that is not RFC 8285's is nothing we know,
    and RFC 3550 5.3.1 lets a receiver pass over it. Raises BadPacket for an element that is longer than its block."""
    if not block:
        return {}
    if len(block) < _BLOCK_HEADER.size:
        raise BadPacket("rtp_extension_truncated")
    profile, words = _BLOCK_HEADER.unpack_from(block)
    elements = memoryview(block)[_BLOCK_HEADER.size :]
    if len(elements) != 4 * words:
        raise BadPacket("rtp_extension_truncated")
    if profile == _ONE_BYTE_PROFILE:
        return _one_byte_elements(elements)
    if profile & 0xFFF0 == _TWO_BYTE_PROFILE:
        return _two_byte_elements(elements)
    return {}


def _one_byte_elements(elements: memoryview) -> dict[int, memoryview]:
    found: dict[int, memoryview] = {}
    at, end = 0, len(elements)
    while at < end:
        head = elements[at]
        at += 1
        if head == 0:
            continue
        identifier = head >> 4
        # RFC 8285 4.2: at 15, and at 0 with a length, reading ends and what came before counts.
        if identifier in (0, _STOP):
            break
        value_end = at + (head & 0x0F) + 1
        if value_end > end:
            raise BadPacket("rtp_extension_overrun")
        found.setdefault(identifier, elements[at:value_end])
        at = value_end
    return found


def _two_byte_elements(elements: memoryview) -> dict[int, memoryview]:
    found: dict[int, memoryview] = {}
    at, end = 0, len(elements)
    while at < end:
        identifier = elements[at]
        at += 1
        if identifier == 0:
            continue
        value = at + 1
        if value > end or value + elements[at] > end:
            raise BadPacket("rtp_extension_overrun")
        value_end = value + elements[at]
        found.setdefault(identifier, elements[value:value_end])
        at = value_end
    return found


def _block_end(view: memoryview, start: int) -> int:
    if start + _BLOCK_HEADER.size > len(view):
        raise BadPacket("rtp_extension_truncated")
    _, words = _BLOCK_HEADER.unpack_from(view, start)
    end: int = start + _BLOCK_HEADER.size + 4 * words
    if end > len(view):
        raise BadPacket("rtp_extension_truncated")
    return end


def _padding(view: memoryview, start: int) -> int:
    # RFC 3550 5.1: the last octet counts itself, so it is never zero.
    if start == len(view) or not 0 < view[-1] <= len(view) - start:
        raise BadPacket("rtp_padding")
    return view[-1]


@dataclass(frozen=True, slots=True)
class Slot:
    """Room for one element: its value has at most ``size`` bytes."""

    id: int
    size: int


class ExtensionLayout:
    """An extension block of constant size. Each element has its place whether or not a packet has it, so that packets
    of one frame stay equally long, and what is known only at the system call is written over in place. The rest of a
    place is zero bytes, which RFC 8285 4.1 allows between elements."""

    __slots__ = ("_places", "size", "two_byte")

    def __init__(self, slots: Sequence[Slot]) -> None:
        """Raises BadPacket for ids and sizes that cannot be written."""
        self.two_byte: Final = any(
            slot.id > _LARGEST_ONE_BYTE_ID or slot.size > _LARGEST_ONE_BYTE_VALUE for slot in slots
        )
        head = 2 if self.two_byte else 1
        self._places: Final[dict[int, tuple[int, int]]] = {}
        at = _BLOCK_HEADER.size
        for slot in slots:
            if not 0 < slot.id <= 255 or not 0 < slot.size <= 255 or slot.id in self._places:
                raise BadPacket("rtp_extension_layout")
            self._places[slot.id] = (at + head, slot.size)
            at += head + slot.size
        self.size: Final = 0 if not slots else (at + 3) // 4 * 4
        """Of the whole block, with its header; none at all where there are no elements."""

    def offset(self, identifier: int) -> int | None:
        """Where this element's value begins in the block."""
        place = self._places.get(identifier)
        return None if place is None else place[0]

    def render(self, values: Mapping[int, bytes | memoryview]) -> bytes:
        """Raises BadPacket for a value that has no place or does not fit in it."""
        if not self.size:
            if values:
                raise BadPacket("rtp_extension_unplaced")
            return b""
        block = bytearray(self.size)
        _BLOCK_HEADER.pack_into(
            block, 0, _TWO_BYTE_PROFILE if self.two_byte else _ONE_BYTE_PROFILE, (self.size - _BLOCK_HEADER.size) // 4
        )
        for identifier, value in values.items():
            if identifier not in self._places:
                raise BadPacket("rtp_extension_unplaced")
            at, room = self._places[identifier]
            length = len(value)
            # The short form has no element without a value.
            if length > room or not (length or self.two_byte):
                raise BadPacket("rtp_extension_size")
            if self.two_byte:
                block[at - 2] = identifier
                block[at - 1] = length
            else:
                block[at - 1] = identifier << 4 | length - 1
            block[at : at + length] = value
        return bytes(block)


def wrap_rtx(
    sent: Packet,
    *,
    payload_type: int,
    ssrc: int,
    sequence: int,
    extension_block: bytes | memoryview | None = None,
) -> bytes:
    """The repair of a packet that was sent (RFC 4588 4): its timestamp and marker, and its extensions unless others are
    given. Its padding is not repaired."""
    return build(
        replace(sent.header, payload_type=payload_type, ssrc=ssrc, sequence=sequence),
        sent.header.sequence.to_bytes(RTX_HEADER_BYTES, "big") + bytes(sent.payload),
        csrcs=sent.csrcs,
        extension_block=sent.extension_block if extension_block is None else extension_block,
    )


def unwrap_rtx(repair: Packet, *, payload_type: int, ssrc: int) -> Packet:
    """The packet that was lost, without a copy of its payload. Its extensions are the repair's own: it carries
    repaired-rid where the packet had rid. Raises BadPacket ``rtx_padding`` for what only probes the path."""
    if repair.is_padding_only:
        raise BadPacket("rtx_padding")
    if len(repair.payload) < RTX_HEADER_BYTES:
        raise BadPacket("rtx_too_short")
    original = int.from_bytes(repair.payload[:RTX_HEADER_BYTES], "big")
    return replace(
        repair,
        header=replace(repair.header, payload_type=payload_type, ssrc=ssrc, sequence=original),
        payload=repair.payload[RTX_HEADER_BYTES:],
        padding=0,
    )
