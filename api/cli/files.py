"""Files that the configuration names, looked at on this machine: there, and what they should be."""

from __future__ import annotations

from collections.abc import Iterator

from config.checks import missing_files
from config.loader import Configuration
from config.problems import ConfigError, Problem


def require_files(configuration: Configuration) -> None:
    """Raises ConfigError. Blocks on the disk."""
    problems = [*_missing(configuration)] or [*_unusable_keys(configuration)]
    if problems:
        raise ConfigError(problems)


def _missing(configuration: Configuration) -> Iterator[Problem]:
    for item in missing_files(configuration.settings):
        yield Problem(item.keys[0], item.message, configuration.origins[item.keys[0]])


def _unusable_keys(configuration: Configuration) -> Iterator[Problem]:
    identity = configuration.settings.identity
    if not identity.signing_key_file:
        return
    from identity.keyfiles import file_key_set  # noqa: PLC0415 - only who has such files waits for what reads them

    try:
        file_key_set(identity.signing_key_file, identity.verifying_key_files)
    except ConfigError as error:
        for problem in error.problems:
            yield Problem(problem.key, problem.message, configuration.origins[problem.key])
