"""What a published track shows or lets hear."""

from __future__ import annotations

from enum import Enum

from media.codecs.names import Kind


class Source(Enum):
    CAMERA = "camera"
    MICROPHONE = "microphone"
    SCREEN = "screen"
    SCREEN_AUDIO = "screen_audio"

    @property
    def kind(self) -> Kind:
        return Kind.VIDEO if self in (Source.CAMERA, Source.SCREEN) else Kind.AUDIO

    @property
    def is_screen(self) -> bool:
        """A shared screen and its sound belong together, apart from the camera and microphone of the same person."""
        return self in (Source.SCREEN, Source.SCREEN_AUDIO)
