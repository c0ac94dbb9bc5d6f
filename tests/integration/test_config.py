# SPDX-License-Identifier: Apache-2.0
"""Goal: bad configuration stops a program at once, with everything that is wrong, and exit code 2.

Method: run the real binaries with good and bad environments and stream files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.streams import PROJECT
from support.tested import ALL

PROGRAMS = (*ALL, "audit")
STREAMS = {"STREAMS_DIR": str(PROJECT / "streams")}
# What has no default.
NEEDED = {"KAFKA_BROKERS": "127.0.0.1:1", "REDIS_URL": "redis://127.0.0.1:1/0", "MONGODB_URI": "mongodb://127.0.0.1:1"}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("argument", ["--help", "--version", "--check-config"])
def test_informing_arguments_exit_0(run_program, program: str, argument: str) -> None:
    done = run_program(program, argument, **STREAMS, **NEEDED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_unknown_argument_is_refused(run_program, program: str) -> None:
    done = run_program(program, "--nonsense", **STREAMS, **NEEDED)
    assert done.returncode == 2
    assert done.stderr.strip()


@pytest.mark.parametrize("program", ALL)
def test_all_bad_settings_are_reported_at_once(run_program, program: str) -> None:
    bad = {"OPS_PORT": "99999", "LOG_LEVEL": "loud", "DRAIN_DELAY_MS": "-1"}
    for arguments in ([], ["--check-config"]):
        done = run_program(program, *arguments, **STREAMS, **NEEDED, **bad)
        assert done.returncode == 2, done.stdout + done.stderr
        for name in bad:
            assert name in done.stderr, f"{name} is not reported:\n{done.stderr}"


@pytest.mark.parametrize("value", ["", "x", "1.5", "1e3", "0x10", " 80", "80 ", "99999999999999999999"])
def test_odd_numbers_are_refused(run_program, value: str) -> None:
    done = run_program("api", "--check-config", **STREAMS, HTTP_PORT=value)
    assert done.returncode == 2, f"HTTP_PORT={value!r} was taken"
    assert "HTTP_PORT" in done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_ships_has_no_failpoints_and_says_so(run_program, build: Path, program: str) -> None:
    done = run_program(program, "--check-config", **STREAMS, **NEEDED, FAILPOINTS="api_before_send=kill@1")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no failpoints compiled in" in done.stderr
    names = re.findall(r'^    "(\w+)",$', (PROJECT / "common/src/failpoint.c").read_text(), re.MULTILINE)
    binary = (build / program / program).read_bytes()
    assert names and not [name for name in names if name.encode() in binary]


def test_secrets_come_from_files_and_are_masked(run_program, tmp_path: Path) -> None:
    secret = tmp_path / "uri"
    secret.write_text("mongodb://user:hunter2@127.0.0.1:27017\n")
    environment = STREAMS | NEEDED | {"MONGODB_URI_FILE": str(secret)}
    del environment["MONGODB_URI"]
    done = run_program("kafka-consumer", "--check-config", **environment)
    assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    both = run_program("kafka-consumer", "--check-config", **environment, MONGODB_URI="mongodb://127.0.0.1:1")
    assert both.returncode == 2, "NAME and NAME_FILE together must be refused"
    missing = run_program("kafka-consumer", "--check-config", **environment | {"MONGODB_URI_FILE": "/does/not/exist"})
    assert missing.returncode == 2


BROKEN_STREAMS = {
    "not json": "{",
    "unknown keyword": ("schema", {"type": "object", "properties": {"text": {"type": "string", "pattern": "x"}}}),
    "unknown member": ("colour", "blue"),
    "bad name": ("stream", "Tweets!"),
    "path without slash": ("path", "input"),
    "unbounded count_by": ("count_by", "text"),
    "count_by that is no property": ("count_by", "nothing"),
    "negative limit": ("schema", {"type": "object", "properties": {"text": {"type": "string", "maxLength": -1}}}),
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("fault", BROKEN_STREAMS)
def test_a_broken_stream_file_stops_the_program(run_program, tmp_path: Path, program: str, fault: str) -> None:
    change = BROKEN_STREAMS[fault]
    text = change
    if not isinstance(change, str):
        declared = json.loads((PROJECT / "streams" / "tweets.json").read_text())
        text = json.dumps(declared | {change[0]: change[1]})
    (tmp_path / "broken.json").write_text(text)
    done = run_program(program, **NEEDED, STREAMS_DIR=str(tmp_path), OPS_PORT="0", OPS_HOST="127.0.0.1")
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert "broken.json" in done.stdout + done.stderr, "the file is not named"


@pytest.mark.parametrize("program", ALL)
def test_no_streams_is_an_error(run_program, tmp_path: Path, program: str) -> None:
    done = run_program(program, **NEEDED, STREAMS_DIR=str(tmp_path / "missing"))
    assert done.returncode in (1, 2)


@pytest.mark.parametrize("program", ALL)
def test_a_port_in_use_stops_the_program(run_program, program: str) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run_program(program, **NEEDED, **STREAMS, OPS_HOST="127.0.0.1", OPS_PORT=port)
    assert done.returncode not in (0, -11, -6), done.stdout + done.stderr
    assert done.stdout + done.stderr


def test_audit_that_cannot_look_says_2(run_program) -> None:
    done = run_program("audit", "--json", **STREAMS, **NEEDED)
    assert done.returncode == 2, done.stdout + done.stderr
