"""Keys from the secret of a link. The vectors were computed apart from the module; pages are held to the same file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from media import framekeys, sframe
from media.errors import BadPacket
from media.framekeys import FrameKey

VECTORS = json.loads((Path(__file__).parent / "fixtures" / "framekeys.json").read_text())
SECRET = bytes(range(32))

SECRETS = st.binary(min_size=32, max_size=32)
IDS = st.text(min_size=1, max_size=60)
EPOCHS = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class Vector:
    fragment: str
    participant: str
    track: str | None
    epoch: int
    key_id_prefix: int
    key_id: int
    base_key: str
    sframe_key: str
    sframe_salt: str

    def derived(self) -> FrameKey:
        secret = framekeys.parsed_secret(self.fragment)
        if self.track is None:
            return framekeys.data_key(secret, self.participant, self.epoch)
        return framekeys.track_key(secret, self.participant, self.track, self.epoch)


@pytest.mark.parametrize("vector", [Vector(**one) for one in VECTORS["keys"]])
def test_everybody_arrives_at_the_same_keys(vector: Vector) -> None:
    secret = framekeys.parsed_secret(vector.fragment)
    assert framekeys.key_id_prefix(secret, vector.participant) == vector.key_id_prefix
    key = vector.derived()
    assert (key.epoch, key.key_id, key.base_key.hex()) == (vector.epoch, vector.key_id, vector.base_key)
    material = sframe.derived(framekeys.SUITE, key.key_id, key.base_key)
    assert (material.key.hex(), material.salt.hex()) == (vector.sframe_key, vector.sframe_salt)


def test_no_two_of_the_vectors_share_a_key() -> None:
    assert len({one["sframe_key"] for one in VECTORS["keys"]}) == len(VECTORS["keys"])


@hypothesis.given(SECRETS, IDS, EPOCHS)
def test_a_key_id_takes_three_bytes_and_differs_from_the_next(secret: bytes, participant: str, epoch: int) -> None:
    prefix = framekeys.key_id_prefix(secret, participant)
    here, there = framekeys.key_id(prefix, epoch), framekeys.key_id(prefix, epoch + 1)
    assert here != there
    assert len(sframe.build_header(here, 0)) == 4


@hypothesis.given(IDS, IDS, IDS, IDS)
def test_ids_do_not_run_into_each_other(participant: str, track: str, other: str, another: str) -> None:
    hypothesis.assume((participant, track) != (other, another))
    here = framekeys.track_key(SECRET, participant, track)
    there = framekeys.track_key(SECRET, other, another)
    assert here.base_key != there.base_key


def test_messages_have_a_key_of_their_own() -> None:
    assert framekeys.data_key(SECRET, "ada").base_key != framekeys.track_key(SECRET, "ada", "data").base_key


@hypothesis.given(SECRETS)
def test_a_secret_survives_the_link(secret: bytes) -> None:
    assert framekeys.parsed_secret(framekeys.written_secret(secret)) == secret


@hypothesis.given(st.text(max_size=60))
def test_a_fragment_is_a_secret_or_refused(text: str) -> None:
    try:
        secret = framekeys.parsed_secret(text)
    except BadPacket:
        return
    assert framekeys.written_secret(secret) == text


GOOD = framekeys.written_secret(SECRET)


@pytest.mark.parametrize("text", ["", GOOD[:-1], GOOD + "A", GOOD + "=", GOOD[:-1] + "9", " " + GOOD, GOOD[:-1] + "é"])
def test_a_damaged_link_is_refused(text: str) -> None:
    with pytest.raises(BadPacket, match="bad_link_secret"):
        framekeys.parsed_secret(text)


@pytest.mark.parametrize(
    ("participant", "track", "epoch"),
    [("", "t", 0), ("p", "", 0), ("p" * 256, "t", 0), ("p", "é" * 128, 0), ("p", "t", -1), ("p", "t", 2**32)],
)
def test_what_has_no_encoding_has_no_key(participant: str, track: str, epoch: int) -> None:
    with pytest.raises(ValueError, match=r"an id has|an epoch has"):
        framekeys.track_key(SECRET, participant, track, epoch)


def test_a_short_secret_has_no_key() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        framekeys.track_key(SECRET[:16], "p", "t")


def test_a_key_does_not_show_itself() -> None:
    key = framekeys.track_key(SECRET, "p", "t")
    assert key.base_key.hex() not in repr(key)
    assert repr(key.base_key) not in repr(key)
