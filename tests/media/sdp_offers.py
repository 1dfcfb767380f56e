"""Offers for the tests: those of real browsers, and ones built from their sections."""

from __future__ import annotations

import re
from pathlib import Path

from media.candidates import Advertised
from media.sdp.answer import LocalTransport
from media.sdp.model import Fingerprint

FIXTURES = Path(__file__).parent / "fixtures" / "sdp"
OFFERS = ("basic", "firefox", "lite", "simulcast", "simulcast_firefox", "vp9svc")

LOCAL = LocalTransport(
    session_id=4711,
    version=1,
    ufrag="w0aBcDeF",
    password="0123456789abcdefABCDEF+/",
    fingerprint=Fingerprint("sha-256", bytes(range(32))),
    advertised=(
        Advertised("192.0.2.9", 3478, 3478),
        Advertised("2001:db8::9", 3478, 3478),
        Advertised("198.51.100.9", 3480),
    ),
)


def offer(name: str) -> str:
    return (FIXTURES / f"offer_{name}.sdp").read_bytes().decode()


def golden(name: str) -> str:
    return (FIXTURES / f"golden_{name}.sdp").read_bytes().decode()


def without(text: str, attribute: str) -> str:
    """Every ``a=`` line of that name left out."""
    return re.sub(rf"a={re.escape(attribute)}(:[^\r]*)?\r\n", "", text)


def lines_of(answer: str, mid: str) -> list[str]:
    """The lines of one section."""
    sections = answer.split("\r\nm=")[1:]
    found = next(section for section in sections if f"a=mid:{mid}\r\n" in section + "\r\n")
    return ["m=" + found.split("\r\n")[0], *found.removesuffix("\r\n").split("\r\n")[1:]]


def joined(text: str, *more: str) -> str:
    """The offer with further sections, all in its bundle."""
    mids = " ".join(found for section in more for found in re.findall(r"a=mid:(\S+)", section))
    return re.sub(r"(a=group:BUNDLE[^\r]*)", rf"\1 {mids}", text) + "".join(more)


def section(text: str, index: int) -> str:
    return "m=" + text.split("\r\nm=")[1 + index].removesuffix("\r\n") + "\r\n"


def slot(text: str, index: int, mid: str) -> str:
    """The section of an offer as one that only receives, with another mid."""
    own = section(text, index)
    for attribute in ("ssrc", "ssrc-group", "msid", "rid", "simulcast"):
        own = without(own, attribute)
    return re.sub(r"a=mid:\S+", f"a=mid:{mid}", re.sub(r"a=(sendrecv|sendonly)", "a=recvonly", own))


DATA = (
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:d\r\n"
    "a=sctp-port:5000\r\na=max-message-size:262144\r\n"
)
