"""Which source of a transport a packet belongs to (RFC 8843 9.2, RFC 8852): by its SSRC once that is known; before, by
what its extensions say, and by its payload type where it says nothing and only one source has that.

What is bound stays bound: no packet takes an SSRC from another source, whatever it says. Of each stream one SSRC and
one of its repairs is known, so what is kept is bounded by the sources there are.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from media.errors import BadPacket
from media.extensions import ExtensionName, read_mid, read_rid
from media.portable.source import Source
from media.rtp import Packet

NO_RID: Final = ""


class Router:
    """Of one transport. What is nobody's is counted among ``drops``."""

    def __init__(self, drops: Counter[str]) -> None:
        self._drops = drops
        self._sources: dict[str, Source] = {}
        self._bound: dict[int, Source] = {}
        self._mid_ids: tuple[int, ...] = ()

    def add(self, source: Source, now: float) -> None:
        """With the SSRCs of its description; those that are bound already stay whose they are. Raises ValueError for a
        mid that another source has."""
        sent = source.format
        if sent.mid in self._sources:
            raise ValueError("a mid is of one source")
        self._sources[sent.mid] = source
        for rid, (primary, repair) in sent.ssrcs.items():
            stream = _stream_of(source, rid)
            if stream is None:
                self._drops["rid_unknown"] += 1
                continue
            self._bind_described(source, primary, stream, now, repair=False)
            if repair is not None:
                self._bind_described(source, repair, stream, now, repair=True)
        self._learn_ids()

    def remove(self, source: Source) -> None:
        del self._sources[source.format.mid]
        for ssrc in source.ssrcs:
            del self._bound[ssrc]
        self._learn_ids()

    def source_of(self, ssrc: int) -> Source | None:
        """For RTCP."""
        return self._bound.get(ssrc)

    def route(self, packet: Packet, now: float) -> Source | None:
        source = self._bound.get(packet.header.ssrc)
        if source is not None:
            return source
        try:
            return self._learn(packet, now)
        except BadPacket as bad:
            self._drops[bad.reason] += 1
            return None

    def _learn(self, packet: Packet, now: float) -> Source:
        """Raises BadPacket with the name of the drop."""
        source = self._by_mid(packet)
        if source is None:
            return self._by_payload_type(packet, now)
        repair = _is_repair(source, packet)
        stream = _announced_stream(source, packet, repair=repair)
        if repair and source.primary(stream) is None:
            raise BadPacket("repair_before_primary")
        if not source.may_bind(stream, now, repair=repair):
            raise BadPacket("ssrc_too_soon")
        return self._bind(source, packet.header.ssrc, stream, now, repair=repair)

    def _by_mid(self, packet: Packet) -> Source | None:
        """None where the packet says no mid."""
        for identifier in self._mid_ids:
            value = packet.extensions.get(identifier)
            if value is None:
                continue
            source = self._sources.get(read_mid(value))
            if source is None or source.format.extensions.get(identifier) is not ExtensionName.MID:
                raise BadPacket("mid_unknown")
            return source
        return None

    def _by_payload_type(self, packet: Packet, now: float) -> Source:
        """Only for a place that nobody has yet: a packet that says nothing proves nothing."""
        kind = packet.header.payload_type
        having = [
            one for one in self._sources.values() if kind in one.format.payload_types or kind in one.format.repairs
        ]
        if len(having) != 1 or having[0].format.rids:
            raise BadPacket("ssrc_unknown")
        source, repair = having[0], kind in having[0].format.repairs
        if source.has_bound(0, repair=repair) or (repair and source.primary(0) is None):
            raise BadPacket("ssrc_unknown")
        return self._bind(source, packet.header.ssrc, 0, now, repair=repair)

    def _bind(self, source: Source, ssrc: int, stream: int, now: float, *, repair: bool) -> Source:
        before = source.bind(ssrc, stream, now, repair=repair)
        if before is not None:
            del self._bound[before]
        self._bound[ssrc] = source
        return source

    def _bind_described(self, source: Source, ssrc: int, stream: int, now: float, *, repair: bool) -> None:
        if ssrc in self._bound:
            self._drops["ssrc_taken"] += 1
        else:
            self._bind(source, ssrc, stream, now, repair=repair)

    def _learn_ids(self) -> None:
        found = {
            identifier
            for source in self._sources.values()
            for identifier, name in source.format.extensions.items()
            if name is ExtensionName.MID
        }
        self._mid_ids = tuple(sorted(found))


def _is_repair(source: Source, packet: Packet) -> bool:
    kind = packet.header.payload_type
    if kind in source.format.repairs:
        return True
    if kind in source.format.payload_types:
        return False
    raise BadPacket("payload_type")


def _announced_stream(source: Source, packet: Packet, *, repair: bool) -> int:
    rid = _rid(source, packet, ExtensionName.REPAIRED_RID if repair else ExtensionName.RID)
    if rid == NO_RID and source.format.rids:
        raise BadPacket("rid_missing")
    stream = _stream_of(source, rid)
    if stream is None:
        raise BadPacket("rid_unknown")
    return stream


def _rid(source: Source, packet: Packet, name: ExtensionName) -> str:
    for identifier, extension in source.format.extensions.items():
        if extension is name and identifier in packet.extensions:
            return read_rid(packet.extensions[identifier])
    return NO_RID


def _stream_of(source: Source, rid: str) -> int | None:
    rids = source.format.rids
    if not rids:
        return 0 if rid == NO_RID else None
    return rids.index(rid) if rid in rids else None
