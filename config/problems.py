"""What is wrong with a configuration, said so that the person who wrote it can put it right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """``key`` is what the person wrote (``server.port``, ``SECURECONNECT_SERVR_PORT``), ``source`` where:
    ``secureconnect.toml:12``, ``environment variable SECURECONNECT_SERVER_PORT`` or ``default``."""

    key: str
    message: str
    source: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message} ({self.source})"


class ConfigError(Exception):
    """The configuration cannot be used; every problem that was found, not the first one only."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
