"""Helpers of this directory: a configuration given as text, and the problems it has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from config.loader import read_configuration
from config.problems import ConfigError, Problem
from config.sections import Settings


class Reading:
    """Configurations written to one directory of this test."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "secureconnect.toml"

    def settings(self, toml: str = "", environ: Mapping[str, str] | None = None) -> Settings:
        self.file.write_text(toml, encoding="utf-8")
        return read_configuration(file=self.file, environ=environ or {}).settings

    def problems(self, toml: str = "", environ: Mapping[str, str] | None = None) -> dict[str, Problem]:
        """By key; a key with two problems fails the test, because one of them is noise."""
        with pytest.raises(ConfigError) as raised:
            self.settings(toml, environ)
        found = {problem.key: problem for problem in raised.value.problems}
        assert len(found) == len(raised.value.problems), str(raised.value)
        return found

    def problem(self, toml: str = "", environ: Mapping[str, str] | None = None) -> Problem:
        (problem,) = self.problems(toml, environ).values()
        return problem
