"""Embedded twins of the shared stores: state and events that live and end with this process."""

from adapters.memory.bus import MemoryBus
from adapters.memory.state import MemoryState

__all__ = ["MemoryBus", "MemoryState"]
