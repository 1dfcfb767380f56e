"""The effective configuration as TOML: each key with where its value came from, secrets only as set or not set."""

from __future__ import annotations

from config.loader import DEFAULT_ORIGIN, Configuration
from config.schema import Key, all_keys, section_types


def print_configuration(configuration: Configuration) -> str:
    """Reads back as TOML, but a secret's "set" is not its value: this is for people."""
    return "\n".join(_section(configuration, name) for name in section_types())


def changed_settings(configuration: Configuration) -> dict[str, str]:
    """What is not as by default, by key, for the log of a start; secrets as set or not set."""
    return {
        key.path: key.kind.to_toml(getattr(getattr(configuration.settings, key.section), key.name))
        for key in all_keys().values()
        if configuration.origins[key.path] != DEFAULT_ORIGIN
    }


def _section(configuration: Configuration, section: str) -> str:
    rows = [_row(configuration, key) for key in all_keys().values() if key.section == section]
    width = max(len(assignment) for assignment, _ in rows)
    lines = [f"{assignment:<{width}}  # {origin}" for assignment, origin in rows]
    return "\n".join([f"[{section}]", *lines, ""])


def _row(configuration: Configuration, key: Key) -> tuple[str, str]:
    value = getattr(getattr(configuration.settings, key.section), key.name)
    return f"{key.name} = {key.kind.to_toml(value)}", configuration.origins[key.path]
