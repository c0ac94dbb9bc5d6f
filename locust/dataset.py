# SPDX-License-Identifier: Apache-2.0
"""Reads the events to send from a file, whichever of three forms it has.

NDJSON, a JSON array, and the form some courses hand out, which is not JSON: objects separated by
commas, without brackets, often with a trailing comma or a byte order mark. Only this reader is
lenient; the API is strict, and what is sent to it is always well-formed JSON.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

FILE_BYTES_MAX = 64 * 1024 * 1024
EVENTS_MAX = 1_000_000
EVENT_BYTES_MAX = 16 * 1024  # the API refuses longer ones, so a file that holds one is a mistake

# Strings are matched first, so that a comma inside one is never taken for a trailing comma.
_STRING_OR_TRAILING_COMMA = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*")|,(?=\s*[}\]])', re.DOTALL)
_BETWEEN = re.compile(r"[\s,\ufeff]*")


class DataError(Exception):
    """The file cannot be used; the message is one line that says where and why."""


def parse(text: str, name: str = "data") -> Iterator[tuple[int, dict]]:
    """Yields (line number, object) for each object in text. Raises DataError."""
    # A blank takes the comma's place, so positions and line numbers stay true.
    text = _STRING_OR_TRAILING_COMMA.sub(lambda match: match.group(1) or " ", text)
    decoder = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)
    position = _BETWEEN.match(text).end()
    in_array = text.startswith("[", position)
    if in_array:
        position += 1
    line, counted = 1, 0
    while True:
        position = _BETWEEN.match(text, position).end()
        line += text.count("\n", counted, position)
        counted = position
        if position == len(text):
            if in_array:
                raise DataError(f"{name}:{line}: the array is not closed; is the file cut off?")
            return
        if in_array and text[position] == "]":
            _expect_end(text, position + 1, line, name)
            return
        if text[position] != "{":
            raise DataError(f"{name}:{line}: an object should start here, not {text[position]!r}")
        event, position = _decode(decoder, text, position, line, name)
        yield line, event


def load(path: str | os.PathLike) -> list[bytes]:
    """Returns each event of the file as the JSON bytes to send. Raises DataError."""
    text = _read(path)
    bodies = []
    for line, event in parse(text, str(path)):
        if len(bodies) == EVENTS_MAX:
            raise DataError(f"{path}:{line}: more than {EVENTS_MAX:,} events")
        bodies.append(_encode(event, line, path))
    if not bodies:
        raise DataError(f"{path}: holds no event")
    return bodies


def _read(path: str | os.PathLike) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    if len(data) > FILE_BYTES_MAX:
        raise DataError(f"{path}: larger than {FILE_BYTES_MAX // (1024 * 1024)} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8 (byte 0x{data[error.start]:02x})") from error


def _decode(
    decoder: json.JSONDecoder, text: str, position: int, line: int, name: str
) -> tuple[dict, int]:
    try:
        return decoder.raw_decode(text, position)
    except json.JSONDecodeError as error:
        reason = error.msg[:1].lower() + error.msg[1:]
        raise DataError(f"{name}:{error.lineno}: not JSON: {reason}") from error
    except ValueError as error:
        raise DataError(f"{name}:{line}: {error}") from error
    except RecursionError as error:
        raise DataError(f"{name}:{line}: nested too deeply") from error


def _encode(event: dict, line: int, path: str | os.PathLike) -> bytes:
    try:
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{path}:{line}: holds half of a surrogate pair") from error
    if len(body) > EVENT_BYTES_MAX:
        raise DataError(f"{path}:{line}: {len(body):,} bytes; an event has at most 16 KiB")
    return body


def _expect_end(text: str, position: int, line: int, name: str) -> None:
    end = _BETWEEN.match(text, position).end()
    if end != len(text):
        line += text.count("\n", position, end)
        raise DataError(f"{name}:{line}: something follows the end of the array")


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a JSON number")
