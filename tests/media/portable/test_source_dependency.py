"""Dependency descriptors of a source: read by the structure of their time, or kept until it comes."""

from __future__ import annotations

from media import rtp
from media.dependency import DependencyDescriptor, Structure, build, parse
from media.extensions import ExtensionName
from media.portable.held import HELD_FOR
from media.portable.source import Source
from tests.media.portable.publishing import (
    AV1,
    DELTA_FRAME,
    DEPENDENCY,
    PAYLOAD_TYPES,
    VP9,
    Ingress,
    forwarded,
    gaps,
    packet,
    sequences,
    video,
)


def scalable(ingress: Ingress) -> Source:
    return ingress.add(video(codec=AV1))


AV1_KEY = bytes.fromhex(
    "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a0941b820ac128250"
    "3157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d"
)
UNIT = b"\x10" + bytes(50)


def described(sequence: int, descriptor: bytes, *, marker: bool = False) -> rtp.Packet:
    extensions = {DEPENDENCY: descriptor}
    return packet(1000, sequence, UNIT, kind=PAYLOAD_TYPES[AV1], extensions=extensions, marker=marker)


def structured(id_offset: int) -> bytes:
    """A key frame with the same structure under other ids."""
    before = parse(AV1_KEY, None).structure
    structure = Structure(
        id_offset, before.targets, before.chains, before.protected_by, before.templates, before.resolutions
    )
    template = structure.template(id_offset + 1)
    return build(
        DependencyDescriptor(
            starts_frame=True,
            ends_frame=True,
            template_id=id_offset + 1,
            frame_number=400,
            structure=structure,
            frame=template,
            has_structure=True,
            active_targets=structure.all_targets,
        )
    )


class TestDependencyDescriptors:
    """Of AV1 in three spatial and three temporal layers, as a browser sent it."""

    def test_layers_and_key_frames_are_told_by_them(self) -> None:
        ingress = Ingress()
        scalable(ingress)
        sent = (AV1_KEY, *map(bytes.fromhex, ("86017340fc", "c3017540fc", "8b0174", "0b0174", "4b0174")))
        results = forwarded(ingress.receive(*(described(10 + index, one) for index, one in enumerate(sent))))
        structure = parse(AV1_KEY, None).structure
        read = [parse(one, structure) for one in sent]
        assert [one.part for one in results] == [one.part() for one in read]
        assert [one.dependency for one in results] == read
        assert [one.extensions[ExtensionName.DEPENDENCY_DESCRIPTOR] for one in results] == list(sent)
        assert (results[0].part.is_keyframe, results[0].part.size) == (True, (120, 67))
        assert [(one.spatial, one.temporal) for one in results] == [
            (one.frame.spatial_id, one.frame.temporal_id) for one in read
        ]

    def test_the_structure_says_the_sizes_of_all_layers(self) -> None:
        ingress = Ingress()
        source = scalable(ingress)
        sent = (AV1_KEY, *map(bytes.fromhex, ("86017340fc", "c3017540fc", "8b0174")))
        results = forwarded(ingress.receive(*(described(10 + index, one) for index, one in enumerate(sent))))
        ingress.now += 0.5
        known = {layer.spatial: (one.width, one.height) for layer, one in source.stats(ingress.now).layers.items()}
        sizes = parse(AV1_KEY, None).structure.resolutions
        assert known == {one.spatial: sizes[one.spatial] for one in results}
        assert len(known) > 1

    def test_what_comes_before_its_structure_waits_for_it(self) -> None:
        ingress = Ingress()
        source = scalable(ingress)
        early = ingress.receive(described(11, bytes.fromhex("860173")), described(12, bytes.fromhex("8b0174")))
        assert early == []
        assert source.due() == ingress.now
        results = ingress.receive(described(10, AV1_KEY))
        assert sequences(results) == [10, 11, 12]
        assert [one.is_repair for one in forwarded(results)] == [True, True, True]

    def test_what_waits_in_vain_becomes_a_gap(self) -> None:
        ingress = Ingress()
        scalable(ingress)
        ingress.receive(described(11, bytes.fromhex("860173")))
        ingress.now += HELD_FOR + 0.01
        results = ingress.receive(described(12, AV1_KEY))
        assert (gaps(results), sequences(results)) == ([11], [12])
        assert ingress.drops == {"dependency_no_structure": 1}

    def test_what_waits_is_given_up_by_whatever_comes_then(self) -> None:
        ingress = Ingress()
        scalable(ingress)
        ingress.receive(described(11, bytes.fromhex("860173")))
        ingress.now += HELD_FOR + 0.01
        results = ingress.receive(packet(1000, 12, b"\x18\x08" + bytes(20), kind=PAYLOAD_TYPES[AV1]))
        assert (gaps(results), sequences(results)) == ([11], [12])

    def test_a_late_packet_is_read_by_the_structure_of_its_time(self) -> None:
        ingress = Ingress()
        scalable(ingress)
        late = described(11, bytes.fromhex("860173"))
        repeated = [described(number, structured(20)) for number in (12, 13, 14)]
        results = forwarded(ingress.receive(described(10, AV1_KEY), *repeated, late))
        assert [one.dependency.structure.id_offset for one in results if one.dependency] == [0, 20, 20, 20, 0]

    def test_a_packet_from_before_the_last_two_structures_is_not_read_any_more(self) -> None:
        ingress = Ingress()
        scalable(ingress)
        ingress.receive(described(10, AV1_KEY), described(12, structured(20)), described(13, structured(40)))
        assert ingress.receive(described(11, bytes.fromhex("860173"))) == []

    def test_a_codec_that_tells_its_layers_is_read_without_them(self) -> None:
        ingress = Ingress()
        ingress.add(video(codec=VP9))
        payload = bytes((0xAC, 7, 0, 1)) + DELTA_FRAME
        for number, descriptor in enumerate((bytes.fromhex("860173"), AV1_KEY, b"\x80", bytes.fromhex("860173"))):
            extensions = {DEPENDENCY: descriptor}
            ingress.receive(packet(1000, number, payload, kind=PAYLOAD_TYPES[VP9], extensions=extensions))
        assert ingress.drops == {}

    def test_they_are_kept_for_whoever_passes_them_on_though(self) -> None:
        ingress = Ingress()
        ingress.add(video(codec=VP9))
        payload = bytes((0xAC, 7, 0, 1)) + DELTA_FRAME
        extensions = {DEPENDENCY: AV1_KEY}
        (one,) = forwarded(ingress.receive(packet(1000, 1, payload, kind=PAYLOAD_TYPES[VP9], extensions=extensions)))
        assert one.dependency == parse(AV1_KEY, None)

    def test_a_descriptor_that_is_damaged_is_a_gap(self) -> None:
        ingress = Ingress()
        scalable(ingress)
        assert gaps(ingress.receive(described(10, b"\x80"))) == [10]
        assert ingress.drops == {"dependency_truncated": 1}

    def test_without_one_the_payload_is_read(self) -> None:
        ingress = Ingress()
        scalable(ingress)
        # N, W=1; a sequence header.
        (one,) = forwarded(ingress.receive(packet(1000, 10, b"\x18\x08" + bytes(20), kind=PAYLOAD_TYPES[AV1])))
        assert (one.part.is_keyframe, one.dependency) == (True, None)
