# SPDX-License-Identifier: Apache-2.0
"""Threads that send a run's plan at its rate, and send again what is not cleared up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from chaos.judge.book import Book
from chaos.judge.grpc_entrance import GrpcEntrance
from chaos.judge.http_entrance import HttpEntrance
from chaos.judge.plan import Request
from chaos.judge.protocol import Target

BEHIND_S_MAX = 1.0  # what could not be sent in time is not made up for beyond this
RETRIERS = 2
LAST_RETRY_S = 0.2


class Entrances:
    """The ways into one mesh, as one thread uses them; they change when the target is told anew."""

    def __init__(self, target: Callable[[], Target], turn: int) -> None:
        self._target = target
        self._turn = turn
        self._open()

    def _open(self) -> None:
        self._of = self._target()
        self._http = HttpEntrance(self._of.http_ports, self._of.path, self._turn)
        self._grpc = GrpcEntrance(self._of.grpc_addresses, self._of.stream)

    def send(self, request: Request, book: Book) -> None:
        if self._target() is not self._of:
            self.close()
            self._open()
        entrance = self._http if request.entrance.is_http else self._grpc
        sent_at = time.monotonic()
        book.enter(request, entrance.send(request, book.names), sent_at)

    def close(self) -> None:
        self._http.close()
        self._grpc.close()


class Senders:
    """From start() to stop(). Calls from one thread."""

    def __init__(self, book: Book, target: Callable[[], Target]) -> None:
        self._book = book
        self._target = target
        self._stopping = threading.Event()
        self._pace = threading.Lock()  # guards _due
        self._due = time.monotonic()
        works = [self._send] * book.run.workers + [self._send_again] * RETRIERS
        self._threads = [
            threading.Thread(target=self._work, args=(work, turn), name=f"sender-{turn}", daemon=True)
            for turn, work in enumerate(works)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when every request has been answered, or given up."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def clear_up(self, seconds: float) -> None:
        """After stop(): sends what is open again, with its keys, until it is taken or time is over."""
        deadline = time.monotonic() + seconds
        requests: SimpleQueue[Request] = SimpleQueue()
        for request in self._book.left_open():
            requests.put(request)
        count = min(self._book.run.workers, requests.qsize())
        threads = [threading.Thread(target=self._clear, args=(requests, deadline, turn)) for turn in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, work: Callable[[Entrances], None], turn: int) -> None:
        entrances = Entrances(self._target, turn)
        try:
            work(entrances)
        finally:
            entrances.close()

    def _send(self, entrances: Entrances) -> None:
        while not self._stopping.is_set():
            with self._pace:
                request = self._book.take()
                now = time.monotonic()
                due = self._due = max(self._due, now - BEHIND_S_MAX)
                self._due += len(request.events) / self._book.run.events_s
            if due > now and self._stopping.wait(due - now):
                return  # never sent: it stays pending
            entrances.send(request, self._book)

    def _send_again(self, entrances: Entrances) -> None:
        while not self._stopping.wait(0.05):
            while not self._stopping.is_set() and (request := self._book.due()) is not None:
                entrances.send(request, self._book)

    def _clear(self, requests: SimpleQueue[Request], deadline: float, turn: int) -> None:
        entrances = Entrances(self._target, turn)
        while time.monotonic() < deadline:
            try:
                request = requests.get_nowait()
            except Empty:
                break
            entrances.send(request, self._book)
            if request.events[0].number in self._book.open:
                requests.put(request)
                time.sleep(LAST_RETRY_S)  # spares a mesh that is not back yet
        entrances.close()
