"""The reference for people, made from the sections: ``python -m config.reference --write`` or ``--check``."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from config.kinds import Hidden
from config.schema import CONFIG_VARIABLE, FILE_SUFFIX, Key, all_keys, section_types

EXAMPLE_FILE = Path("secureconnect.example.toml")
MANUAL_FILE = Path("docs/configuration.md")

_EXAMPLE_HEAD = f"""\
# Every setting of SecureConnect with its default. Made by `python -m config.reference --write`; do not edit.
# Copy what you change to secureconnect.toml (or the file that {CONFIG_VARIABLE} names) without the leading #.
# The environment overrides the file. Secrets can also be given as <key>_file, the path of a file with the value.
"""

_MANUAL_HEAD = f"""\
# Configuration

<!-- Made by `python -m config.reference --write` from config/sections.py; do not edit. -->

Nothing has to be configured: with no file and an empty environment, SecureConnect runs on one machine with its
embedded stores. What is set comes from three layers, each over the one before:

1. the defaults below;
2. a TOML file: the one given on the command line, else the one that `{CONFIG_VARIABLE}` names, else
   `secureconnect.toml` in the directory the server is started in;
3. environment variables: `SECURECONNECT_<SECTION>_<KEY>`, or the same name with `_FILE` added for the path of a
   file that holds the value (its trailing newline is not part of it). Setting both is an error.

In the file, a secret can be given as `<key>_file` instead. Relative paths start at the directory the server is
started in. Durations and sizes are written with their unit: `250ms`, `30s`, `15m`, `12h`, `7d`; `64KiB`, `100MiB`,
`2GiB` (or `kB`, `MB`, `GB` for powers of ten). In the environment, lists are comma-separated and switches are
`true` or `false`.

Unknown sections, keys and `SECURECONNECT_*` variables stop the start, and so do values that cannot be right; all
problems are reported together, each with the place it was found. `secureconnect config check` does only that, and
`secureconnect config print` shows every value with the place it came from, secrets as `set` or `not set`.
"""

_MANUAL_PRODUCTION = """\
## Production

With `environment = "production"` the server refuses to start with

- a weak secret: `security.secret` or `telemetry.metrics_token` shorter than 32 bytes, a password of a store or of
  mail shorter than 12, and any of them that contains a word known from sample configurations, repeats or counts up
  its characters, or is made of too few different ones (an empty `security.secret` is fine: one is generated);
- a store that is reached without TLS, on this machine too, unless `security.allow_insecure_stores` is set: a
  database with `tls = false`, Cassandra with `tls = false`, `redis://`, an `http://` object store, mail with
  `security = "none"`;
- `*` among `server.allowed_origins`, a network of everybody (`/0`) among `server.trusted_proxies`, a
  `server.public_url` that does not begin with `https://`, or rate limits turned off.
"""

_TABLE_HEAD = "| Key | Meaning | Values | Default | Variable |\n| --- | --- | --- | --- | --- |\n"


def example() -> str:
    """``secureconnect.example.toml``: loads as it is, and loads the same with every ``#key`` uncommented."""
    parts = [_EXAMPLE_HEAD]
    for name, section in section_types().items():
        parts.append(f"\n# {section.__doc__}\n[{name}]\n\n")
        parts.extend(_example_entry(key) for key in all_keys().values() if key.section == name)
    return "".join(parts).rstrip("\n") + "\n"


def _example_entry(key: Key) -> str:
    lines = textwrap.wrap(key.description, 116) + textwrap.wrap(f"{_values(key)}. {key.variable}", 116)
    if key.is_secret:
        lines.append(f'As a file: {key.name}{FILE_SUFFIX} = "/run/secrets/{key.section}-{key.name}"')
    return "".join(f"# {line}\n" for line in lines) + f"#{key.name} = {_default(key)}\n\n"


def manual() -> str:
    parts = [_MANUAL_HEAD]
    for name, section in section_types().items():
        parts.append(f"\n## [{name}]\n\n{section.__doc__}\n\n{_TABLE_HEAD}")
        parts.extend(_manual_row(key) for key in all_keys().values() if key.section == name)
    parts.append("\n" + _MANUAL_PRODUCTION)
    return "".join(parts)


def _manual_row(key: Key) -> str:
    meaning, values = (text.replace("|", "\\|") for text in (key.description, _values(key)))
    return f"| `{key.name}` | {meaning} | {values} | `{_default(key)}` | `{key.variable}` |\n"


def _default(key: Key) -> str:
    return '""' if isinstance(key.kind, Hidden) else key.kind.to_toml(key.default)


def _values(key: Key) -> str:
    expected = key.kind.expected
    return expected[0].upper() + expected[1:]


def _documents(root: Path) -> dict[Path, str]:
    return {root / EXAMPLE_FILE: example(), root / MANUAL_FILE: manual()}


def stale_documents(root: Path) -> list[Path]:
    """The generated files under ``root`` that are missing or say something else than the code."""
    return [
        path
        for path, text in _documents(root).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    root = Path(__file__).parent.parent
    if arguments == ["--write"]:
        for path, text in _documents(root).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    if arguments == ["--check"]:
        stale = stale_documents(root)
        for path in stale:
            sys.stderr.write(f"{path} is out of date; run `python -m config.reference --write`\n")
        return 1 if stale else 0
    sys.stderr.write("usage: python -m config.reference --write|--check\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
