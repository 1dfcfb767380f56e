"""What a published track shows or lets hear."""

from __future__ import annotations

from enum import Enum

from media.codecs.names import Kind


class Source(Enum):
    CAMERA = "camera"
    MICROPHONE = "microphone"
    SCREEN = "screen"
    SCREEN_AUDIO = "screen_audio"

    def __init__(self, _name: str) -> None:
        # Attributes and no properties: slots are ranked by them thousands of times a second.
        self.kind = Kind.VIDEO if _name in ("camera", "screen") else Kind.AUDIO
        self.is_screen = _name in ("screen", "screen_audio")
        """A shared screen and its sound belong together, apart from the camera and microphone of the same person."""
