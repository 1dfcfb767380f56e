"""``secureconnect``: a table of commands, each a function of its arguments that answers an exit code."""

from api.cli.main import main

__all__ = ["main"]
