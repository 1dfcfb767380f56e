"""What forwarding needs to know of one packet's payload, the same for every codec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Readable: TypeAlias = bytes | bytearray | memoryview
Writable: TypeAlias = bytearray | memoryview


@dataclass(frozen=True, slots=True)
class FramePart:
    """One packet's part of a frame. With spatial layers a frame is one layer's, and several make a picture.

    What a codec does not say is None for a number and False for a promise: nothing is promised that may not hold.

    - ``is_keyframe`` is known in the packet that starts a frame and False in the others.
    - ``is_discardable``: no other frame refers to this one.
    - ``is_switching_point``: a receiver of the lower spatial layers of this picture may take up this layer here; a
      receiver of nothing may where the layer is the lowest.
    - ``is_layer_sync``: a receiver of the lower temporal layers may take up this one here.
    - ``size``: width and height, where this packet says them.
    - ``frame_at``: where the frame's bytes begin, behind the payload descriptor of VP8 and VP9. 0 where there is none,
      and where a part was read from the dependency descriptor alone.
    """

    starts_frame: bool
    ends_frame: bool
    is_keyframe: bool
    temporal_id: int | None = None
    spatial_id: int | None = None
    is_discardable: bool = False
    is_switching_point: bool = False
    is_layer_sync: bool = False
    size: tuple[int, int] | None = None
    frame_at: int = 0
