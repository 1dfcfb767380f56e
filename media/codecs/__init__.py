"""Payload descriptors: what forwarding reads of a packet of each codec, and what it writes back in place."""
