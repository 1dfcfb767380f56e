"""Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).

A packet's status is a symbol of two bits: it did not come; it came within 0 to 63.75 ms of the one before (a delta of
one byte); it came later or earlier than that (two bytes, signed); reserved. Chunks of 16 bits carry the symbols: a run
of one symbol, fourteen symbols of one bit each, or seven of two bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from media.errors import BadPacket
from media.rtcp import formats
from media.rtcp.packets import Arrival, TransportFeedback

TICKS_PER_SECOND = 4000
TICKS_PER_REFERENCE = 256

_MISSING, _SMALL, _LARGE = 0, 1, 2
_MOST_RUN = 8191
_ONE_BIT_SYMBOLS = 14
_TWO_BIT_SYMBOLS = 7
_MOST_STATUSES = 0xFFFF


def parse_feedback(sender_ssrc: int, media_ssrc: int, body: memoryview) -> TransportFeedback:
    """``body`` begins behind the two SSRCs. A run of lost packets costs nothing and a packet that came at least a
    byte, so the work is linear in the bytes whatever the count says. Raises BadPacket ``rtcp_transport_...``."""
    if len(body) < formats.TRANSPORT_WIDE_HEAD.size:
        raise BadPacket("rtcp_transport_length")
    base, count, reference = formats.TRANSPORT_WIDE_HEAD.unpack_from(body)
    if count == 0:
        raise BadPacket("rtcp_transport_empty")
    came, at = _came(body, formats.TRANSPORT_WIDE_HEAD.size, count)
    return TransportFeedback(
        sender_ssrc=sender_ssrc,
        media_ssrc=media_ssrc,
        base_sequence=base,
        status_count=count,
        reference_time=_signed(reference >> 8),
        feedback_count=reference & 0xFF,
        arrivals=tuple(_arrivals(body, at, came)),
    )


def _came(body: memoryview, at: int, count: int) -> tuple[list[tuple[int, int]], int]:
    """(offset, symbol) of those that came, and where the deltas begin. The last chunk may say more than ``count``."""
    came: list[tuple[int, int]] = []
    offset = 0
    deltas = 0
    while offset < count:
        if at + formats.CHUNK.size > len(body):
            raise BadPacket("rtcp_transport_length")
        chunk = formats.CHUNK.unpack_from(body, at)[0]
        at += formats.CHUNK.size
        for symbol, length in _symbols(chunk):
            if symbol > _LARGE:
                raise BadPacket("rtcp_transport_symbol")
            last = min(offset + length, count)
            deltas += symbol * (last - offset)
            # Before the offsets are listed: a short body cannot make the list long.
            if at + deltas > len(body):
                raise BadPacket("rtcp_transport_length")
            if symbol != _MISSING:
                came += [(index, symbol) for index in range(offset, last)]
            offset = last
    return came, at


def _symbols(chunk: int) -> Iterable[tuple[int, int]]:
    """(symbol, how often)."""
    if not chunk & 0x8000:
        return ((chunk >> 13, chunk & 0x1FFF),)
    if not chunk & 0x4000:
        return ((chunk >> shift & 1, 1) for shift in range(13, -1, -1))
    return ((chunk >> shift & 3, 1) for shift in range(12, -1, -2))


def _arrivals(body: memoryview, at: int, came: list[tuple[int, int]]) -> Iterator[Arrival]:
    for offset, symbol in came:
        layout = formats.SMALL_DELTA if symbol == _SMALL else formats.LARGE_DELTA
        yield Arrival(offset, layout.unpack_from(body, at)[0])
        at += layout.size


def feedback_body(feedback: TransportFeedback) -> bytes:
    """What follows the two SSRCs, filled up with zeros to whole words."""
    reference = (feedback.reference_time & 0xFFFFFF) << 8 | feedback.feedback_count
    parts = [formats.TRANSPORT_WIDE_HEAD.pack(feedback.base_sequence, feedback.status_count, reference)]
    parts += [formats.CHUNK.pack(chunk) for chunk in _chunks(_runs(feedback))]
    for arrival in feedback.arrivals:
        layout = formats.SMALL_DELTA if _symbol(arrival) == _SMALL else formats.LARGE_DELTA
        parts.append(layout.pack(arrival.delta))
    body = b"".join(parts)
    return body + bytes(-len(body) % 4)


def _symbol(arrival: Arrival) -> int:
    return _SMALL if 0 <= arrival.delta <= 0xFF else _LARGE


def _runs(feedback: TransportFeedback) -> list[tuple[int, int]]:
    """(symbol, how often), neighbours joined."""
    pieces: list[tuple[int, int]] = []
    expected = 0
    for arrival in feedback.arrivals:
        if not expected <= arrival.offset < feedback.status_count:
            raise ValueError("arrivals ascend and stay under the count of statuses")
        pieces += ((_MISSING, arrival.offset - expected), (_symbol(arrival), 1))
        expected = arrival.offset + 1
    pieces.append((_MISSING, feedback.status_count - expected))
    filled = (piece for piece in pieces if piece[1])
    return [(symbol, sum(length for _, length in run)) for symbol, run in groupby(filled, key=lambda piece: piece[0])]


def _chunks(runs: list[tuple[int, int]]) -> Iterator[int]:
    """Greedy: a run where it says at least as much as a vector would, one bit a symbol where that is enough."""
    left = list(reversed(runs))
    while left:
        symbol, length = left[-1]
        window = _window(left)
        needs_two_bits = _LARGE in window
        if len(left) == 1 or length >= (_TWO_BIT_SYMBOLS if needs_two_bits else _ONE_BIT_SYMBOLS):
            taken = min(length, _MOST_RUN)
            yield symbol << 13 | taken
        elif needs_two_bits:
            taken = _TWO_BIT_SYMBOLS
            yield 0xC000 | _packed(window[:taken], taken, 2)
        else:
            taken = _ONE_BIT_SYMBOLS
            yield 0x8000 | _packed(window, taken, 1)
        _take(left, taken)


def _window(left: list[tuple[int, int]]) -> list[int]:
    """The next symbols, as many as the widest vector has."""
    window: list[int] = []
    for symbol, length in reversed(left):
        window += [symbol] * min(length, _ONE_BIT_SYMBOLS - len(window))
        if len(window) == _ONE_BIT_SYMBOLS:
            break
    return window


def _packed(symbols: Sequence[int], slots: int, bits: int) -> int:
    packed = 0
    for symbol in symbols:
        packed = packed << bits | symbol
    return packed << bits * (slots - len(symbols))


def _take(left: list[tuple[int, int]], count: int) -> None:
    while count and left:
        symbol, length = left.pop()
        if length > count:
            left.append((symbol, length - count))
        count = max(0, count - length)


@dataclass(frozen=True, slots=True)
class Numbering:
    """Who sends feedback on what, and the number of its next packet."""

    sender_ssrc: int
    media_ssrc: int
    feedback_count: int


def split_feedback(
    numbering: Numbering, base: int, arrivals: Sequence[tuple[int, int]], *, most_bytes: int = 1200
) -> tuple[TransportFeedback, ...]:
    """``arrivals`` are (unwrapped sequence number, ticks), ascending by number, none before ``base``; everything from
    ``base`` up to the last that came is reported. Several packets where one cannot say it: a delta of over 8.19 s, more
    than 65,535 statuses, more than ``most_bytes`` with the header. A gap that no packet can span is not reported."""
    made: list[TransportFeedback] = []
    start = 0
    while start < len(arrivals):
        if arrivals[start][0] - base >= _MOST_STATUSES:
            base = arrivals[start][0]
        end = _expressible(base, arrivals, start)
        count = numbering.feedback_count + len(made) & 0xFF
        head = Numbering(numbering.sender_ssrc, numbering.media_ssrc, count)
        feedback = _feedback(head, base, arrivals[start:end])
        while end - start > 1 and _size(feedback) > most_bytes:
            end = start + (end - start) // 2
            feedback = _feedback(head, base, arrivals[start:end])
        made.append(feedback)
        base = arrivals[end - 1][0] + 1
        start = end
    return tuple(made)


def _expressible(base: int, arrivals: Sequence[tuple[int, int]], start: int) -> int:
    """The end of the arrivals from ``start`` on whose numbers and deltas have room in the fields of one packet."""
    for index in range(start, len(arrivals)):
        sequence, ticks = arrivals[index]
        delta = ticks - arrivals[index - 1][1] if index > start else 0
        if sequence - base >= _MOST_STATUSES or not -0x8000 <= delta <= 0x7FFF:
            return index
    return len(arrivals)


def _feedback(numbering: Numbering, base: int, arrivals: Sequence[tuple[int, int]]) -> TransportFeedback:
    reference = arrivals[0][1] // TICKS_PER_REFERENCE
    before = reference * TICKS_PER_REFERENCE
    kept: list[Arrival] = []
    for sequence, ticks in arrivals:
        kept.append(Arrival(sequence - base, ticks - before))
        before = ticks
    return TransportFeedback(
        sender_ssrc=numbering.sender_ssrc,
        media_ssrc=numbering.media_ssrc,
        base_sequence=base & 0xFFFF,
        status_count=kept[-1].offset + 1,
        reference_time=_signed(reference & 0xFFFFFF),
        feedback_count=numbering.feedback_count,
        arrivals=tuple(kept),
    )


def _size(feedback: TransportFeedback) -> int:
    return formats.HEADER.size + formats.SENDER_AND_MEDIA.size + len(feedback_body(feedback))


def _signed(reference: int) -> int:
    return reference - 0x1000000 if reference & 0x800000 else reference
