"""From layers to settings: defaults < TOML file < environment, every problem found reported together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from config.checks import findings
from config.problems import ConfigError, Problem
from config.schema import CONFIG_VARIABLE, ENVIRONMENT_PREFIX, FILE_SUFFIX, Key, all_keys, section_types
from config.sections import Settings
from config.sources import read_toml, read_value_file

DEFAULT_FILE = "secureconnect.toml"
DEFAULT_ORIGIN = "default"

# Kubernetes puts the addresses of services into the environment of every pod; a service called secureconnect
# would otherwise keep the pods from starting.
_SERVICE_LINK = re.compile(r"SECURECONNECT_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
_SERVICE_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://\S+")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings and where each came from: ``origins`` maps ``server.port`` to ``secureconnect.toml:3``."""

    settings: Settings
    origins: Mapping[str, str]
    file: Path | None


@dataclass(slots=True)
class _Reading:
    """What has been read so far; later layers replace earlier ones, problems only add up."""

    values: dict[str, object] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unusable: set[str] = field(default_factory=set)

    def complain(self, key: str, message: str, source: str) -> None:
        self.problems.append(Problem(key, message, source))
        self.unusable.add(key)

    def accept(self, key: Key, value: object, source: str) -> None:
        self.values[key.path] = value
        self.origins[key.path] = source


def load_configuration(file: Path | None, environ: Mapping[str, str], *, directory: Path) -> Configuration:
    """What ``serve`` and ``config print`` call: ``file`` (an argument), else the file that SECURECONNECT_CONFIG
    names, else ``secureconnect.toml`` in ``directory`` if there is one. Raises ConfigError."""
    if file is None and environ.get(CONFIG_VARIABLE):
        file = Path(environ[CONFIG_VARIABLE])
    if file is None and (directory / DEFAULT_FILE).exists():
        file = directory / DEFAULT_FILE
    return read_configuration(file=file, environ=environ)


def load_settings(*, file: Path | None, environ: Mapping[str, str]) -> Settings:
    return read_configuration(file=file, environ=environ).settings


def read_configuration(*, file: Path | None, environ: Mapping[str, str]) -> Configuration:
    """Reads ``file`` and the files that secrets are kept in, nothing else. Raises ConfigError."""
    reading = _Reading()
    complete = file is None or _read_file(file, reading)
    _read_environment(environ, reading)
    settings = _settings(reading.values)
    # Without the file, half of what the rules compare is missing and they would complain about its absence.
    for finding in findings(settings) if complete else ():
        # A key that could not be read has its default here: whatever a rule says about that is not true.
        if reading.unusable.isdisjoint(finding.keys):
            key = finding.keys[0]
            reading.problems.append(Problem(key, finding.message, reading.origins.get(key, DEFAULT_ORIGIN)))
    if reading.problems:
        raise ConfigError(reading.problems)
    origins = {path: reading.origins.get(path, DEFAULT_ORIGIN) for path in all_keys()}
    return Configuration(settings, origins, file)


def _settings(values: Mapping[str, object]) -> Settings:
    sections = {}
    for name, section in section_types().items():
        given = {path.partition(".")[2]: value for path, value in values.items() if path.startswith(f"{name}.")}
        sections[name] = section(**given)
    return Settings(**sections)  # type: ignore[arg-type]  # section_types() maps each name to its own type


def _read_file(file: Path, reading: _Reading) -> bool:
    try:
        tables, lines = read_toml(file)
    except ValueError as error:
        reading.complain(str(file), str(error), "configuration file")
        return False
    for name, table in tables.items():
        source = _at(file, lines.get(name))
        if name not in section_types():
            reading.complain(name, _unknown_section(name), source)
        elif not isinstance(table, dict):
            reading.complain(name, f"is a section: write [{name}] and its keys below", source)
        else:
            for key_name, raw in table.items():
                path = f"{name}.{key_name}"
                _read_entry(path, raw, table, _at(file, lines.get(path)), reading)
    return True


