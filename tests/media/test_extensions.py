"""What the elements of header extensions say, by the drafts and RFCs that define them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import BadPacket
from media.extensions import (
    SIZES,
    AudioLevel,
    ContentType,
    ExtensionName,
    Orientation,
    PlayoutDelay,
    Rotation,
    read_mid,
    read_rid,
    read_send_time,
    read_transport_sequence,
    seconds_between,
    write_mid,
    write_rid,
    write_send_time,
    write_transport_sequence,
)

READERS: dict[ExtensionName, Callable[[bytes], object]] = {
    ExtensionName.MID: read_mid,
    ExtensionName.RID: read_rid,
    ExtensionName.REPAIRED_RID: read_rid,
    ExtensionName.TRANSPORT_CC: read_transport_sequence,
    ExtensionName.AUDIO_LEVEL: AudioLevel.read,
    ExtensionName.ABS_SEND_TIME: read_send_time,
    ExtensionName.ORIENTATION: Orientation.read,
    ExtensionName.PLAYOUT_DELAY: PlayoutDelay.read,
    ExtensionName.CONTENT_TYPE: ContentType.read,
}


@pytest.mark.parametrize("extension", READERS, ids=lambda extension: extension.name.lower())
class TestEveryReader:
    @given(value=st.binary(max_size=20))
    def test_any_bytes_are_a_value_or_refused(self, extension: ExtensionName, value: bytes) -> None:
        read = READERS[extension]
        try:
            seen = read(value)
        except BadPacket:
            return
        assert seen == read(memoryview(value))  # type: ignore[arg-type]
        assert len(value) == SIZES.get(extension, len(value))

    def test_another_length_is_refused(self, extension: ExtensionName) -> None:
        for value in (b"", bytes(SIZES.get(extension, 16) + 1)):
            with pytest.raises(BadPacket, match="extension_"):
                READERS[extension](value)


class TestNames:
    @pytest.mark.parametrize("mid", ["0", "audio_1", "a.b-c~{}", "0123456789abcdef"])
    def test_a_mid_is_a_token(self, mid: str) -> None:
        assert read_mid(write_mid(mid)) == mid

    @pytest.mark.parametrize("rid", ["q", "h", "f", "layer-1_x"])
    def test_a_rid_is_of_letters_digits_hyphens_and_underscores(self, rid: str) -> None:
        assert read_rid(write_rid(rid)) == rid

    @pytest.mark.parametrize("value", [b"", b"a b", b"a\0", b"a\n", b"\xc3\xa4", b"a" * 17, b"a/b", b"a:b"])
    def test_others_are_refused(self, value: bytes) -> None:
        with pytest.raises(BadPacket, match="extension_mid"):
            read_mid(value)
        with pytest.raises(BadPacket, match="extension_rid"):
            read_rid(value)

    def test_a_rid_has_no_other_characters_of_tokens(self) -> None:
        assert read_mid(b"a.b") == "a.b"
        with pytest.raises(BadPacket, match="extension_rid"):
            read_rid(b"a.b")

    def test_what_could_not_be_read_is_not_written(self) -> None:
        for name in ("", "ä", "a b", "a" * 17):
            with pytest.raises(BadPacket, match="extension_mid"):
                write_mid(name)
            with pytest.raises(BadPacket, match="extension_rid"):
                write_rid(name)


class TestTransportSequence:
    @given(st.integers(0, 1 << 40))
    def test_its_lowest_sixteen_bits_are_sent(self, number: int) -> None:
        assert read_transport_sequence(write_transport_sequence(number)) == number & 0xFFFF

    def test_golden_bytes(self) -> None:
        assert write_transport_sequence(0x1FFFE) == b"\xff\xfe"


class TestAudioLevel:
    def test_golden_bytes(self) -> None:
        assert AudioLevel.read(b"\x85") == AudioLevel(5, voice=True)
        assert AudioLevel.read(b"\x7f") == AudioLevel(127, voice=False)
        assert AudioLevel(30, voice=True).write() == b"\x9e"

    @given(st.binary(min_size=1, max_size=1))
    def test_what_is_read_is_written(self, value: bytes) -> None:
        assert AudioLevel.read(value).write() == value

    @pytest.mark.parametrize("loudness", [-1, 128])
    def test_a_level_out_of_range_is_not_written(self, loudness: int) -> None:
        with pytest.raises(BadPacket, match="extension_audio_level"):
            AudioLevel(loudness, voice=False).write()


class TestSendTime:
    def test_golden_bytes(self) -> None:
        assert write_send_time(0.5) == b"\x02\x00\x00"
        assert write_send_time(1.0) == b"\x04\x00\x00"
        assert write_send_time(63.999999) == b"\xff\xff\xff"
        assert write_send_time(64.0) == b"\x00\x00\x00"

    @given(st.floats(0, 1e9), st.floats(-31.9, 31.9))
    def test_differences_survive_the_wrap(self, now: float, apart: float) -> None:
        newer, older = read_send_time(write_send_time(now + apart)), read_send_time(write_send_time(now))
        assert seconds_between(newer, older) == pytest.approx(apart, abs=1e-5)


class TestOrientation:
    def test_golden_bytes(self) -> None:
        assert Orientation.read(b"\x00") == Orientation(Rotation.NONE)
        assert Orientation.read(b"\x01") == Orientation(Rotation.QUARTER)
        assert Orientation.read(b"\x06") == Orientation(Rotation.HALF, flipped=True)
        assert Orientation(Rotation.THREE_QUARTERS, back=True).write() == b"\x0b"

    @given(st.binary(min_size=1, max_size=1))
    def test_reserved_bits_are_passed_over(self, value: bytes) -> None:
        assert Orientation.read(value).write() == bytes((value[0] & 0x0F,))


class TestPlayoutDelay:
    def test_golden_bytes(self) -> None:
        assert PlayoutDelay.read(b"\x00\x00\x00") == PlayoutDelay(0, 0)
        assert PlayoutDelay.read(b"\x00\xa0\x64") == PlayoutDelay(100, 1000)
        assert PlayoutDelay(100, 1000).write() == b"\x00\xa0\x64"
        assert PlayoutDelay(0, 40_950).write() == b"\x00\x0f\xff"

    def test_milliseconds_are_rounded_down(self) -> None:
        assert PlayoutDelay.read(PlayoutDelay(19, 25).write()) == PlayoutDelay(10, 20)

    def test_a_least_over_the_most_is_refused(self) -> None:
        with pytest.raises(BadPacket, match="extension_playout_delay"):
            PlayoutDelay.read(b"\x00\x20\x01")

    @pytest.mark.parametrize("delay", [PlayoutDelay(20, 10), PlayoutDelay(-10, 0), PlayoutDelay(0, 40_960)])
    def test_what_could_not_be_read_is_not_written(self, delay: PlayoutDelay) -> None:
        with pytest.raises(BadPacket, match="extension_playout_delay"):
            delay.write()


class TestContentType:
    def test_golden_bytes(self) -> None:
        assert ContentType.read(b"\x00") is ContentType.UNSPECIFIED
        assert ContentType.read(b"\x01") is ContentType.SCREEN
        assert ContentType.read(b"\x2d") is ContentType.SCREEN
        assert ContentType.SCREEN.write() == b"\x01"
