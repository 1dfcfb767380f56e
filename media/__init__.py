"""Bytes of real-time media: packets, descriptors, session descriptions, frame encryption, and what moves them."""
