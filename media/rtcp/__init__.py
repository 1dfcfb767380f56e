"""RTCP: what peers say of the streams. Bytes to typed packets (``parsing``) and back (``building``)."""

from media.rtcp.building import build
from media.rtcp.packets import (
    Arrival,
    Description,
    FullIntraRequest,
    Goodbye,
    IntraRequest,
    Nack,
    Packet,
    PictureLoss,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
)
from media.rtcp.parsing import MOST_BYTES, Compound, parse
from media.rtcp.transportwide import TICKS_PER_SECOND, Numbering, split_feedback

__all__ = [
    "MOST_BYTES",
    "TICKS_PER_SECOND",
    "Arrival",
    "Compound",
    "Description",
    "FullIntraRequest",
    "Goodbye",
    "IntraRequest",
    "Nack",
    "Numbering",
    "Packet",
    "PictureLoss",
    "ReceiverReport",
    "Remb",
    "ReportBlock",
    "SenderReport",
    "SourceDescription",
    "TransportFeedback",
    "build",
    "parse",
    "split_feedback",
]
