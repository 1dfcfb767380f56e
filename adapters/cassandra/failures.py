"""What can go wrong outside this process, as this adapter names it."""

from __future__ import annotations


class StoreOutage(Exception):
    """The cluster cannot answer now. The message reaches clients: it names the cause and no address."""
