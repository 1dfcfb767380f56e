"""Logging of the whole process: structlog in front, stdlib loggers joined in, redacted lines out.

Code writes ``structlog.get_logger("room").info("what happened", key=value)``; ids bound with
``structlog.contextvars.bind_contextvars`` are in every line. The event is a constant sentence, what varies goes
into fields: their names decide what is redacted, and constant sentences are only examined once.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType

import msgspec
import structlog
from structlog.contextvars import merge_contextvars
from structlog.typing import EventDict, ExcInfo

from config.logqueue import Descriptor, Lines, LogWriter, Output, RotatingFile
from config.problems import ConfigError, Problem
from config.redaction import Redactor
from config.rendering import Composer, Fields, Format, as_json, as_text
from config.sections import Logging
from config.values import Secret

STANDARD_ERROR = 2
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
# What every stdlib record carries; anything else on it came in through ``extra``.
_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
# Libraries that tell at length what we say ourselves; their warnings still come through.
_TALKATIVE = ("alembic", "cassandra", "sqlalchemy")
# Libraries whose debugging lines quote what they carry: the parameters of statements, the payloads of events.
_QUOTING = ("aiosqlite", "redis", "sqlalchemy")
# What a caller cannot have written needs no look for secrets: an id of ours, a method there is.
_OWN_REQUEST_ID = re.compile(r"[0-9a-f]{12}-[0-9a-f]{1,16}")
_PLAIN_ADDRESS = re.compile(r"[#0-9a-f.:]*")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# The structlog call that put these in spoke to a stdlib logger; our lines have places of their own for them.
_CONTROL_FIELDS = ("exc_info", "stack_info", "stack", "stacklevel", "extra")


class AccessLog:
    """One line per request past structlog: the fields are known, so there is nothing to decide per line."""

    def __init__(self, composer: Composer, redactor: Redactor, writer: LogWriter, *, only_json: bool) -> None:
        self._composer = composer
        self._redactor = redactor
        self._writer = writer
        self._only_json = only_json
        # What repeats from line to line, rendered once. Bounded by the routes there are.
        self._rendered: dict[tuple[str, str, int], str] = {}
        self._shown: Callable[[str], tuple[str, bool]] = lru_cache(maxsize=4096)(self._show)

    def write(
        self, *, request_id: str, method: str, route: str, status: int, seconds: float, sent: int, address: str
    ) -> None:
        """``route`` is the pattern that matched, never the path; ``address`` is written as a hash."""
        shown, plain = self._shown(address)
        repeating = self._rendered.get((method, route, status)) or self._render(method, route, status)
        if repeating and plain and _OWN_REQUEST_ID.fullmatch(request_id):
            line = (
                f'{{"ts":"{self._composer.timestamp()}",{repeating},"request_id":"{request_id}",'
                f'"ms":{seconds * 1000:.2f},"sent":{sent},"address":"{shown}"}}\n'
            )
            self._writer.put(logging.INFO, (line.encode(),))
            return
        fields: Fields = {
            "ts": self._composer.timestamp(),
            "level": "info",
            "logger": "access",
            "event": "request",
            "request_id": self._redactor.text(request_id),
            "method": self._redactor.text(method),
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "sent": sent,
            "address": shown,
        }
        self._writer.put(logging.INFO, self._composer.rendered(fields))

    def _render(self, method: str, route: str, status: int) -> str:
        """Empty where a line has to be looked through, or is wanted in another format."""
        if not self._only_json or method not in _METHODS:
            return ""
        repeating = {"level": "info", "logger": "access", "event": "request"}
        rendered = msgspec.json.encode(repeating | {"method": method, "route": route, "status": status}).decode()
        self._rendered[method, route, status] = rendered = rendered[1:-1]
        return rendered

    def _show(self, address: str) -> tuple[str, bool]:
        shown = self._redactor.address(address)
        return shown, _PLAIN_ADDRESS.fullmatch(shown) is not None


class Logs:
    """Logging while it is set up. ``access`` is None when access lines are turned off."""

    def __init__(self, writer: LogWriter, access: AccessLog | None, undo: ExitStack) -> None:
        self._writer = writer
        self._undo = undo
        self.access = access

    def lost(self) -> Mapping[str, int]:
        """Lines dropped since the start, by level, for metrics; ``unwritten`` are those an output refused."""
        return self._writer.lost()

    def close(self, timeout: float = 2.0) -> bool:
        """Restore what was there before and write what is queued; False when writing took longer than that."""
        self._undo.close()
        return self._writer.close(timeout)


def configure_logging(
    settings: Logging,
    *,
    hash_key: bytes | None = None,
    known_secrets: Iterable[Secret] = (),
    descriptor: int = STANDARD_ERROR,
    catch_uncaught: bool = False,
) -> Logs:
    """Send every structlog and stdlib line to ``descriptor`` and the configured file.

    ``hash_key`` keys the hashes of addresses (``derive_key(secret, "logs")``), None makes them this process's own.
    ``known_secrets`` never appear, however they got into a line. ``catch_uncaught`` also takes what would print a
    traceback: uncaught exceptions, of threads and finalisers too. Raises ConfigError when the file cannot be opened.
    """
    redactor = Redactor(hash_key or os.urandom(32), known_secrets)
    for_terminal = settings.format == "text" or (settings.format == "auto" and os.isatty(descriptor))
    formats: tuple[Format, ...] = (as_text, as_json) if for_terminal and settings.file else (as_json,)
    if for_terminal and not settings.file:
        formats = (as_text,)
    outputs: list[tuple[int, Output]] = [(0, Descriptor(descriptor))]
    if settings.file:
        outputs.append((len(formats) - 1, _open_file(settings)))
    composer = Composer(redactor, formats)
    writer = LogWriter(outputs, partial(_drop_note, composer))
    level = _LEVELS[settings.level]
    undo = ExitStack()
    _route_structlog(composer, redactor, writer, level, undo)
    _route_stdlib(composer, redactor, writer, level, undo)
    if catch_uncaught:
        _route_uncaught(undo)
    access = None
    if settings.access and level <= logging.INFO:
        access = AccessLog(composer, redactor, writer, only_json=formats == (as_json,))
    return Logs(writer, access, undo)


def _open_file(settings: Logging) -> RotatingFile:
    try:
        return RotatingFile(Path(settings.file), max_size=settings.max_size, keep=settings.keep)
    except OSError as error:
        message = f"{settings.file!r} cannot be written: {error.strerror or error}"
        raise ConfigError([Problem("logging.file", message, "opening the log file")]) from error


def _drop_note(composer: Composer, lost: Mapping[str, int]) -> Lines:
    return composer.lines("warning", "config.logs", "log lines were lost", {"lost": dict(lost)})


# --- structlog --------------------------------------------------------------------------------------------


class _Destination:
    """What structlog calls with finished lines, by level."""

    __slots__ = ("critical", "debug", "error", "info", "name", "warning")

    def __init__(self, name: str, put: Callable[[int, Lines], None]) -> None:
        self.name = name
        self.debug = partial(put, logging.DEBUG)
        self.info = partial(put, logging.INFO)
        self.warning = partial(put, logging.WARNING)
        self.error = partial(put, logging.ERROR)
        self.critical = partial(put, logging.CRITICAL)


def _route_structlog(composer: Composer, redactor: Redactor, writer: LogWriter, level: int, undo: ExitStack) -> None:
    destinations: dict[str, _Destination] = {}

    def destination(name: str = "root", *_: object) -> _Destination:
        # Lazy loggers ask for theirs with every line.
        found = destinations.get(name)
        if found is None:
            found = destinations[name] = _Destination(name, writer.put)
        return found

    def finish(logger: _Destination, level_name: str, fields: EventDict) -> tuple[tuple[Lines], dict[str, object]]:
        event = fields.pop("event", "")
        error = _error(fields.pop("exc_info", None))
        for name in _CONTROL_FIELDS:
            fields.pop(name, None)
        said = redactor.event(event) if isinstance(event, str) else str(redactor.shown("event", event))
        return (composer.lines(level_name, logger.name, said, fields, error),), {}

    before = structlog.get_config()
    undo.callback(lambda: structlog.configure(**before))
    structlog.configure(
        processors=[merge_contextvars, finish],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=destination,
        # Cached loggers would go on writing to this configuration after it was closed.
        cache_logger_on_first_use=False,
    )


def _error(info: object) -> BaseException | None:
    """Whatever ``exc_info`` may be: True for the one being handled, an exception, or sys.exc_info()'s tuple."""
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple) and len(info) == 3:
        return info[1] if isinstance(info[1], BaseException) else None
    return sys.exc_info()[1] if info else None


