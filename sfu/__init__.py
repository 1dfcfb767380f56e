"""Rooms in which people meet: what they are, and who may be let in."""
