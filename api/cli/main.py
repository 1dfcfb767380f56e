"""The command line: parsing, and the one place where errors become exit codes and plain sentences."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from api.cli.files import require_files
from config.loader import Configuration, load_configuration
from config.printing import print_configuration
from config.problems import ConfigError

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2

Command = Callable[[Configuration, argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        configuration = load_configuration(options.config, os.environ, directory=Path.cwd())
        return command(configuration, options)
    except ConfigError as error:
        print("The configuration cannot be used:", file=sys.stderr)
        for problem in error.problems:
            print(f"  {problem}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="secureconnect", description="Self-hosted secure real-time communication.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; default: ./secureconnect.toml if any")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "serve", "run the server until it is stopped", _serve)
    _add(commands, "doctor", "look for what would keep it from working here, and say what to do", _doctor)
    config = commands.add_parser("config", help="look at the configuration").add_subparsers(
        required=True, metavar="WHAT"
    )
    _add(config, "check", "read and check it, report every problem", _config_check)
    _add(config, "print", "show the effective values and where each came from", _config_print)
    database = _group(commands, "db", "the database schema")
    _add(database, "upgrade", "bring it up to date", _db_upgrade)
    _add(database, "status", "say which revision it has and what is pending", _db_status)
    _add_administration(commands)
    return parser


# argparse has no public name for what add_subparsers returns.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


def _group(commands: Commands, name: str, text: str) -> Commands:
    return commands.add_parser(name, help=text).add_subparsers(required=True, metavar="WHAT")


def _add(commands: Commands, name: str, text: str, command: Command) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=command)
    return parser


def _add_administration(commands: Commands) -> None:
    admin = _group(commands, "admin", "accounts and API keys, from this machine")
    user = _add(admin, "create-user", "make an account", _create_user)
    user.add_argument("--email", required=True, help="its e-mail address; a mail asks to confirm it")
    user.add_argument("--username", required=True, help="its username")
    user.add_argument("--admin", action="store_true", help="with the role admin")
    user.add_argument("--password-file", metavar="FILE", help="read its password here, - from standard input; else ask")
    key = _add(admin, "create-api-key", "make an API key; its token is printed this once", _create_api_key)
    key.add_argument("--name", required=True, help="what it is for")
    key.add_argument("--scope", required=True, action="append", metavar="SCOPE", help="what it may do; once for each")
    key.add_argument("--rate", type=_positive, metavar="N", help="requests a minute it may make; default: 600")
    key.add_argument("--days", type=_positive, metavar="N", help="after which it has expired; default: never")
    room = _add(admin, "create-room", "make a room; a link for each who is to come is printed this once", _create_room)
    room.add_argument("--name", default="First call", help="what it is called; default: First call")
    room.add_argument("--mode", choices=("secure", "intelligent"), default="secure", help="default: secure")
    room.add_argument("--people", type=_positive, default=2, metavar="N", help="how many links; default: 2")
    room.add_argument("--ttl", type=_positive, default=3600, metavar="SECONDS", help="links let in for so long; 3600")


def _positive(text: str) -> int:
    number = int(text)
    if not 0 < number <= 1_000_000:
        raise argparse.ArgumentTypeError("is from 1 to 1000000")
    return number


def _config_check(configuration: Configuration, _options: argparse.Namespace) -> int:
    require_files(configuration)
    where = configuration.file or "defaults and environment"
    print(f"The configuration is fine ({where}).")
    return EXIT_OK


def _config_print(configuration: Configuration, _options: argparse.Namespace) -> int:
    print(print_configuration(configuration), end="")
    return EXIT_OK


# The rest import what they need when they run: `config check` should not wait for a web server to be imported.


def _serve(configuration: Configuration, _options: argparse.Namespace) -> int:
    from api.cli.serving import run_server  # noqa: PLC0415

    return run_server(configuration)


def _doctor(configuration: Configuration, _options: argparse.Namespace) -> int:
    from api.cli.doctor import run_doctor  # noqa: PLC0415

    return run_doctor(configuration)


def _db_upgrade(configuration: Configuration, _options: argparse.Namespace) -> int:
    from api.cli.database import run_upgrade  # noqa: PLC0415

    return run_upgrade(configuration)


def _db_status(configuration: Configuration, _options: argparse.Namespace) -> int:
    from api.cli.database import run_status  # noqa: PLC0415

    return run_status(configuration)


def _create_user(configuration: Configuration, options: argparse.Namespace) -> int:
    from api.cli.administration import run_create_user  # noqa: PLC0415

    return run_create_user(
        configuration,
        email=options.email,
        username=options.username,
        admin=options.admin,
        password_file=options.password_file,
    )


def _create_room(configuration: Configuration, options: argparse.Namespace) -> int:
    from api.cli.rooms import run_create_room  # noqa: PLC0415

    return run_create_room(
        configuration, name=options.name, mode=options.mode, people=options.people, ttl=options.ttl
    )  # fmt: skip


def _create_api_key(configuration: Configuration, options: argparse.Namespace) -> int:
    from api.cli.administration import run_create_api_key  # noqa: PLC0415
    from identity.apikeys import DEFAULT_RATE  # noqa: PLC0415

    return run_create_api_key(
        configuration, name=options.name, scopes=options.scope, rate=options.rate or DEFAULT_RATE, days=options.days
    )
