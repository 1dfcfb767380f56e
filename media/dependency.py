"""The dependency descriptor header extension (RTP Payload Format For AV1, appendix A): what a frame needs and what it
is good for, told for any codec, under encryption too.

A key frame brings a structure of templates; later frames name one of them and say what differs. Who reads a stream
keeps the structure it last saw attached and gives it to ``parse``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

from media.bits import BitReader, BitWriter
from media.codecs.part import FramePart, Readable
from media.errors import BadPacket

# Section A.2: the extension's length stands in one byte.
_LONGEST = 255
_MANDATORY = 3
_TEMPLATE_IDS = 64
_SPATIAL_LAYERS = 4
_TEMPORAL_LAYERS = 8
_SAME_LAYER, _NEXT_TEMPORAL, _NEXT_SPATIAL, _NO_MORE = range(4)


class Indication(IntEnum):
    """What a frame is to a decode target (table A.1)."""

    NOT_PRESENT = 0
    DISCARDABLE = 1
    SWITCH = 2
    REQUIRED = 3


_INDICATIONS = tuple(Indication)


@dataclass(frozen=True, slots=True)
class Template:
    """``indications`` has one a decode target, ``chain_diffs`` one a chain; ``frame_diffs`` says what it refers to."""

    spatial_id: int
    temporal_id: int
    indications: tuple[Indication, ...]
    frame_diffs: tuple[int, ...]
    chain_diffs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """``protected_by`` names the chain of each decode target, and is empty without chains."""

    id_offset: int
    targets: int
    chains: int
    protected_by: tuple[int, ...]
    templates: tuple[Template, ...]
    resolutions: tuple[tuple[int, int], ...] = ()
    # Spatial and temporal layer of each decode target: the highest of what it contains.
    layers: tuple[tuple[int, int], ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self._layer(target) for target in range(self.targets)))

    @property
    def all_targets(self) -> int:
        return (1 << self.targets) - 1

    def targets_up_to(self, *, spatial_id: int, temporal_id: int) -> int:
        """The mask of the decode targets that need no layer above these."""
        return sum(
            1 << target
            for target, (spatial, temporal) in enumerate(self.layers)
            if spatial <= spatial_id and temporal <= temporal_id
        )

    def template(self, template_id: int) -> Template:
        index = (template_id - self.id_offset) % _TEMPLATE_IDS
        if index >= len(self.templates):
            # The structure it belongs to was lost or is on its way.
            raise BadPacket("dependency_unknown_template")
        return self.templates[index]

    def _layer(self, target: int) -> tuple[int, int]:
        present = [one for one in self.templates if one.indications[target] is not Indication.NOT_PRESENT]
        return (
            max((one.spatial_id for one in present), default=0),
            max((one.temporal_id for one in present), default=0),
        )


@dataclass(frozen=True, slots=True)
class DependencyDescriptor:
    """``structure`` is the one it is read by, ``has_structure`` whether it came along. ``active_targets`` is what the
    sender says in this packet: None is as before, and all of them where a structure is attached. ``frame`` is its
    template with what this frame has otherwise."""

    starts_frame: bool
    ends_frame: bool
    template_id: int
    frame_number: int
    structure: Structure
    frame: Template
    has_structure: bool = False
    active_targets: int | None = None

    @property
    def resolution(self) -> tuple[int, int] | None:
        sizes = self.structure.resolutions
        return sizes[self.frame.spatial_id] if self.frame.spatial_id < len(sizes) else None

    def is_present_in(self, target: int) -> bool:
        return self.frame.indications[target] is not Indication.NOT_PRESENT

    def part(self) -> FramePart:
        frame = self.frame
        given = [one for one in frame.indications if one is not Indication.NOT_PRESENT]
        return FramePart(
            starts_frame=self.starts_frame,
            ends_frame=self.ends_frame,
            is_keyframe=self.starts_frame and self.has_structure and not frame.frame_diffs,
            temporal_id=frame.temporal_id,
            spatial_id=frame.spatial_id,
            is_discardable=bool(given) and all(one is Indication.DISCARDABLE for one in given),
            is_switching_point=self.starts_frame and self._begins_layer(),
            is_layer_sync=self.starts_frame and self._begins_temporal_layer(),
            size=self.resolution if self.has_structure else None,
        )

    @property
    def _own_layer(self) -> tuple[int, int]:
        return self.frame.spatial_id, self.frame.temporal_id

    def _own_targets(self) -> list[int]:
        return [target for target, layer in enumerate(self.structure.layers) if layer == self._own_layer]

    def _switches_to_own_layer(self) -> bool:
        return any(self.frame.indications[target] is Indication.SWITCH for target in self._own_targets())

    def _begins_temporal_layer(self) -> bool:
        """By its own word; or because no frame of this layer is ever referred to by another of it."""
        if self._switches_to_own_layer():
            return True
        frame = self.frame
        alike = [one for one in self.structure.templates if (one.spatial_id, one.temporal_id) == self._own_layer]
        return any(
            all(one.indications[target] is Indication.DISCARDABLE for one in (frame, *alike))
            for target in self._own_targets()
        )

    def _begins_layer(self) -> bool:
        """Whether it needs nothing before this picture. Frames of one picture follow one another, so what it refers to
        lies at most as far back as there are layers below; and its chain goes on from theirs, unless one is missing."""
        frame = self.frame
        if not frame.frame_diffs:
            return True
        if max(frame.frame_diffs) > frame.spatial_id or not self._switches_to_own_layer():
            return False
        protected_by = self.structure.protected_by
        if not protected_by:
            return False
        below = [target for target, (spatial, _) in enumerate(self.structure.layers) if spatial == frame.spatial_id - 1]
        chains = {protected_by[target] for target in (*self._own_targets(), *below)}
        return bool(below) and len({frame.chain_diffs[chain] for chain in chains}) == 1


def parse(data: Readable, known: Structure | None) -> DependencyDescriptor:
    """Raises BadPacket. ``known`` is the structure that the stream attached last."""
    if len(data) > _LONGEST:
        raise BadPacket("dependency_too_long")
    reader = BitReader(data, truncated="dependency_truncated")
    starts, ends, template_id, number = reader.flag(), reader.flag(), reader.read(6), reader.read(16)
    extended = len(data) > _MANDATORY
    has_structure, has_active, *custom = (reader.flag() if extended else False for _ in range(5))
    structure = _read_structure(reader) if has_structure else known
    if structure is None:
        raise BadPacket("dependency_no_structure")
    active = structure.all_targets if has_structure else None
    if has_active:
        active = reader.read(structure.targets)
    return DependencyDescriptor(
        starts_frame=starts,
        ends_frame=ends,
        template_id=template_id,
        frame_number=number,
        structure=structure,
        frame=_read_frame(reader, structure, template_id, custom),
        has_structure=has_structure,
        active_targets=active,
    )


def build(descriptor: DependencyDescriptor, *, size: int = 0) -> bytes:
    """The shortest form, with zeros up to ``size``: a rewritten extension block keeps its length."""
    structure, frame = descriptor.structure, descriptor.frame
    template = structure.template(descriptor.template_id)
    everything = structure.all_targets if descriptor.has_structure else None
    has_active = descriptor.active_targets != everything
    flags = (
        descriptor.has_structure,
        has_active,
        frame.indications != template.indications,
        frame.frame_diffs != template.frame_diffs,
        frame.chain_diffs != template.chain_diffs,
    )
    writer = BitWriter()
    writer.write(descriptor.starts_frame, 1)
    writer.write(descriptor.ends_frame, 1)
    writer.write(descriptor.template_id, 6)
    writer.write(descriptor.frame_number, 16)
    if not any(flags):
        return writer.to_bytes(size=size)
    for flag in flags:
        writer.write(flag, 1)
    if descriptor.has_structure:
        _write_structure(writer, structure)
    if has_active:
        writer.write(descriptor.active_targets or 0, structure.targets)
    if flags[2]:
        _write_indications(writer, frame)
    if flags[3]:
        _write_frame_diffs(writer, frame)
    if flags[4]:
        for diff in frame.chain_diffs:
            writer.write(diff, 8)
    return writer.to_bytes(size=size)


def rewrite_active(descriptor: DependencyDescriptor, targets: int) -> DependencyDescriptor:
    """With the mask of what is forwarded; what the sender says here that it does not produce stays inactive. Where it
    says nothing here, what it said last is for the caller to know."""
    sent = descriptor.structure.all_targets if descriptor.active_targets is None else descriptor.active_targets
    return replace(descriptor, active_targets=targets & sent)


def _read_structure(reader: BitReader) -> Structure:
    id_offset, targets = reader.read(6), reader.read(5) + 1
    layers = _read_layers(reader)
    indications = [tuple(_INDICATIONS[reader.read(2)] for _ in range(targets)) for _ in layers]
    frame_diffs = [_read_template_diffs(reader) for _ in layers]
    chains = reader.read_non_symmetric(targets + 1)
    protected_by = tuple(reader.read_non_symmetric(chains) for _ in range(targets)) if chains else ()
    chain_diffs = [tuple(reader.read(4) for _ in range(chains)) for _ in layers]
    resolutions: tuple[tuple[int, int], ...] = ()
    if reader.flag():
        resolutions = tuple((reader.read(16) + 1, reader.read(16) + 1) for _ in range(layers[-1][0] + 1))
    templates = tuple(
        Template(*layers[index], indications[index], frame_diffs[index], chain_diffs[index])
        for index in range(len(layers))
    )
    return Structure(id_offset, targets, chains, protected_by, templates, resolutions)


def _read_layers(reader: BitReader) -> list[tuple[int, int]]:
    layers = [(0, 0)]
    while (following := reader.read(2)) != _NO_MORE:
        spatial, temporal = layers[-1]
        if following == _NEXT_TEMPORAL:
            temporal += 1
        elif following == _NEXT_SPATIAL:
            spatial, temporal = spatial + 1, 0
        if spatial >= _SPATIAL_LAYERS or temporal >= _TEMPORAL_LAYERS or len(layers) == _TEMPLATE_IDS:
            raise BadPacket("dependency_too_many_layers")
        layers.append((spatial, temporal))
    return layers


def _read_template_diffs(reader: BitReader) -> tuple[int, ...]:
    diffs: list[int] = []
    while reader.flag():
        diffs.append(reader.read(4) + 1)
    return tuple(diffs)


def _read_frame_diffs(reader: BitReader) -> tuple[int, ...]:
    diffs: list[int] = []
    while size := reader.read(2):
        diffs.append(reader.read(4 * size) + 1)
    return tuple(diffs)


def _read_frame(reader: BitReader, structure: Structure, template_id: int, custom: list[bool]) -> Template:
    template = structure.template(template_id)
    if not any(custom):
        return template
    indications, frame_diffs, chain_diffs = template.indications, template.frame_diffs, template.chain_diffs
    if custom[0]:
        indications = tuple(_INDICATIONS[reader.read(2)] for _ in range(structure.targets))
    if custom[1]:
        frame_diffs = _read_frame_diffs(reader)
    if custom[2]:
        chain_diffs = tuple(reader.read(8) for _ in range(structure.chains))
    return Template(template.spatial_id, template.temporal_id, indications, frame_diffs, chain_diffs)


def _write_structure(writer: BitWriter, structure: Structure) -> None:
    writer.write(structure.id_offset, 6)
    writer.write(structure.targets - 1, 5)
    for one, following in zip(structure.templates, structure.templates[1:], strict=False):
        if following.spatial_id != one.spatial_id:
            writer.write(_NEXT_SPATIAL, 2)
        else:
            writer.write(_NEXT_TEMPORAL if following.temporal_id != one.temporal_id else _SAME_LAYER, 2)
    writer.write(_NO_MORE, 2)
    for one in structure.templates:
        _write_indications(writer, one)
    for one in structure.templates:
        for diff in one.frame_diffs:
            writer.write(1 << 4 | diff - 1, 5)
        writer.write(0, 1)
    writer.write_non_symmetric(structure.chains, structure.targets + 1)
    for chain in structure.protected_by:
        writer.write_non_symmetric(chain, structure.chains)
    for one in structure.templates:
        for diff in one.chain_diffs:
            writer.write(diff, 4)
    writer.write(bool(structure.resolutions), 1)
    for width, height in structure.resolutions:
        writer.write(width - 1, 16)
        writer.write(height - 1, 16)


def _write_indications(writer: BitWriter, template: Template) -> None:
    for one in template.indications:
        writer.write(one, 2)


def _write_frame_diffs(writer: BitWriter, template: Template) -> None:
    for diff in template.frame_diffs:
        size = max(1, ((diff - 1).bit_length() + 3) // 4)
        writer.write(size, 2)
        writer.write(diff - 1, 4 * size)
    writer.write(0, 2)
