"""Whose a packet is: learned once, and never given away to whoever says something else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.drops import is_named
from media.extensions import ExtensionName
from media.portable.source import SOONEST_REBINDING, Source
from tests.media.portable.publishing import (
    MID,
    OPUS,
    PAYLOAD_TYPES,
    REPAIRED_RID,
    RID,
    RTX,
    VP8,
    Ingress,
    Sender,
    audio,
    forwarded,
    packet,
    repair_of,
    sequences,
    video,
)

SIMULCAST = video(rids=("q", "h", "f"))
MID_1 = {MID: b"1"}


def layer(rid: str, ssrc: int) -> Sender:
    return Sender(ssrc, extensions={**MID_1, RID: rid.encode()})


class TestLearning:
    def test_by_mid_and_rid(self) -> None:
        ingress = Ingress()
        source = ingress.add(SIMULCAST)
        for index, rid in enumerate("qhf"):
            (first, *_) = forwarded(ingress.receive(*layer(rid, 1000 + index).key_frame()))
            assert (first.stream, first.spatial) == (index, index)
        assert source.ssrcs == (1000, 1001, 1002)

    def test_once_learned_an_ssrc_needs_no_extensions(self) -> None:
        ingress = Ingress()
        ingress.add(SIMULCAST)
        sender = layer("h", 7)
        ingress.receive(*sender.key_frame())
        sender.extensions = {}
        assert len(forwarded(ingress.receive(*sender.delta()))) == 3

    def test_by_mid_alone_where_there_is_one_stream(self) -> None:
        ingress = Ingress()
        first, second = ingress.add(video("1")), ingress.add(video("2"))
        ingress.receive(packet(8, 1, b"\x10\x00", extensions={MID: b"2"}))
        assert (first.ssrcs, second.ssrcs) == ((), (8,))

    def test_by_payload_type_where_only_one_source_has_it(self) -> None:
        ingress = Ingress()
        sound, picture = ingress.add(audio()), ingress.add(video())
        ingress.receive(
            packet(5, 1, b"\x78\x00", kind=PAYLOAD_TYPES[OPUS]), packet(6, 1, b"\x10\x00", kind=PAYLOAD_TYPES[VP8])
        )
        assert (sound.ssrcs, picture.ssrcs) == ((5,), (6,))

    def test_by_the_description_with_the_ssrc_of_repairs(self) -> None:
        ingress = Ingress()
        ingress.add(video(ssrcs={"": (21, 22)}))
        sender = Sender(21)
        lost = sender.key_frame()[1]
        assert sequences(ingress.receive(*sender.delta(), repair_of(lost, 22, 9)))[-1] == lost.header.sequence

    def test_described_encodings_are_known_by_their_rids(self) -> None:
        ingress = Ingress()
        source = ingress.add(video(rids=("q", "h"), ssrcs={"h": (31, 32), "q": (33, None)}))
        assert [source.primary(0), source.primary(1)] == [33, 31]

    def test_repairs_by_repaired_rid(self) -> None:
        ingress = Ingress()
        ingress.add(SIMULCAST)
        sender = layer("h", 7)
        first, lost, last = sender.key_frame()
        ingress.receive(first, last)
        repair = repair_of(lost, 70, 1, {**MID_1, REPAIRED_RID: b"h"})
        (repaired,) = forwarded(ingress.receive(repair))
        assert (repaired.stream, repaired.number & 0xFFFF) == (1, lost.header.sequence)

    def test_an_encoder_that_begins_again_with_another_ssrc_takes_the_place_of_the_one_before(self) -> None:
        ingress = Ingress()
        source = ingress.add(SIMULCAST)
        before, after = layer("h", 7), layer("h", 8)
        ingress.receive(*before.key_frame())
        before.extensions = {}
        ingress.now += SOONEST_REBINDING
        assert len(forwarded(ingress.receive(*after.key_frame()))) == 3
        assert source.ssrcs == (8,)
        assert ingress.router.source_of(7) is None
        assert ingress.receive(*before.delta()) == []
        assert ingress.drops == {"ssrc_unknown": 3}

    def test_what_is_removed_leaves_nothing_behind(self) -> None:
        ingress = Ingress()
        source = ingress.add(SIMULCAST)
        ingress.receive(*layer("q", 7).key_frame())
        ingress.router.remove(source)
        assert ingress.router.source_of(7) is None
        assert ingress.receive(*layer("q", 7).key_frame()) == []
        other = ingress.add(video("1"))
        assert len(forwarded(ingress.receive(*Sender(7, extensions=MID_1).key_frame()))) == 3
        assert ingress.router.source_of(7) is other

    def test_what_an_id_meant_for_one_that_is_removed_means_nothing_to_others(self) -> None:
        ingress = Ingress()
        gone, there = ingress.add(video("1", extensions={9: ExtensionName.MID})), ingress.add(audio())
        ingress.router.remove(gone)
        ingress.receive(packet(5, 1, b"\x78\x00", kind=PAYLOAD_TYPES[OPUS], extensions={9: b"\x00"}))
        assert there.ssrcs == (5,)

    def test_a_mid_is_of_one_source(self) -> None:
        ingress = Ingress()
        ingress.add(video("1"))
        with pytest.raises(ValueError, match="one source"):
            ingress.router.add(Source(audio("1"), ingress.drops), 0.0)


class TestWhatIsForgedOrUnclear:
    """Each ends in one drop with a name, and nothing is bound by it."""

    def dropped(
        self, ingress: Ingress, *, kind: int = PAYLOAD_TYPES[VP8], extensions: Mapping[int, bytes] | None = None
    ) -> str:
        ingress.drops.clear()
        assert ingress.receive(packet(66, 1, b"\x10\x00", kind=kind, extensions=extensions)) == []
        assert ingress.router.source_of(66) is None
        (name,) = ingress.drops.elements()
        assert is_named(name)
        return name

    @pytest.mark.parametrize(
        ("extensions", "kind", "name"),
        [
            ({MID: b"9", RID: b"q"}, PAYLOAD_TYPES[VP8], "mid_unknown"),
            ({**MID_1, RID: b"x"}, PAYLOAD_TYPES[VP8], "rid_unknown"),
            (MID_1, PAYLOAD_TYPES[VP8], "rid_missing"),
            ({MID: b"\xff"}, PAYLOAD_TYPES[VP8], "extension_mid"),
            ({**MID_1, RID: b"a b"}, PAYLOAD_TYPES[VP8], "extension_rid"),
            ({**MID_1, RID: b"q"}, 50, "payload_type"),
            ({**MID_1, REPAIRED_RID: b"q"}, RTX, "repair_before_primary"),
            ({**MID_1, RID: b"q"}, RTX, "rid_missing"),
            ({}, PAYLOAD_TYPES[VP8], "ssrc_unknown"),
            ({RID: b"q"}, PAYLOAD_TYPES[VP8], "ssrc_unknown"),
        ],
    )
    def test_towards_a_simulcast(self, extensions: Mapping[int, bytes], kind: int, name: str) -> None:
        ingress = Ingress()
        ingress.add(SIMULCAST)
        assert self.dropped(ingress, kind=kind, extensions=extensions) == name

    def test_a_rid_where_none_was_agreed(self) -> None:
        ingress = Ingress()
        ingress.add(video("1"))
        assert self.dropped(ingress, extensions={**MID_1, RID: b"q"}) == "rid_unknown"

    def test_a_payload_type_that_two_sources_have(self) -> None:
        ingress = Ingress()
        ingress.add(video("1"))
        ingress.add(video("2"))
        assert self.dropped(ingress) == "ssrc_unknown"

    def test_a_payload_type_alone_takes_no_place_that_is_taken(self) -> None:
        ingress = Ingress()
        ingress.add(video("1"))
        ingress.receive(*Sender(7).key_frame())
        ingress.now += 60
        assert self.dropped(ingress) == "ssrc_unknown"

    def test_repairs_by_payload_type_of_a_stream_that_never_came(self) -> None:
        ingress = Ingress()
        ingress.add(video("1"))
        assert self.dropped(ingress, kind=RTX) == "ssrc_unknown"

    def test_another_ssrc_with_every_packet_is_not_followed(self) -> None:
        ingress = Ingress()
        ingress.add(SIMULCAST)
        ingress.receive(*layer("q", 7).key_frame())
        assert self.dropped(ingress, extensions={**MID_1, RID: b"q"}) == "ssrc_too_soon"

    def test_an_ssrc_that_is_bound_stays_whatever_its_packets_say(self) -> None:
        ingress = Ingress()
        first, second = ingress.add(video("1")), ingress.add(video("2"))
        sender = Sender(7, extensions=MID_1)
        ingress.receive(*sender.key_frame())
        sender.extensions = {MID: b"2"}
        ingress.now += 60
        ingress.receive(*sender.delta())
        assert ingress.router.source_of(7) is first
        assert second.ssrcs == ()

    def test_a_description_takes_no_ssrc_from_another_source(self) -> None:
        ingress = Ingress()
        first = ingress.add(video("1", ssrcs={"": (7, 8)}))
        second = ingress.add(video("2", ssrcs={"": (8, 7)}))
        assert ingress.router.source_of(7) is first
        assert ingress.router.source_of(8) is first
        assert second.ssrcs == ()
        assert ingress.drops == {"ssrc_taken": 2}

    def test_a_description_of_one_ssrc_for_two_purposes_is_taken_for_the_first(self) -> None:
        ingress = Ingress()
        source = ingress.add(video("1", ssrcs={"": (7, 7)}))
        assert source.ssrcs == (7,)

    def test_a_description_of_an_encoding_that_is_none(self) -> None:
        ingress = Ingress()
        source = ingress.add(video("1", rids=("q", "h"), ssrcs={"x": (7, 8), "": (9, None), "h": (10, None)}))
        assert source.ssrcs == (10,)
        assert ingress.drops == {"rid_unknown": 2}

    def test_an_id_that_means_something_else_in_the_source_it_names_is_no_mid(self) -> None:
        ingress = Ingress()
        ingress.add(video("1"))
        ingress.add(video("2", extensions={}))
        assert self.dropped(ingress, extensions={MID: b"2"}) == "mid_unknown"


@given(
    st.lists(
        st.tuples(
            st.integers(1, 12),
            st.sampled_from([PAYLOAD_TYPES[VP8], RTX, PAYLOAD_TYPES[OPUS], 50]),
            st.sampled_from([b"1", b"2", b"0", b"9", b""]),
            st.sampled_from([b"q", b"h", b"x", b""]),
            st.sampled_from([b"q", b"h", b""]),
            st.floats(0, 2),
        ),
        max_size=60,
    )
)
def test_whatever_is_said_an_ssrc_is_of_one_source_and_what_is_kept_is_bounded(
    said: list[tuple[int, int, bytes, bytes, bytes, float]],
) -> None:
    ingress = Ingress()
    sources = [ingress.add(video("1", rids=("q", "h"))), ingress.add(video("2")), ingress.add(audio("0"))]
    for sequence, (ssrc, kind, mid, rid, repaired, pause) in enumerate(said):
        ingress.now += pause
        values = {MID: mid, RID: rid, REPAIRED_RID: repaired}
        extensions = {identifier: value for identifier, value in values.items() if value}
        owner = ingress.router.source_of(ssrc)
        ingress.receive(packet(ssrc, sequence, b"\x78\x00", kind=kind, extensions=extensions))
        if owner is not None:
            assert ingress.router.source_of(ssrc) is owner
        bound = [one for source in sources for one in source.ssrcs]
        assert len(bound) == len(set(bound)) <= 2 * sum(source.streams for source in sources)
        assert all(ingress.router.source_of(one) is source for source in sources for one in source.ssrcs)
