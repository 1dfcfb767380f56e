"""The bytes of one slot's packets: for all that do not take the short way through media.portable.sink."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from media.codecs.names import CodecName
from media.engine import SinkFormat
from media.extensions import ExtensionName
from media.portable.packet import Incoming
from media.portable.passages import Passage
from media.portable.rewriting import HEAD_BYTES, REWRITTEN, Layouts, Pictures, written_descriptor
from media.rtp import Header, build
from media.sequence import SEQUENCE_MASK

# Codecs whose streams have spatial layers: what ends a picture depends on the layers that are left of it.
LAYERED: Final = frozenset({CodecName.VP9, CodecName.AV1})


class Writer:
    """``packets`` and ``octets`` count what was ``sent``."""

    def __init__(self, wanted: SinkFormat, layouts: Layouts) -> None:
        self._ssrc: Final = wanted.ssrc
        self._mid: Final = wanted.mid
        self.blocks: Final = layouts.blocks(wanted.extensions, wanted.mid)
        self.mid_element: Final = self.blocks.mid_element(wanted.mid)
        self.pictures: Final = Pictures()
        self.packets = 0
        self.octets = 0

    def sent(self, packet: Incoming, passage: Passage, number: int, now: float, *, is_latest: bool) -> bytes | None:
        written = self.written(packet, passage, number, now, is_latest=is_latest)
        if written is not None:
            self.packets += 1
            self.octets += len(packet.payload)
        return written

    def written(self, packet: Incoming, passage: Passage, number: int, now: float, *, is_latest: bool) -> bytes | None:
        """The same for a repair as for what it repairs, but for the send time. None: its picture's id is forgotten."""
        payload = packet.payload
        if passage.codec in REWRITTEN:
            head = self.pictures.head(packet, passage.pictures, is_latest=is_latest)
            if head is None:
                return None
            payload = head + payload[HEAD_BYTES:]
        spatial, _ = passage.limits.at(packet)
        ends = passage.codec in LAYERED and packet.spatial == spatial and packet.part.ends_frame
        header = Header(
            payload_type=passage.payload_type,
            sequence=number & SEQUENCE_MASK,
            timestamp=passage.timestamp(packet.timestamp),
            ssrc=self._ssrc,
            marker=packet.marker or ends,
        )
        return build(header, payload, extension_block=self._block(packet, passage, now))

    def filled(self, passage: Passage, number: int, timestamp: int, now: float) -> bytes:
        """Padding under the number of what will never be sent, or the subscriber would ask for it again and again."""
        self.packets += 1
        return self.padding(passage, number, timestamp, now)

    def padding(self, passage: Passage, number: int, timestamp: int, now: float) -> bytes:
        """``timestamp`` is the source's."""
        header = Header(
            payload_type=passage.payload_type,
            sequence=number & SEQUENCE_MASK,
            timestamp=passage.timestamp(timestamp),
            ssrc=self._ssrc,
        )
        return build(header, b"", extension_block=self._plain_block({}, now), padding=1)

    def _block(self, packet: Incoming, passage: Passage, now: float) -> bytes:
        raw = packet.extensions.get(ExtensionName.DEPENDENCY_DESCRIPTOR)
        dependency = packet.dependency
        if dependency is None or raw is None or not self.blocks.has_descriptor:
            return self._plain_block(packet.extensions, now)
        limits = passage.limits
        frame = self.pictures.frame_number(dependency, passage.pictures)
        says_layers = dependency.has_structure or limits.changed_at(packet)
        descriptor = written_descriptor(raw, dependency, frame, limits.at(packet) if says_layers else None)
        return self.blocks.whole(packet.extensions, self._mid, descriptor, now)

    def _plain_block(self, extensions: Mapping[ExtensionName, bytes], now: float) -> bytes:
        blocks = self.blocks
        if extensions is not blocks.extensions:
            blocks.take(extensions)
        if now != blocks.stamped_at:
            blocks.stamp(now)
        return blocks.front + self.mid_element + blocks.rest
