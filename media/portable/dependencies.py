"""The dependency descriptors of one stream, with the structures they are read by."""

from __future__ import annotations

from typing import Final

from media.codecs.part import FramePart
from media.dependency import DependencyDescriptor, Structure, parse

# The mandatory part of a dependency descriptor, which is all that most packets have.
_SHORT: Final = 3
# The one in use, and the one before it for packets that were overtaken by a key frame.
_STRUCTURES_KEPT: Final = 2
# These mean that the structure has not come yet.
AWAITS_STRUCTURE: Final = frozenset({"dependency_no_structure", "dependency_unknown_template"})


class _Known:
    """A structure, the number of the packet that brought it, and what its short descriptors say."""

    __slots__ = ("number", "parts", "structure")

    def __init__(self, number: int, structure: Structure) -> None:
        self.number = number
        self.structure = structure
        self.parts: dict[int, FramePart] = {}


class DependencyReader:
    """Of one stream, by unwrapped numbers: packets that come late are read by the structure of their time."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: list[_Known] = []

    def read(self, data: bytes, number: int) -> tuple[FramePart, DependencyDescriptor]:
        """Raises BadPacket; ``AWAITS_STRUCTURE`` has the reasons for which the same may be read later."""
        known = next((one for one in self._known if one.number <= number), None)
        if len(data) == _SHORT and known is not None:
            return _short(data, known)
        descriptor = parse(data, known.structure if known else None)
        if descriptor.has_structure:
            self._learn(number, descriptor.structure)
        return descriptor.part(), descriptor

    def _learn(self, number: int, structure: Structure) -> None:
        """Latest first. Packets that repeat a structure do not make it another."""
        before = next((one for one in self._known if one.number <= number), None)
        if before is not None and before.structure == structure:
            return
        self._known.append(_Known(number, structure))
        self._known.sort(key=lambda one: one.number, reverse=True)
        del self._known[_STRUCTURES_KEPT:]


def _short(data: bytes, known: _Known) -> tuple[FramePart, DependencyDescriptor]:
    head = data[0]
    template_id = head & 0x3F
    descriptor = DependencyDescriptor(
        starts_frame=bool(head & 0x80),
        ends_frame=bool(head & 0x40),
        template_id=template_id,
        frame_number=data[1] << 8 | data[2],
        structure=known.structure,
        frame=known.structure.template(template_id),
    )
    part = known.parts.get(head)
    if part is None:
        part = known.parts[head] = descriptor.part()
    return part, descriptor