def _read_entry(path: str, raw: object, table: Mapping[str, object], source: str, reading: _Reading) -> None:
    key = all_keys().get(path)
    if key is not None:
        try:
            reading.accept(key, key.kind.from_toml(raw), source)
        except ValueError as error:
            reading.complain(path, str(error), source)
        return
    key = all_keys().get(path.removesuffix(FILE_SUFFIX)) if path.endswith(FILE_SUFFIX) else None
    if key is None or not key.is_secret:
        reading.complain(path, _unknown_key(path), source)
    elif key.name in table:
        reading.complain(key.path, f"both {key.path} and {path} are set; keep one of them", source)
    elif not isinstance(raw, str):
        reading.complain(key.path, f"{path} is not the path of a file", source)
    else:
        _read_value_file(key, raw, f"{source}, file {raw}", reading)


def _read_environment(environ: Mapping[str, str], reading: _Reading) -> None:
    by_variable = {key.variable: key for key in all_keys().values()}
    by_file_variable = {key.file_variable: key for key in all_keys().values()}
    for variable in sorted(name for name in environ if name.startswith(ENVIRONMENT_PREFIX)):
        value, source = environ[variable], f"environment variable {variable}"
        if key := by_variable.get(variable):
            try:
                reading.accept(key, key.kind.from_text(value), source)
            except ValueError as error:
                reading.complain(key.path, str(error), source)
        elif key := by_file_variable.get(variable):
            if key.variable in environ:
                reading.complain(key.path, f"both {key.variable} and {variable} are set; keep one of them", source)
            else:
                _read_value_file(key, value, source, reading)
        elif variable != CONFIG_VARIABLE and not _is_service_link(variable, value):
            reading.complain(variable, _unknown_variable(variable, [*by_variable, *by_file_variable]), source)


def _read_value_file(key: Key, name: str, source: str, reading: _Reading) -> None:
    try:
        reading.accept(key, key.kind.from_text(read_value_file(name)), source)
    except ValueError as error:
        reading.complain(key.path, str(error), source)


def _at(file: Path, line: int | None) -> str:
    return f"{file}:{line}" if line else str(file)


def _is_service_link(variable: str, value: str) -> bool:
    if _SERVICE_LINK.fullmatch(variable):
        return True
    return variable.endswith("_PORT") and _SERVICE_LINK_VALUE.fullmatch(value) is not None


def _unknown_section(name: str) -> str:
    homes = [path for path in all_keys() if path.endswith(f".{name}")]
    if homes:
        return f"there is no such section; did you mean the key {' or '.join(homes)}?"
    return "there is no such section" + _nearest(name, list(section_types()))


def _unknown_key(path: str) -> str:
    named_file = path.removesuffix(FILE_SUFFIX)
    if named_file != path and named_file in all_keys():
        return f"only secrets are read from files this way; set {named_file} itself"
    secret_files = [key.path + FILE_SUFFIX for key in all_keys().values() if key.is_secret]
    section, _, name = path.partition(".")
    here = {
        candidate.partition(".")[2]: candidate
        for candidate in (*all_keys(), *secret_files)
        if candidate.startswith(f"{section}.")
    }
    nearest = get_close_matches(name, here, n=1)
    hint = f"; did you mean {here[nearest[0]]}?" if nearest else _nearest(path, list(all_keys()))
    return "there is no such key" + hint


def _unknown_variable(variable: str, known: list[str]) -> str:
    rest = variable.removeprefix(ENVIRONMENT_PREFIX)
    homes = [key.variable for key in all_keys().values() if key.name.upper() == rest]
    if homes:
        return f"there is no such setting; did you mean {' or '.join(homes)}?"
    return "there is no such setting" + _nearest(variable, [*known, CONFIG_VARIABLE])


def _nearest(name: str, known: list[str]) -> str:
    found = get_close_matches(name, known, n=1)
    return f"; did you mean {found[0]}?" if found else ""
