"""The dependency descriptor."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media.bits import BitReader, BitWriter
from media.dependency import (
    DependencyDescriptor,
    Indication,
    Structure,
    Template,
    build,
    parse,
    rewrite_active,
)
from media.errors import BadPacket

# What a browser sent with AV1 in three spatial and three temporal layers, one key picture and what followed.
KEY = bytes.fromhex(
    "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a0941b820ac128250"
    "3157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d"
)
STRUCTURE = parse(KEY, None).structure
FOLLOWING = (
    "86017340fc",
    "46017340fc",
    "c3017540fc",
    "88017640fc",
    "48017640fc",
    "860173",
    "8b0174",
    "0b0174",
    "c30175",
)


def following(data: str) -> DependencyDescriptor:
    return parse(bytes.fromhex(data), STRUCTURE)


def reason(data: bytes, known: Structure | None = STRUCTURE) -> str:
    with pytest.raises(BadPacket) as raised:
        parse(data, known)
    return raised.value.reason


def named(template: Template) -> str:
    return "".join("-DSR"[one] for one in template.indications)


def test_the_structure_of_three_spatial_and_three_temporal_layers() -> None:
    assert (STRUCTURE.targets, STRUCTURE.chains, STRUCTURE.id_offset) == (9, 3, 0)
    assert STRUCTURE.protected_by == (0, 0, 0, 1, 1, 1, 2, 2, 2)
    assert STRUCTURE.resolutions == ((120, 67), (240, 135), (480, 270))
    assert STRUCTURE.layers == tuple((spatial, temporal) for spatial in range(3) for temporal in range(3))
    first = STRUCTURE.templates[1]
    assert (named(first), first.frame_diffs, first.chain_diffs) == ("SSSSSSSSS", (), (0, 0, 0))
    last = STRUCTURE.templates[-1]
    assert (named(last), last.frame_diffs, last.chain_diffs) == ("--------D", (3, 1), (11, 10, 9))
    assert (last.spatial_id, last.temporal_id) == (2, 2)


def test_the_key_frame() -> None:
    found = parse(KEY, None)
    assert (found.frame_number, found.has_structure, found.active_targets) == (0x0172, True, 0x1FF)
    part = found.part()
    assert (part.starts_frame, part.ends_frame, part.is_keyframe, part.is_switching_point) == (True, True, True, True)
    assert (part.spatial_id, part.temporal_id, part.size) == (0, 0, (120, 67))


def test_the_upper_layers_of_a_key_picture_are_where_they_may_be_taken_up() -> None:
    part = following("860173").part()
    assert (part.is_keyframe, part.is_switching_point, part.spatial_id, part.size) == (False, True, 1, None)
    assert not following("460173").part().is_switching_point


def test_a_later_frame_of_an_upper_layer_is_not() -> None:
    # Template 5 refers to its own layer of the picture before as well.
    part = following("850180").part()
    assert (part.spatial_id, part.temporal_id, part.is_switching_point, part.is_layer_sync) == (1, 0, False, True)


def test_an_upper_layer_alone_in_its_picture_is_no_point_to_take_it_up() -> None:
    """Its reference lies one frame back, as if it were in the same picture: the chain of the layer below tells."""
    lonely = replace(STRUCTURE.templates[6], chain_diffs=(2, 1, 1))
    found = DependencyDescriptor(True, True, 6, 7, STRUCTURE, lonely)
    assert not found.part().is_switching_point
    assert following("860173").part().is_switching_point


def test_upper_temporal_layers_that_nothing_of_their_own_refers_to_may_be_taken_up_anywhere() -> None:
    assert following("c30175").part().is_layer_sync
    assert following("c20178").part().temporal_id == 1
    assert following("c20178").part().is_layer_sync


def test_only_what_no_target_needs_is_discardable() -> None:
    assert not following("c30175").part().is_discardable
    top = following("cd0175")
    assert named(top.frame) == "--------D"
    assert top.part().is_discardable


def test_which_targets_a_frame_belongs_to() -> None:
    assert [target for target in range(9) if following("880176").is_present_in(target)] == [5, 8]


def test_fewer_targets_can_be_told_active() -> None:
    assert following("86017340fc").active_targets == 0b000111111
    assert following("860173").active_targets is None


@pytest.mark.parametrize(
    ("spatial_id", "temporal_id", "mask"),
    [(0, 0, 0b1), (0, 2, 0b111), (1, 1, 0b011011), (2, 2, 0x1FF)],
)
def test_the_targets_of_a_choice_of_layers(spatial_id: int, temporal_id: int, mask: int) -> None:
    assert STRUCTURE.targets_up_to(spatial_id=spatial_id, temporal_id=temporal_id) == mask


@pytest.mark.parametrize("data", FOLLOWING)
def test_what_a_browser_sent_is_built_byte_for_byte(data: str) -> None:
    assert build(following(data)) == bytes.fromhex(data)


def test_the_structure_a_browser_sent_is_built_byte_for_byte() -> None:
    assert build(parse(KEY, None)) == KEY


def test_the_active_mask_is_rewritten_and_nothing_else() -> None:
    low = rewrite_active(parse(KEY, None), 0b111)
    again = parse(build(low), None)
    assert again == low
    assert (again.active_targets, again.structure, again.frame) == (0b111, STRUCTURE, parse(KEY, None).frame)


def test_what_the_sender_does_not_produce_stays_inactive() -> None:
    assert rewrite_active(following("86017340fc"), 0x1FF).active_targets == 0b000111111


def test_a_mask_goes_into_a_packet_that_had_none() -> None:
    assert build(rewrite_active(following("860173"), 0b000111111)) == bytes.fromhex("86017340fc")


def test_zeros_fill_it_up_to_a_constant_size() -> None:
    for data in FOLLOWING:
        found = following(data)
        padded = build(found, size=8)
        assert len(padded) == 8
        assert parse(padded, STRUCTURE) == found


def test_a_frame_may_differ_from_its_template() -> None:
    frame = Template(1, 0, (Indication.SWITCH,) * 9, (1, 16, 17, 4096), (255, 0, 16))
    found = DependencyDescriptor(True, False, 6, 65535, STRUCTURE, frame, active_targets=0x101)
    assert parse(build(found), STRUCTURE) == found


def test_template_ids_wrap() -> None:
    moved = replace(STRUCTURE, id_offset=60)
    assert moved.template(3) == STRUCTURE.templates[7]


def test_a_packet_before_any_structure() -> None:
    assert reason(bytes.fromhex("860173"), None) == "dependency_no_structure"


def test_a_template_of_another_structure() -> None:
    assert reason(bytes.fromhex("bf0173")) == "dependency_unknown_template"


@pytest.mark.parametrize("cut", [0, 1, 2, 4, 20, len(KEY) - 1])
def test_a_descriptor_cut_off(cut: int) -> None:
    assert reason(KEY[:cut], None) == "dependency_truncated"


def test_more_bytes_than_an_extension_has() -> None:
    assert reason(KEY.ljust(256, b"\0"), None) == "dependency_too_long"


def test_layers_beyond_those_that_exist() -> None:
    writer = BitWriter()
    writer.write(0xC00000, 24)
    writer.write(0b10000, 5)
    writer.write(0, 11)
    for _ in range(4):
        writer.write(2, 2)
    assert reason(writer.to_bytes(size=60), None) == "dependency_too_many_layers"


def test_templates_without_end() -> None:
    assert reason(bytes.fromhex("c0000080") + bytes(200), None) == "dependency_too_many_layers"


def restored(data: bytes) -> None:
    try:
        found = parse(data, STRUCTURE)
    except BadPacket as refused:
        assert refused.reason.startswith("dependency_")  # noqa: PT017
        return
    assert parse(memoryview(data), STRUCTURE) == found
    assert parse(build(found), STRUCTURE) == found
    assert len(build(found)) <= len(data)
    found.part()


@given(data=st.binary(max_size=80))
@example(data=b"\xff" * 255)
def test_any_bytes_are_read_or_refused_and_come_back(data: bytes) -> None:
    restored(data)


@given(at=st.integers(3, len(KEY) - 1), bit=st.integers(0, 7))
def test_a_structure_with_any_bit_turned_is_read_or_refused_and_comes_back(at: int, bit: int) -> None:
    data = bytearray(KEY)
    data[at] ^= 1 << bit
    restored(bytes(data))


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    targets = draw(st.integers(1, 6))
    chains = draw(st.integers(0, targets))
    layers = [(spatial, temporal) for spatial in range(draw(st.integers(1, 3))) for temporal in range(2)]
    chain = st.integers(0, max(0, chains - 1))
    return Structure(
        id_offset=draw(st.integers(0, 63)),
        targets=targets,
        chains=chains,
        protected_by=tuple(draw(chain) for _ in range(targets if chains else 0)),
        templates=tuple(
            Template(
                *layer,
                tuple(draw(st.sampled_from(Indication)) for _ in range(targets)),
                tuple(draw(st.lists(st.integers(1, 16), max_size=3))),
                tuple(draw(st.integers(0, 15)) for _ in range(chains)),
            )
            for layer in layers
        ),
    )


@given(structure=structures(), data=st.data())
def test_what_is_built_reads_back(structure: Structure, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(structure.templates) - 1))
    found = DependencyDescriptor(
        starts_frame=data.draw(st.booleans()),
        ends_frame=data.draw(st.booleans()),
        template_id=(structure.id_offset + index) % 64,
        frame_number=data.draw(st.integers(0, 65535)),
        structure=structure,
        frame=structure.templates[index],
        has_structure=True,
        active_targets=data.draw(st.integers(0, structure.all_targets)),
    )
    assert parse(build(found), None) == found


@given(values=st.integers(1, 300), data=st.data())
def test_numbers_with_fewer_bits_for_the_small_ones(values: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, values - 1))
    writer = BitWriter()
    writer.write_non_symmetric(value, values)
    reader = BitReader(writer.to_bytes(), truncated="cut")
    assert reader.read_non_symmetric(values) == value


def test_five_values_in_two_or_three_bits() -> None:
    """The example of the AV1 specification, section 4.10.7."""
    written = []
    for value in range(5):
        writer = BitWriter()
        writer.write_non_symmetric(value, 5)
        writer.write(1, 1)
        written.append(f"{writer.to_bytes()[0]:08b}".rstrip("0")[:-1])
    assert written == ["00", "01", "10", "110", "111"]
