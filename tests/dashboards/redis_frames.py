# SPDX-License-Identifier: Apache-2.0
"""Answers of Redis in the frames of the plugin redis-datasource 2.x (XRANGE over the dashboard's time range).

The plugin's back end is not to be had from a registry; what it does with each command was seen on a running one and
read in its documentation and source. A frame is JSON as Grafana's back ends send it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

import redis

# What Go's strconv.ParseFloat takes, as far as Redis answers it.
_FLOAT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
KEY_COMMANDS = ("get", "hlen", "llen", "scard", "ttl", "type", "xlen")
STREAM_COMMANDS = ("xrange", "xrevrange")
COMMANDS = (*KEY_COMMANDS, "hget", "hgetall", "hmget", *STREAM_COMMANDS)
# Fields of a target in which the plugin replaces variables; start and end are not among them.
TEMPLATED = ("keyName", "query", "field", "filter", "legend", "value")


def _field(name: str, values: Sequence[object], kind: str | None = None, **config: str) -> tuple[dict, list]:
    kind = kind or ("number" if all(isinstance(value, float) for value in values) else "string")
    return {"name": name, "type": kind, "config": config}, list(values)


def _frame(name: str, ref: str, fields: list[tuple[dict, list]]) -> dict:
    schema = {"name": name, "refId": ref, "fields": [field for field, _ in fields]}
    return {"schema": schema, "data": {"values": [values for _, values in fields]}}


def _value(text: str) -> float | str:
    return float(text) if _FLOAT.fullmatch(text) else text


def _text(answer: object) -> str:
    return "" if answer is None else str(answer)


def hash_frame(command: str, ref: str, pairs: Mapping[str, str | None]) -> dict:
    """One row, one column for each field."""
    return _frame(command, ref, [_field(name, [_value(_text(value))]) for name, value in pairs.items()])


def value_frame(name: str, ref: str, field: str, answer: object) -> dict:
    return _frame(name, ref, [_field(field, [_value(_text(answer))])])


def stream_frame(command: str, ref: str, entries: Sequence[tuple[str, Mapping[str, str]]]) -> dict:
    """A row for each entry. $time takes the id for milliseconds, whatever it is."""
    columns: dict[str, list[float | str]] = {}
    empty: dict[str, float | str] = {}
    for row, (_, pairs) in enumerate(entries):
        for name, text in pairs.items():
            if name not in columns:  # its first value says which type it has
                empty[name] = 0.0 if isinstance(_value(text), float) else ""
                columns[name] = [empty[name]] * row
            value = _value(text)
            if isinstance(empty[name], float):
                columns[name].append(value if isinstance(value, float) else 0.0)
            else:
                columns[name].append(text)
        for name, column in columns.items():
            if len(column) == row:
                column.append(empty[name])
    ids = [entry for entry, _ in entries]
    fields = [
        _field("$streamId", ids, "string"),
        _field("$time", [int(entry.split("-")[0]) for entry in ids], "time", unit="µs"),
        *(_field(name, column) for name, column in columns.items()),
    ]
    return _frame(command, ref, fields)


def _read_stream(client: redis.Redis, target: Mapping, from_ms: int, to_ms: int) -> list:
    start = target.get("start") or f"{from_ms}-0"
    end = target.get("end") or f"{to_ms}-0"
    bounds = [start, end] if target["command"] == "xrange" else [end, start]
    count = ["COUNT", target["count"]] if target.get("count", 0) > 0 else []
    return client.execute_command(target["command"].upper(), target["keyName"], *bounds, *count)


def execute(client: redis.Redis, target: Mapping, from_ms: int, to_ms: int) -> list[dict]:
    """The frames of a target whose variables are replaced. Raises redis.RedisError, and ValueError for a command
    that the plugin, or this, does not know."""
    ref, command, key = target["refId"], target.get("command", ""), target.get("keyName", "")
    if target.get("query"):  # wins over the command
        raise ValueError("a query of its own is for variables only")
    if command == "hgetall":
        return [hash_frame(command, ref, client.hgetall(key))]
    if command == "hmget":
        fields = shlex.split(target["field"])
        return [hash_frame(command, ref, dict(zip(fields, client.hmget(key, fields), strict=True)))]
    if command == "hget":
        return [value_frame(target["field"], ref, target["field"], client.hget(key, target["field"]))]
    if command in KEY_COMMANDS:
        return [value_frame(key, ref, "Value", client.execute_command(command.upper(), key))]
    if command in STREAM_COMMANDS:
        return [stream_frame(command, ref, _read_stream(client, target, from_ms, to_ms))]
    raise ValueError(f"no command {command!r}")


def _flat(answer: object) -> list[str]:
    if isinstance(answer, (list, tuple)):
        return [text for each in answer for text in _flat(each)]
    return [_text(answer)]


def variable_values(client: redis.Redis, query: str, regex: str) -> list[str]:
    """What a variable of type query offers: the command's answer, flat, through the variable's /regex/."""
    words = shlex.split(query)
    pattern = re.compile(regex.strip("/"))
    found = (pattern.search(text) for text in _flat(client.execute_command(*words)))
    return sorted({match[1] for match in found if match})
