"""A bot that comes into a room, says something and answers whoever writes to it.

    python examples/talking_bot.py 'http://127.0.0.1:8080/#room=...&token=...&k=...' [speech.wav]

The link is one that ``secureconnect admin create-room`` prints; in a Secure room the bot has the secret from it, as
everybody does who has the link. Without a file it plays a melody. What is written to it comes back, spelt backwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from contextlib import suppress

from aiortc import MediaStreamTrack

import secureconnect
from secureconnect import DataReceived, ParticipantJoined, Room

C, D, E, F, G, A, REST = 261.63, 293.66, 329.63, 349.23, 392.0, 440.0, 0.0
TUNE = [(C, 0.3), (D, 0.3), (E, 0.3), (F, 0.3), (G, 0.6), (A, 0.3), (G, 0.6), (REST, 0.4)]


def voice(file: str | None) -> MediaStreamTrack:
    """Raises ValueError for a file without sound."""
    if file is None:
        return secureconnect.Melody(TUNE)
    sound, _ = secureconnect.media_file(file)
    if sound is None:
        raise ValueError(f"{file} has no sound")
    return sound


def written(text: str) -> str:
    """As the meeting page writes chat."""
    return json.dumps({"kind": "chat", "text": text})


def read(payload: bytes) -> str:
    """Chat of the meeting page, or whatever else somebody's program sends."""
    try:
        return str(json.loads(payload)["text"])
    except (ValueError, LookupError, TypeError):
        return payload.decode(errors="replace")


async def answer(room: Room) -> None:
    """Until the room is over."""
    async for event in room.events():
        match event:
            case ParticipantJoined(participant):
                print(f"{participant.name or participant.identity} came in")
            case DataReceived(participant, payload) if participant is not None:
                said = read(payload)
                print(f"{participant.name or participant.identity}: {said}")
                await room.send(written(said[::-1]), to=[participant.id])


async def talk(room: Room, file: str | None) -> None:
    answering = asyncio.create_task(answer(room))
    try:
        async with room.publish(voice(file)) as speech:
            await speech.ended()
        await answering
    finally:
        answering.cancel()


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("link", help="into the room, for the bot alone")
    parser.add_argument("file", nargs="?", help="what it says: anything with sound that FFmpeg reads")
    given = parser.parse_args()
    async with secureconnect.join_link(given.link, name="Bot", video_slots=0) as room:
        print(f"in {room.info.name}")
        await talk(room, given.file)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
