"""Numbers and layouts that parsing and building share."""

from __future__ import annotations

from struct import Struct

# RFC 3550 section 12.1, RFC 4585 section 6.1, RFC 3611 section 2.
SR = 200
RR = 201
SDES = 202
BYE = 203
APP = 204
RTPFB = 205
PSFB = 206
XR = 207

# RFC 4585 section 6.2, draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
NACK = 1
TRANSPORT_WIDE = 15
# RFC 4585 section 6.3, RFC 5104 section 4.3.1; 15 is an application's own, REMB one of them.
PLI = 1
FIR = 4
APPLICATION_LAYER = 15
REMB_NAME = b"REMB"

# RFC 3550 section 12.2, RFC 9143 section 15.1.
SDES_END = 0
SDES_CNAME = 1
SDES_MID = 15

# The count of an RTCP header has five bits.
MOST_COUNTED = 31

HEADER = Struct("!BBH")
WORD = Struct("!I")
SENDER_INFO = Struct("!IQIII")
# Fraction and cumulative loss share a word.
REPORT_BLOCK = Struct("!IIIIII")
SENDER_AND_MEDIA = Struct("!II")
LOST = Struct("!HH")
INTRA_REQUEST = Struct("!IB3x")
# Base, count, then reference time and feedback count in one word.
TRANSPORT_WIDE_HEAD = Struct("!HHI")
CHUNK = Struct("!H")
SMALL_DELTA = Struct("!B")
LARGE_DELTA = Struct("!h")
