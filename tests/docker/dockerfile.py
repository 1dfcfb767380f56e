"""Reads a Dockerfile into stages of steps: enough of the language for ours, and an error for anything else."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    name: str
    steps: list[tuple[str, list[str]]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    working_directory: str = "/"
    health: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def read(path: Path) -> list[Stage]:
    stages: list[Stage] = []
    for line in _logical_lines(path.read_text()):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            stages.append(Stage(rest.partition(" AS ")[2]))
            continue
        _READERS[instruction](stages[-1], rest.strip())
    return stages


def _logical_lines(text: str) -> list[str]:
    kept = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return "\n".join(kept).replace("\\\n", " ").splitlines()


def _step(kind: str) -> Callable[[Stage, str], None]:
    def read_step(stage: Stage, rest: str) -> None:
        stage.steps.append((kind, shlex.split(rest) if kind == "COPY" else [rest]))

    return read_step


def _env(stage: Stage, rest: str) -> None:
    for word in shlex.split(rest):
        name, _, value = word.partition("=")
        stage.environment[name] = value
        stage.steps.append(("ENV", [name, value]))


def _user(stage: Stage, rest: str) -> None:
    stage.user = rest


def _workdir(stage: Stage, rest: str) -> None:
    stage.working_directory = rest
    stage.steps.append(("WORKDIR", [rest]))


def _health(stage: Stage, rest: str) -> None:
    stage.health = json.loads(rest.partition(" CMD ")[2])


def _command(stage: Stage, rest: str) -> None:
    stage.command += json.loads(rest)


def _nothing(stage: Stage, rest: str) -> None:
    """Metadata that only an engine acts on."""


_READERS = {
    "COPY": _step("COPY"),
    "RUN": _step("RUN"),
    "ENV": _env,
    "USER": _user,
    "WORKDIR": _workdir,
    "HEALTHCHECK": _health,
    "ENTRYPOINT": _command,
    "CMD": _command,
    "VOLUME": _nothing,
    "EXPOSE": _nothing,
    "STOPSIGNAL": _nothing,
}
