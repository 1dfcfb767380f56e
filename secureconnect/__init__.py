"""The Python client: joins a room of a SecureConnect server, publishes, subscribes, sends and hears.

    async with secureconnect.join("https://meet.example", token, secret="...") as room:
        async with room.publish(secureconnect.Tone()):
            async for event in room.events():
                ...

Media is VP8 and Opus. In Secure rooms it is sealed and opened here, with keys from the secret of the room's link.
"""

from secureconnect.errors import Disconnected, Ended, NotEncrypted, Refused, RoomError
from secureconnect.events import (
    DataReceived,
    DataRejected,
    Event,
    Gated,
    LayersWanted,
    ModeChanged,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    QualityChanged,
    ReactionReceived,
    Reconnected,
    Reconnecting,
    RoomEnded,
    SpeakersChanged,
    TrackMuted,
    TrackPublished,
    TrackQuality,
    TrackUnpublished,
)
from secureconnect.model import Encryption, Participant, RoomInfo, Source, Speaker, Track
from secureconnect.publishing import Publication
from secureconnect.reception import EncodedFrame, Frame
from secureconnect.room import Room, join, join_link
from secureconnect.sources import Melody, TestPattern, Tone, camera, media_file
from secureconnect.streams import Stream

__all__ = [
    "DataReceived",
    "DataRejected",
    "Disconnected",
    "EncodedFrame",
    "Encryption",
    "Ended",
    "Event",
    "Frame",
    "Gated",
    "LayersWanted",
    "Melody",
    "ModeChanged",
    "NotEncrypted",
    "Participant",
    "ParticipantJoined",
    "ParticipantLeft",
    "ParticipantUpdated",
    "Publication",
    "QualityChanged",
    "ReactionReceived",
    "Reconnected",
    "Reconnecting",
    "Refused",
    "Room",
    "RoomEnded",
    "RoomError",
    "RoomInfo",
    "Source",
    "Speaker",
    "SpeakersChanged",
    "Stream",
    "TestPattern",
    "Tone",
    "Track",
    "TrackMuted",
    "TrackPublished",
    "TrackQuality",
    "TrackUnpublished",
    "camera",
    "join",
    "join_link",
    "media_file",
]
