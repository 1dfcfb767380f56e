"""The list of every key there is, derived from the sections: one source for reading, printing and the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from config.kinds import Bounds, Choice, Hidden, Kind, Many, Number, Quantity, Switch, Text, Whole
from config.sections import Section, Settings
from config.values import Duration, Secret, Size

ENVIRONMENT_PREFIX = "SECURECONNECT_"
CONFIG_VARIABLE = "SECURECONNECT_CONFIG"
FILE_SUFFIX = "_file"

# Limits of keys that state none of their own: beyond these a value is a typing mistake.
_LONGEST_DURATION = 3650 * 86400
_LARGEST_SIZE = 1 << 50


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: ``path`` as in TOML (``server.port``), ``variable`` as in the environment."""

    section: str
    name: str
    kind: Kind
    description: str
    default: object

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        return f"{ENVIRONMENT_PREFIX}{self.section.upper()}_{self.name.upper()}"

    @property
    def file_variable(self) -> str:
        return self.variable + FILE_SUFFIX.upper()

    @property
    def is_secret(self) -> bool:
        return isinstance(self.kind, Hidden) or (isinstance(self.kind, Many) and isinstance(self.kind.of, Hidden))


@cache
def section_types() -> dict[str, type[Section]]:
    """The sections in the order of the reference."""
    return {field.name: field.type for field in msgspec.structs.fields(Settings)}


@cache
def all_keys() -> dict[str, Key]:
    """Every key by its path."""
    keys = (_key(section, field) for section, kind in section_types().items() for field in msgspec.structs.fields(kind))
    return {key.path: key for key in keys}


def _key(section: str, field: msgspec.structs.FieldInfo) -> Key:
    annotation, *notes = get_args(field.type) if get_origin(field.type) is Annotated else (field.type,)
    metas = [note for note in notes if isinstance(note, Meta)]
    description = next(meta.description for meta in metas if meta.description)
    limits = next((meta for meta in metas if not meta.description), Meta())
    return Key(section, field.name, _kind(annotation, limits), description, field.default)


def _kind(annotation: object, limits: Meta) -> Kind:
    if get_origin(annotation) is Literal:
        return Choice(get_args(annotation))
    if get_origin(annotation) is tuple:
        item = get_args(annotation)[0]
        return Many(Hidden() if item is Secret else Text(shortest=1))
    low, high = limits.ge, limits.le
    kinds: dict[object, Callable[[], Kind]] = {
        str: lambda: Text(limits.pattern, limits.min_length or 0, limits.max_length or Text().longest),
        bool: Switch,
        int: lambda: Whole(Bounds(low, high)),
        float: lambda: Number(Bounds(low, high)),
        Duration: lambda: Quantity(Duration, Bounds(low or 0, _LONGEST_DURATION if high is None else high)),
        Size: lambda: Quantity(Size, Bounds(low or 0, _LARGEST_SIZE if high is None else high)),
        Secret: Hidden,
    }
    return kinds[annotation]()
