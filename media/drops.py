"""What is dropped, by name, and whether honest networks cause it: those are noise; the others are worth a look.

Engines, and the endpoints of DTLS and SCTP, count under these names and no others. What parsers refuse has names of
their own, ``BadPacket.reason``, which begin with what was parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

HONEST: Final[Mapping[str, str]] = {
    "dtls_after_end": "DTLS for an endpoint that has ended",
    "dtls_no_path": "DTLS to a peer that no path leads to yet, or any more",
    "dtls_stranger": "DTLS from an address that has not answered a check: it comes again",
    "duplicate": "a packet that the network delivered twice",
    "early_full": "media that overtook its keys, beyond 64 packets",
    "ice_late_answer": "an answer to a check that nobody waits for any more",
    "ice_probe_held": "a check held back, so that nobody can point us at a victim",
    "ice_unknown_ufrag": "a check for a transport that has ended",
    "nack_not_cached": "asked for again when it was forgotten already",
    "nack_overflow": "so much lost at once that a key frame is asked for instead",
    "nack_repeated": "asked for again within a round trip",
    "no_path": "media to a peer that has lost consent",
    "repair_before_primary": "a repair of a stream nothing of which has come",
    "rtx_duplicate": "a repair of what came already: browsers probe the path with such",
    "rtx_padding": "a repair without content: browsers probe the path with such",
    "rtx_too_short": "a repair without content: browsers probe the path with such",
    "rtx_unknown": "a repair of something far from what is known",
    "sctp_after_end": "SCTP for an association that has ended",
    "sequence_jump": "a sequence number far from the others that the next one did not confirm",
    "sink_closed_gap": "came late for a subscriber, behind a gap that was closed",
    "sink_duplicate": "came again for a subscriber",
    "sink_forgotten": "came so late for a subscriber that nothing is known of its time",
    "sink_outside_turn": "came late for a subscriber that another source flows to by now",
    "srtp_replay": "a datagram that the network delivered twice, or somebody repeated",
    "srtp_stranger": "media from an address that has not answered a check, or whose transport has ended",
    "tcp_full": "a subscriber over TCP reads too slowly: the newest are dropped",
    "tcp_gone": "for a connection that has ended",
    "udp_full": "the kernel had no room to send",
    "udp_receive_failed": "an error of an earlier datagram, told at reading",
    "udp_send_failed": "no route to a peer, or longer than the path takes",
}

NOTABLE: Final[Mapping[str, str]] = {
    "codec_not_negotiated": "a source in a codec that a subscriber does not know",
    "data_binary": "a data message that is not text",
    "data_closed": "a data message for a channel that has closed",
    "data_label": "a data channel that nobody knows",
    "data_rate": "more data messages than a participant may send",
    "data_too_long": "a data message that is too long",
    "data_unread": "a data message that gave way to newer ones",
    "datagram_empty": "a datagram without a byte",
    "datagram_long": "a datagram over 1,500 bytes",
    "datagram_unknown": "a datagram that begins as nothing we speak",
    "dtls_early_data": "application data before the handshake was done",
    "dtls_malformed": "not DTLS, though it begins so",
    "dtls_overflow": "more DTLS of one peer than a handshake has, unread",
    "gate_clear_frame": "a clear frame in a Secure room",
    "gate_codec": "a codec in a Secure room that the gate cannot judge",
    "gate_foreign_key": "a frame under a key that was not announced",
    "gate_frame_refused": "the rest of a frame that the gate refused",
    "gate_late": "too late for the gate to judge",
    "gate_muted": "of a track that the gate has muted",
    "gate_old_counter": "a frame whose counter does not rise",
    "gate_start_unseen": "of a frame whose start never came",
    "gate_too_many_streams": "more streams in a track than a gate follows",
    "gate_too_short": "a frame too short to be encrypted",
    "ice_asymmetric": "an answer from another address than the check went to",
    "ice_check_refused": "a peer refuses our checks",
    "ice_checks_full": "more checks underway than are remembered",
    "ice_integrity": "a check or an answer under a wrong password",
    "ice_no_integrity": "a check without a password",
    "ice_not_understood": "an answer that requires what we do not know",
    "ice_other_worker": "a check for a transport of another worker",
    "ice_paths_full": "more addresses of one peer than are remembered",
    "ice_remote_ufrag": "a check of a peer that names itself otherwise than it said",
    "internal_error": "a fault of ours",
    "mid_unknown": "media of a section that was not negotiated",
    "nack_unknown": "asked for what never was sent",
    "nack_without_rtx": "asked for again by who negotiated no repairs",
    "payload_type": "a payload type that was not negotiated",
    "rid_missing": "an encoding of a simulcast that does not say which",
    "rid_unknown": "an encoding that was not negotiated",
    "rtcp_flood": "more RTCP than a peer has reason to send",
    "rtp_flood": "more media than a peer has reason to send",
    "sctp_fault": "an association in which something went wrong",
    "sctp_inbox_full": "more SCTP than is read",
    "sctp_rate": "more SCTP than a participant may send",
    "sink_too_many_layers": "an encoding beyond those that are told apart",
    "srtp_auth": "media that is not authentic",
    "srtp_failed": "media that libsrtp does not take, for another reason",
    "srtp_long": "a packet with no room for its trailer",
    "srtp_malformed": "media that is no SRTP",
    "srtp_no_keys": "media of a transport without keys",
    "srtp_ssrcs_full": "media under more SSRCs than a peer may have",
    "ssrc_taken": "an SSRC in a description that another source has",
    "ssrc_too_soon": "another SSRC for a stream that had a new one just now",
    "ssrc_unknown": "media that says of no stream that it is its",
    "tap_overflow": "a tap that is not read as fast as it fills",
    "tcp_address_full": "more connections than one address may have",
    "tcp_connections_full": "more connections than the engine may have",
    "tcp_frame_long": "a connection that sends no frames of ours",
    "tcp_frame_short": "a connection that sends frames too short for anything",
    "tcp_stranger": "a connection that was nobody's for ten seconds",
    "udp_overflow": "came faster than this process read, so that the kernel had no room",
}

# What parsers begin their reasons with.
PARSED: Final = (
    "av1_",
    "dependency_",
    "extension_",
    "h264_",
    "opus_",
    "rtcp_",
    "rtp_",
    "sctp_",
    "stun_",
    "vp8_",
    "vp9_",
)


def is_expected(name: str) -> bool:
    """Whether honest networks and browsers cause it."""
    return name in HONEST


def is_named(name: str) -> bool:
    return name in HONEST or name in NOTABLE or name.startswith(PARSED)
