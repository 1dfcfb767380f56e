"""The pages of an archive: records as tables that anybody can read in a browser. Pure."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from kernel.datarights import Record

_HEAD: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>body{{font:16px/1.5 sans-serif;margin:2em}}table{{border-collapse:collapse}}
th,td{{border:1px solid #999;padding:.3em .6em;text-align:left;vertical-align:top;overflow-wrap:anywhere}}</style>
<h1>{title}</h1>
<p>{says}</p>
"""
TABLE_END: Final = b"</table>\n"

_TOLD: Final[Mapping[type, Callable[[object], str]]] = {
    type(None): lambda _: "",
    str: str,
    bool: lambda value: "yes" if value else "no",
    datetime: lambda value: f"{value:%Y-%m-%d %H:%M:%S} UTC",
    bytes: lambda value: base64.b64encode(value).decode() if isinstance(value, bytes) else "",
    dict: lambda value: msgspec.json.encode(value).decode(),
}


def beginning(title: str, says: str) -> bytes:
    return _HEAD.format(title=html.escape(_words(title)), says=html.escape(says)).encode()


def table_head(columns: Sequence[str]) -> bytes:
    return f"<table><tr>{''.join(f'<th>{html.escape(_words(column))}' for column in columns)}\n".encode()


def table_row(record: Record) -> bytes:
    return f"<tr>{''.join(f'<td>{html.escape(_told(value))}' for value in record.values())}\n".encode()


def contents(files: Sequence[tuple[str, str]]) -> bytes:
    """Links to files of the archive, with what each of them is."""
    rows = (
        f'<tr><td><a href="{html.escape(name)}">{html.escape(name)}</a><td>{html.escape(says)}\n'
        for name, says in files
    )
    return "".join(("<table>\n", *rows)).encode() + TABLE_END


def _told(value: object) -> str:
    return _TOLD.get(type(value), str)(value)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
