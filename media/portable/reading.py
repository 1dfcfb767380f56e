"""What a packet says of the frame it belongs to, by its payload and its dependency descriptor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from media.codecs.av1 import read_av1
from media.codecs.h264 import read_h264
from media.codecs.names import CodecName
from media.codecs.opus import read_opus
from media.codecs.part import FramePart
from media.codecs.vp8 import Vp8Descriptor, parse_vp8
from media.codecs.vp9 import Vp9Descriptor, parse_vp9
from media.dependency import DependencyDescriptor
from media.engine import SourceFormat
from media.errors import BadPacket
from media.extensions import SIZES, ExtensionName
from media.portable.dependencies import DependencyReader
from media.portable.packet import Incoming
from media.rtp import Packet

Descriptor: TypeAlias = Vp8Descriptor | Vp9Descriptor | None


def _vp8(payload: bytes, *, marker: bool) -> tuple[FramePart, Descriptor]:
    descriptor = parse_vp8(payload)
    return descriptor.part(marker=marker), descriptor


def _vp9(payload: bytes, *, marker: bool) -> tuple[FramePart, Descriptor]:
    descriptor = parse_vp9(payload)
    return descriptor.part(marker=marker), descriptor


def _h264(payload: bytes, *, marker: bool) -> tuple[FramePart, Descriptor]:
    return read_h264(payload, marker=marker), None


def _av1(payload: bytes, *, marker: bool) -> tuple[FramePart, Descriptor]:
    return read_av1(payload, marker=marker), None


def _audio(payload: bytes, *, marker: bool) -> tuple[FramePart, Descriptor]:
    return read_opus(payload, marker=marker), None


# Each raises BadPacket. RED wraps whole packets of Opus: for forwarding it is the same.
_READERS: Final[Mapping[CodecName, Callable[..., tuple[FramePart, Descriptor]]]] = {
    CodecName.VP8: _vp8,
    CodecName.VP9: _vp9,
    CodecName.H264: _h264,
    CodecName.AV1: _av1,
    CodecName.OPUS: _audio,
    CodecName.RED: _audio,
}

# Their payload says less of layers than the dependency descriptor does; of the others it is only passed on.
_TOLD_BY_DEPENDENCY: Final = frozenset({CodecName.H264, CodecName.AV1})

_PASSED_ON: Final = frozenset(
    {
        ExtensionName.AUDIO_LEVEL,
        ExtensionName.ORIENTATION,
        ExtensionName.CONTENT_TYPE,
        ExtensionName.PLAYOUT_DELAY,
        ExtensionName.DEPENDENCY_DESCRIPTOR,
    }
)
_NO_EXTENSIONS: Final[Mapping[ExtensionName, bytes]] = MappingProxyType({})


class Placed(NamedTuple):
    """A packet of media that has its number in its stream."""

    packet: Packet
    codec: CodecName
    stream: int
    number: int
    is_repair: bool
    arrived: float


class PacketReader:
    """Of one source. It remembers the structures of dependency descriptors, and of packets nothing."""

    __slots__ = ("_dependencies", "_has_dependency", "_is_simulcast", "_passed_on")

    def __init__(self, sent: SourceFormat) -> None:
        self._is_simulcast = bool(sent.rids)
        self._passed_on = tuple(
            (identifier, name, SIZES.get(name)) for identifier, name in sent.extensions.items() if name in _PASSED_ON
        )
        self._has_dependency = ExtensionName.DEPENDENCY_DESCRIPTOR in sent.extensions.values()
        self._dependencies = tuple(DependencyReader() for _ in range(max(1, len(sent.rids))))

    def read(self, placed: Placed) -> Incoming:
        """Raises BadPacket; for the reasons in ``AWAITS_STRUCTURE`` the same may be understood later."""
        packet, codec, stream, number, is_repair, arrived = placed
        header = packet.header
        payload = bytes(packet.payload)
        extensions = self._extensions(packet.extensions) if packet.extensions else _NO_EXTENSIONS
        dependency = descriptor = None
        told = extensions.get(ExtensionName.DEPENDENCY_DESCRIPTOR) if self._has_dependency else None
        if told is not None and codec in _TOLD_BY_DEPENDENCY:
            part, dependency = self._dependencies[stream].read(told, number)
        else:
            part, descriptor = _READERS[codec](payload, marker=header.marker)
            if told is not None:
                dependency = self._dependency(stream, told, number)
        return Incoming(
            stream,
            number,
            header.timestamp,
            header.marker,
            codec,
            payload,
            part,
            stream if self._is_simulcast else part.spatial_id or 0,
            part.temporal_id or 0,
            extensions,
            arrived,
            is_repair,
            descriptor,
            dependency,
        )

    def _dependency(self, stream: int, told: bytes, number: int) -> DependencyDescriptor | None:
        try:
            return self._dependencies[stream].read(told, number)[1]
        except BadPacket:
            return None

    def _extensions(self, found: Mapping[int, memoryview]) -> Mapping[ExtensionName, bytes]:
        """Those of a wrong length are left out: a subscriber would drop the whole packet for them."""
        passed: dict[ExtensionName, bytes] | None = None
        for identifier, name, size in self._passed_on:
            value = found.get(identifier)
            if value is not None and (size is None or len(value) == size):
                if passed is None:
                    passed = {}
                passed[name] = bytes(value)
        return _NO_EXTENSIONS if passed is None else passed
