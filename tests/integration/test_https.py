# SPDX-License-Identifier: Apache-2.0
"""Goal: HTTPS takes and refuses what HTTP does, however its bytes are cut, and nobody who stalls costs anything.

Method: api with a certificate made here, the rest of the mesh as it is; clients whose ciphertext is sent by hand.
"""

from __future__ import annotations

import random
import re
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

import pytest
from support.events import encode, tweets
from support.http import HttpsClient
from support.tested import Tested
from support.waiting import wait_for

from stack.certificates import Authority

HEAD = b"POST /input HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
HEAD_S, IDLE_S = 2, 60
RECORD_BYTES = 16384  # of plain text, at most


class Https:
    """A mesh whose api has a certificate."""

    def __init__(self, folder: Path, make_mesh: Callable[..., Tested]) -> None:
        authority = Authority(folder)
        certificate = authority.issue("api")
        settings = {
            "TLS_CERT": str(certificate.cert),
            "TLS_KEY": str(certificate.key),
            "HEAD_MS_MAX": str(1000 * HEAD_S),
            "IDLE_S_MAX": str(IDLE_S),
        }
        self.ca = str(authority.cert)
        self.api = make_mesh(settings={"api": settings})["api"]
        self.port = self.api.ports["http"]

    def context(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context


@pytest.fixture(scope="module")
def https(make_module_mesh: Callable[..., Tested], tmp_path_factory: pytest.TempPathFactory) -> Https:
    return Https(tmp_path_factory.mktemp("https"), make_module_mesh)


def test_https_is_modern_and_resumes(https: Https) -> None:
    context = https.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.minimum_version = context.maximum_version = version
        session = None
        for turn in range(2):
            with (
                socket.create_connection(("127.0.0.1", https.port), 10) as plain,
                context.wrap_socket(plain, server_hostname="localhost", session=session) as tls,
            ):
                tls.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert tls.recv(15) == b"HTTP/1.1 200 OK"
                assert tls.selected_alpn_protocol() == "http/1.1"
                assert any(word in tls.cipher()[0] for word in ("GCM", "CHACHA20")), tls.cipher()
                assert tls.session_reused == (turn == 1), version
                session = tls.session
    old = ["openssl", "s_client", "-connect", f"127.0.0.1:{https.port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
    done = subprocess.run(old, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0 and "Cipher is (NONE)" in done.stdout, done.stdout
    answer = b""
    with socket.create_connection(("127.0.0.1", https.port), 10) as plain, suppress(ConnectionError):
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = plain.recv(100)
    assert not answer.startswith(b"HTTP/"), "plain HTTP must not be answered"


def test_clients_that_never_shake_hands_cost_nothing_and_are_hung_up_on(https: Https) -> None:
    api = https.api
    silent = [socket.create_connection(("127.0.0.1", https.port), 30) for _ in range(20)]
    for half in silent[:10]:
        half.sendall(b"\x16\x03\x01")  # the beginning of a handshake
    with closing(HttpsClient(https.port, https.context())) as other:
        assert other.post("/input", {"text": "others are served", "country": "GT"}).status == 202
    before, began = api.metric("process_cpu_seconds_total"), time.monotonic()
    for each in silent:
        assert each.recv(100) == b""
        each.close()
    used, took = api.metric("process_cpu_seconds_total") - before, time.monotonic() - began
    assert used < 0.5 * took, f"{used:.2f} s of CPU in {took:.2f} s: it spins"


def test_https_refuses_what_http_refuses(https: Https) -> None:
    client = HttpsClient(https.port, https.context())
    assert client.post("/input", {"text": 1}).status == 422
    assert client.get("/nothing").status == 404
    assert client.post("/input", [tweet for tweet in tweets(1000)]).status == 202, "a body of several records"
    assert client.post("/input", b"[" + b" " * 2_000_000 + b"]").status == 413
    client.close()


class CutByHand:
    """A TLS connection to api whose ciphertext is sent in whatever pieces the test wants."""

    def __init__(self, https: Https, receive_bytes: int = 0, version: ssl.TLSVersion | None = None) -> None:
        """receive_bytes: of the socket's buffer; 0: the kernel's."""
        self._socket = socket.socket()
        self._socket.settimeout(30)
        if receive_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # api's then stays small, too
        self._socket.connect(("127.0.0.1", https.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._text = b""  # received, not taken
        self._sealed = bytearray()  # received after the handshake, since records() was called
        self._text_bytes = 0  # of these
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = https.context(version).wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        while self._wants(self._tls.do_handshake) is None:
            self._socket.sendall(self._outgoing.read())
            self._incoming.write(self._socket.recv(65536))
        self._socket.sendall(self._outgoing.read())

    @staticmethod
    def _wants(act: Callable[[], object]) -> object:
        """None: more bytes have to come first."""
        try:
            return act() or True
        except ssl.SSLWantReadError:
            return None

    def send(self, records: list[bytes], piece: int) -> None:
        """piece: how many bytes go at once."""
        self.send_sealed(self.seal(records), piece)

    def seal(self, records: list[bytes]) -> bytes:
        for record in records:
            self._tls.write(record)
        return self._outgoing.read()

    def send_sealed(self, sealed: bytes, piece: int) -> None:
        for at in range(0, len(sealed), piece):
            self._socket.sendall(sealed[at : at + piece])
            time.sleep(0.002)

    def answers(self, count: int) -> list[int]:
        """The statuses of so many answers."""
        return [self._answer() for _ in range(count)]

    def _answer(self) -> int:
        status, length = self.head()
        self._take(lambda: length, 1)
        return status

    def head(self) -> tuple[int, int]:
        """The next answer's status, and how long it says its body is."""
        head = self._take(lambda: self._text.find(b"\r\n\r\n") + 4, 4)
        return int(head[9:12]), int(re.search(rb"content-length: (\d+)", head.lower())[1])

    def records(self) -> tuple[int, int]:
        """How many records have come since the last call, and how many bytes of plain text in them."""
        count, at = 0, 0
        while at < len(self._sealed):
            at += 5 + int.from_bytes(self._sealed[at + 3 : at + 5])
            count += 1
        assert at == len(self._sealed), "a record is cut off"
        text_bytes, self._text_bytes = self._text_bytes, 0
        self._sealed.clear()
        return count, text_bytes

    def _take(self, size: Callable[[], int], least: int) -> bytes:
        """The next bytes of plain text, when size() is at least this, and there are as many."""
        while size() < least or len(self._text) < size():
            if (part := self._wants(lambda: self._tls.read(65536))) is not None:
                assert isinstance(part, bytes)
                self._text += part
                self._text_bytes += len(part)
                continue
            received = self._socket.recv(65536)
            assert received, f"closed after {self._text!r}"
            self._sealed += received
            self._incoming.write(received)
        end = size()
        taken, self._text = self._text[:end], self._text[end:]
        return taken

    def await_end(self) -> None:
        """Until api hangs up."""
        with suppress(ConnectionError):
            while self._socket.recv(65536):
                pass

    def half_close(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Nothing that is on its way arrives any more."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._socket.close()


def one_request() -> bytes:
    body = encode(tweets(1))
    return HEAD % len(body) + body


def many_in_one_request() -> bytes:
    """What is answered at more length than a record holds."""
    body = encode(tweets(1000))
    return HEAD % len(body) + body


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
def test_an_answer_is_one_record_or_as_many_as_it_fills(https: Https, version: ssl.TLSVersion) -> None:
    with closing(CutByHand(https, version=version)) as wire:
        wire.send([one_request()], 1_000_000)
        assert wire.answers(1) == [202]
        wire.records()  # tickets for the next session come before the first answer
        for request, least, most in ((one_request(), 1, 1000), (many_in_one_request(), 20_000, 1_000_000)):
            for _ in range(3):
                wire.send([request], 1_000_000)
                assert wire.answers(1) == [202]
                count, text_bytes = wire.records()
                assert least < text_bytes < most
                assert count == -(-text_bytes // RECORD_BYTES), f"{text_bytes} bytes came in {count} records"


def test_a_head_alone_does_not_wait_for_a_body(https: Https) -> None:
    with closing(CutByHand(https)) as wire:
        for path, status in ((b"/openapi.json", 200), (b"/nothing", 404)):
            wire.send([b"HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path], 1_000_000)
            told, length = wire.head()
            assert told == status and length > 0
        wire.send([one_request()], 1_000_000)
        assert wire.answers(1) == [202]


def test_who_closes_his_half_after_a_request_gets_the_whole_answer(https: Https) -> None:
    for request in (one_request(), many_in_one_request()):
        for receive_bytes in (0, 4096):
            with closing(CutByHand(https, receive_bytes)) as wire:
                wire.send([request], 1_000_000)
                wire.half_close()
                time.sleep(0.2)  # the answer is there, or as much of it as there is room for
                assert wire.answers(1) == [202]
                wire.await_end()


def test_a_second_head_that_comes_slowly_is_hung_up_on(https: Https) -> None:
    """Its bytes are told from those of the answered request, and nothing idle is taken for slow."""
    request = one_request()
    with closing(CutByHand(https)) as slow, closing(CutByHand(https)) as idle:
        for wire in (slow, idle):
            wire.send([request, request], 1_000_000)
            assert wire.answers(2) == [202, 202]
        began = time.monotonic()
        slow.send([request[:20]], 1_000_000)
        slow.await_end()
        assert 0.9 * HEAD_S < time.monotonic() - began < IDLE_S / 2
        idle.send([request], 1_000_000)
        assert idle.answers(1) == [202]


def test_a_second_head_whose_beginning_came_with_the_first_is_told_from_it(https: Https) -> None:
    with closing(CutByHand(https)) as slow:
        first, second = slow.seal([one_request()]), slow.seal([one_request()])
        began = time.monotonic()
        slow.send_sealed(first + second[:50], 1_000_000)
        slow.await_end()
        assert 0.9 * HEAD_S < time.monotonic() - began < IDLE_S / 2


def test_records_may_come_in_any_pieces_and_many_at_once(https: Https) -> None:
    request = one_request()
    large = encode(tweets(100))  # several records, and what is read at once
    large = HEAD % len(large) + large
    ways = {
        "one record": ([request], 1),
        "two requests in one record": ([request * 2], 2),
        "a record for each few bytes": ([request[at : at + 40] for at in range(0, len(request), 40)], 1),
        "records one after the other": ([request[:30], request[30:] + request, request], 3),
        "a large one between small ones": ([request, large[:20000], large[20000:] + request], 3),
    }
    with closing(CutByHand(https)) as wire:
        for way, (records, count) in ways.items():
            for piece in (1_000_000, 17_000, 5_000) if "large" in way else (1_000_000, 700, 64):
                wire.send(records, piece)
                assert wire.answers(count) == [202] * count, (way, piece)


def test_who_reads_late_gets_every_answer(https: Https) -> None:
    """A client sends thousands of requests before it reads: its socket and ours are full, and api stops reading."""
    count = 100_000
    body = b'{"text":1}'  # refused at once; what is refused is told at some length
    with closing(CutByHand(https, receive_bytes=4096)) as wire:
        sealed = wire.seal([HEAD % len(body) + body] * count)
        sender = threading.Thread(target=wire.send_sealed, args=(sealed, len(sealed)))
        sender.start()
        time.sleep(1)
        assert sender.is_alive(), "api reads on though its answers are not taken"
        assert wire.answers(count) == [422] * count
        sender.join()
        wire.send([one_request()], 1_000_000)
        assert wire.answers(1) == [202]


def test_a_new_key_and_a_request_that_come_together_are_both_taken(https: Https) -> None:
    """openssl's client changes its key at the letter K; api sleeps until both have come."""
    command = ["openssl", "s_client", "-connect", f"localhost:{https.port}", "-CAfile", https.ca, "-tls1_3"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        said = Said(client.stdout)
        wait_for("they have shaken hands", lambda: b"Verify return code: 0" in said.text)
        https.api.pause()
        for typed in (b"K\n", one_request()):
            client.stdin.write(typed)
            client.stdin.flush()
            time.sleep(0.3)
        https.api.resume()
        wait_for("the answer", lambda: b"HTTP/1.1 202" in said.text, 0.8 * HEAD_S)
        assert b"KEYUPDATE" in said.text
        client.kill()


class Said:
    """What a program says, as far as it has come."""

    def __init__(self, output: IO[bytes]) -> None:
        self.text = b""
        threading.Thread(target=self._run, args=(output,), daemon=True).start()

    def _run(self, output: IO[bytes]) -> None:
        while part := output.read1(65536):
            self.text += part


def come_and_go(https: Https, chance: random.Random, until: float) -> None:
    """Clients of any behaviour, one after the other."""
    refused = b'{"text":1}'
    requests = [one_request(), HEAD % len(refused) + refused, b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    requests.append(requests[1].replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
    while time.monotonic() < until:
        with closing(CutByHand(https)) as wire, suppress(ConnectionError, AssertionError):
            count = chance.randrange(1, 60)
            sealed = wire.seal(chance.choices(requests, k=count))
            piece = chance.choice((100, 5000, 1_000_000))
            if chance.random() < 0.5:
                wire.send_sealed(sealed[: chance.randrange(len(sealed))], piece)
            else:
                wire.send_sealed(sealed, piece)
                wire.answers(chance.randrange(count))
            if chance.random() < 0.5:
                wire.reset()


def test_clients_may_come_and_go_in_the_middle_of_anything(https: Https) -> None:
    until = time.monotonic() + 5
    threads = [threading.Thread(target=come_and_go, args=(https, random.Random(seed), until)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(HttpsClient(https.port, https.context())) as client:
        assert client.post("/input", tweets(1)).status == 202
    wait_for("their connections are gone", lambda: https.api.metric("tweetmesh_http_connections") <= 1)
