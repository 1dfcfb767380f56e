"""What fuzzing begins with: packets of browsers and of the documents, and whatever was once found to break a parser
(``found/<target>-<what>.hex``)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from media import dependency, rtcp, sframe
from media.framing import framed
from tests.media import captures

FIXTURES: Final = Path(__file__).resolve().parents[1] / "media" / "fixtures"
FOUND: Final = Path(__file__).parent / "found"


def found(target: str) -> Iterable[bytes]:
    """Each was a fault once."""
    return [bytes.fromhex(path.read_text()) for path in sorted(FOUND.glob(f"{target}-*.hex"))]


def _hex(*texts: str) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def _captured(name: str) -> list[bytes]:
    """A sample of what a browser sent: two dozen payloads."""
    payloads = [bytes(packet.payload) for packet in captures.load(name).media()]
    return payloads[:: -(-len(payloads) // 24)]


# A key frame of 640x360, and what a browser puts before it.
_VP8_KEY: Final = "90e092341720" + "100200" + "9d012a80026801"
_OPUS: Final = "78" + "0b" * 60


def rtp_packets() -> Iterable[bytes]:
    sent = [one.data for name in captures.NAMES for one in captures.load(name).packets[::40] if not one.is_rtcp]
    return sent + _hex(
        # Bare; two sources, one-byte extensions and padding; two-byte extensions; a payload of VP8; padding alone.
        "806f0001000003e800000001" + _OPUS,
        "b2e0000200000000000000020000000a0000000bbede000210aa31010203ff00" + "01020300000004",
        "90600003000000000000000310000002010201020300aa00" + _VP8_KEY,
        "80e0ffff00000bb800000004" + _VP8_KEY,
        "a0600005000000000000000500000003",
    )


def extension_blocks() -> Iterable[bytes]:
    return _hex(
        "bede000210aa310102030f00", "bede000151abcd00", "100000020102010203000000", "10010001ff010700", "abcd0000"
    )


def extension_values() -> Iterable[bytes]:
    return [b"0", b"audio", b"h", *_hex("0102", "ff", "7f", "010203", "00", "000fff")]


def rtcp_packets() -> Iterable[bytes]:
    block = "0a0b0c0d40fffffe0001fffe000000641122334400010000"
    return [
        *(one.data for one in captures.load("vp8_simulcast").packets if one.is_rtcp),
        *_hex(
            "81c8000c0000000183aa7e808000000000015f900000000a000003e8" + block,
            "81c9000700000001" + block,
            "82ca0005000000010102616200000000" + "00000002" + "0f013100",
            "81cb00030000000104676f6e65000000",
            "81cd00030000000100000002fffe8003",
            "81ce00020000000100000002",
            "84ce0006" + "0000000100000000" + "0000000207000000" + "00000003ff000000",
            "8fce0005000000010000000052454d42010bd09000000002",
            "8fcd0005000000010000000200640001000a010520010000",
            "80cc00020000000174657374" + "a0c90002" + "00000001" + "00000004",
        ),
        rtcp.build(
            [
                rtcp.TransportFeedback(
                    *(1, 2, 65530, 20, 7, 1),
                    tuple(
                        rtcp.Arrival(offset, delta) for offset, delta in ((0, 0), (1, 4), (5, 900), (6, -3), (19, 1))
                    ),
                )
            ]
        ),
    ]


def stun_messages() -> Iterable[bytes]:
    whole = _hex(
        # RFC 5769 sections 2.1 to 2.3, and an error that names what was not understood.
        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b1"
        "51263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf",
        "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599"
        "fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
        "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5"
        "bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
        "011100102112a442b7e7a701bc34d686fa87dfae" + "0009000400000414" + "000a000280228003",
    )
    # Without its fingerprint a message may change and still be read.
    return [*whole, *(one[:2] + (len(one) - 28).to_bytes(2, "big") + one[4:-8] for one in whole[:3])]


def offers() -> Iterable[bytes]:
    whole = [path.read_bytes() for path in sorted((FIXTURES / "sdp").glob("offer_*.sdp"))]
    return [*whole, *(b"\r\n".join(_sparse(text)) for text in whole)]


def _sparse(text: bytes) -> list[bytes]:
    """One line of each kind and section: little to change, so that changes hit something."""
    kept: list[bytes] = []
    seen: set[bytes] = set()
    for line in text.split(b"\r\n"):
        if line[:2] == b"m=":
            seen.clear()
        kind = line.split(b":")[0]
        if kind not in seen or kind in (b"a=rid", b"a=ssrc", b"a=group"):
            kept.append(line)
        seen.add(kind)
    return kept


def candidate_lines() -> Iterable[bytes]:
    return [
        b"candidate:1 1 udp 2122187007 192.0.2.7 39781 typ host generation 0 network-id 3",
        b"a=candidate:a/+ 1 TCP 1518214911 2001:db8::1 9 typ host tcptype active",
        b"candidate:7 1 udp 1 7c9a3ab2.local 1 typ srflx raddr 0.0.0.0 rport 0",
    ]


def vp8() -> Iterable[bytes]:
    return _captured("vp8_simulcast") + _hex(
        _VP8_KEY, "10" + "110200", "90800711" + "0200", "90f0800701" + "20" + "310000", "b0e0923417a0" + "510000"
    )


def vp9() -> Iterable[bytes]:
    frame = "82498342"
    return _captured("vp9_svc") + _hex(
        "ba9234005001" + "4000b4028001680500" + "02d0" + frame,
        "bc923405" + frame,
        "ac070401" + frame,
        "fc07020304" + frame,
        "0a58" + "00" * 12 + "02040100" + frame,
        "888007" + frame,
    )


def h264() -> Iterable[bytes]:
    return _captured("h264") + _hex(
        "6742c01f", "78000467" + "42c01f" + "000468ce3c80" + "000465888400", "7c858884", "7c0588", "7c4588", "419a00"
    )


def av1() -> Iterable[bytes]:
    return _captured("av1") + _hex(
        "280408000000" + "30100000", "1030300000", "5030300000", "08" + "0408000000" + "00" + "0430100000", "1032031000"
    )


def opus() -> Iterable[bytes]:
    return _captured("opus_dtx") + _hex(_OPUS, "7b03" + "0b" * 30, "f8", "7c8605" + "00" * 20)


_DEPENDENCY_KEY: Final = (
    "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a0941b820ac128250"
    "3157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d"
)
STRUCTURE: Final = dependency.parse(bytes.fromhex(_DEPENDENCY_KEY), None).structure


def dependency_descriptors() -> Iterable[bytes]:
    return _hex(_DEPENDENCY_KEY, "86017340fc", "860173", "0b0174", "c3017540fc", "8601737f" + "55" * 20)


def sframe_headers() -> Iterable[bytes]:
    values = (0, 7, 8, 0xFFFF, 2**32, sframe.LARGEST_FIELD)
    return [sframe.build_header(one, other) for one in values for other in values]


def tcp_streams() -> Iterable[bytes]:
    frames = (bytes(20), b"", b"\x80" * 1200, b"x")
    return [b"".join(map(framed, frames)), framed(frames[2])[:700], b"\x00\x05abc", b"\xff\xff"]


def signaling_frames() -> Iterable[bytes]:
    section = {"mid": "0", "cid": "c1", "kind": "video", "source": "camera", "encrypted": True}
    layers = [{"rid": "q", "width": 320, "height": 180}]
    asked: dict[str, dict[str, object]] = {
        "join": {"client": {"name": "web", "version": "1"}, "e2ee": {"kid_prefix": 0x8001, "sender": "a" * 22}},
        "resume": {"resume_token": "t", "after": 7},
        "negotiate": {"sdp": "v=0", "publish": [{**section, "layers": layers}], "receive": {"audio": 3, "video": 9}},
        "candidate": {"candidate": "", "mid": "0"},
        "want": {"track": "t1", "width": 640, "height": 360, "fps": 15.5, "priority": 1},
        "unwant": {"track": "t1"},
        "pin": {"track": "t1", "pinned": True},
        "mute": {"track": "t1", "muted": False},
        "set_metadata": {"metadata": "\u00e9", "name": None},
        "raise_hand": {"raised": True},
        "reaction": {"emoji": "\U0001f44b"},
        "data": {"to": ["p1"], "payload": "AAEC", "reliable": False},
        "leave": {},
    }
    return [msgspec.json.encode({"type": kind, "id": "1", "data": data}) for kind, data in asked.items()]


def dtls_records() -> Iterable[bytes]:
    hello = "0100000c" + "0000" + "000000" + "00000c" + "fefd" + "00" * 10
    return _hex(
        "16fefd" + "0000" + "000000000000" + "0018" + hello,
        "14fefd" + "0000" + "000000000001" + "0001" + "01" + "16fefd" + "0001" + "000000000000" + "0004" + "00112233",
    )


def sctp_packets() -> Iterable[bytes]:
    """INIT with parameters, DATA, SACK with a gap, HEARTBEAT, FORWARD-TSN, RE-CONFIG, ABORT; two in one packet."""
    head = "1388138800000001" + "00000000"
    init = "0100001c" + "00000001" + "00020000" + "00100010" + "00000001" + "c000000480080004"
    data = "00030015" + "00000001" + "00000000" + "00000033" + "6869616263" + "000000"
    sack = "03000014" + "00000001" + "00020000" + "00010000" + "00020003"
    more = ("0400000c" + "00010008" + "00000000", "c0000008" + "00000002", "82000008" + "00100004", "06000004")
    return _hex(*(head + chunk for chunk in (init, data, sack, *more)), head + data + sack)