# --- stdlib -----------------------------------------------------------------------------------------------


class _StdlibRoute(logging.Handler):
    """The one handler of the root logger. A record's arguments are redacted by name before they are merged."""

    def __init__(self, composer: Composer, redactor: Redactor, writer: LogWriter) -> None:
        super().__init__()
        self._composer = composer
        self._redactor = redactor
        self._writer = writer

    def createLock(self) -> None:  # noqa: N802 - the name is stdlib's
        """None: emitting is thread-safe, and a lock would let one thread wait for another."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        fields = {key: value for key, value in vars(record).items() if key not in _RECORD_FIELDS}
        fields = {**structlog.contextvars.get_contextvars(), **fields}
        level = _level_name(record.levelno)
        lines = self._composer.lines(level, record.name, self._message(record), fields, _error(record.exc_info))
        self._writer.put(record.levelno, lines)

    def _message(self, record: logging.LogRecord) -> str:
        try:
            if not record.args:
                return self._redactor.event(str(record.msg))
            return self._redactor.text(str(record.msg) % self._redacted(record.args))
        except Exception as error:  # noqa: BLE001 - a wrong %-format loses its arguments, not its line or its caller
            told = self._redactor.shown("event", record.msg)
            return f"{told} (its arguments do not fit: {type(error).__name__})"

    def _redacted(self, args: object) -> object:
        if isinstance(args, Mapping):
            return {key: self._redactor.field(str(key), value) for key, value in args.items()}
        if isinstance(args, tuple):
            return tuple(arg if isinstance(arg, str | int | float) else _Shown(self._redactor, arg) for arg in args)
        return args


class _Shown:
    """An argument whose text is redacted part by part when, and if, it is merged into the message."""

    def __init__(self, redactor: Redactor, value: object) -> None:
        self._redactor = redactor
        self._value = value

    def __repr__(self) -> str:
        return str(self._redactor.value(self._value))

    __str__ = __repr__


def _level_name(number: int) -> str:
    return next((name for name, least in reversed(_LEVELS.items()) if number >= least), "debug")


def _route_stdlib(composer: Composer, redactor: Redactor, writer: LogWriter, level: int, undo: ExitStack) -> None:
    root = logging.getLogger()
    before, level_before = list(root.handlers), root.level
    route = _StdlibRoute(composer, redactor, writer)

    def restore() -> None:
        root.handlers[:] = before
        root.setLevel(level_before)
        logging.captureWarnings(False)

    undo.callback(restore)
    muted = {logging.WARNING: _TALKATIVE if level > logging.DEBUG else (), logging.INFO: _QUOTING}
    for least, names in muted.items():
        for logger in map(logging.getLogger, names):
            undo.callback(logger.setLevel, logger.level)
            logger.setLevel(max(level, least, logger.level))
    root.handlers[:] = [route]
    root.setLevel(level)
    logging.captureWarnings(True)


# --- what nobody caught -----------------------------------------------------------------------------------


def _route_uncaught(undo: ExitStack) -> None:
    log = structlog.get_logger("uncaught")

    def of_program(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("the program ends by an exception", exc_info=error)

    def of_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else "unknown"
        info: ExcInfo | BaseException | None = args.exc_value
        log.error("a thread ended by an exception", thread=name, exc_info=info)

    def of_finaliser(args: sys.UnraisableHookArgs) -> None:
        log.error("an exception could not be raised", where=args.err_msg or "in a finaliser", exc_info=args.exc_value)

    hooks = (
        (sys, "excepthook", of_program),
        (threading, "excepthook", of_thread),
        (sys, "unraisablehook", of_finaliser),
    )
    for module, name, hook in hooks:
        undo.callback(setattr, module, name, getattr(module, name))
        setattr(module, name, hook)
