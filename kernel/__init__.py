"""The leaf everyone shares: errors, ids, clock, cursors, and the Protocols of shared infrastructure.

Nothing here opens a socket or a file. A Protocol states what a caller may rely on; every adapter of it is
held to that text by one contract suite under ``tests/contract``.
"""
