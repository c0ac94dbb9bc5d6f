# SPDX-License-Identifier: Apache-2.0
"""What can be done to any of the three servers: killed, away, hanging, slow. Used by kafka, redis and mongo.

Another fault may hold the same server at the same time, so healing asks what there is to heal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

from chaos.arena import Arena
from stack.component import Component
from stack.process import StackError


def bring_back(server: Component) -> None:
    """Starts it unless it runs, and waits until it is ready."""
    if not server.alive():
        server.launch()
    server.wait_ready()


def wake(server: Component) -> None:
    """Ends a SIGSTOP; nothing to do for a server that was killed meanwhile."""
    with suppress(StackError):
        server.resume()


def killed(arena: Arena, server: Component) -> Iterator[None]:
    """kill -9, away while it holds, started again."""
    server.kill()
    arena.struck()
    yield
    bring_back(server)


def away(arena: Arena, server: Component) -> Iterator[None]:
    """Stopped in good order, started again."""
    server.stop()
    arena.struck()
    yield
    bring_back(server)


def hanging(arena: Arena, server: Component) -> Iterator[None]:
    """SIGSTOP: connections stay open, nothing answers."""
    server.pause()
    arena.struck()
    try:
        yield
    finally:
        wake(server)


def slow(arena: Arena, server: Component, on_s: float = 0.1, off_s: float = 0.4) -> Iterator[None]:
    """It runs for on_s, hangs for off_s, and so on."""
    over = threading.Event()

    def throttle() -> None:
        while not over.is_set():
            with suppress(StackError):
                server.pause()
            over.wait(off_s)
            wake(server)
            over.wait(on_s)

    thread = threading.Thread(target=throttle, name=f"throttle {server.name}", daemon=True)
    thread.start()
    arena.struck()
    try:
        yield
    finally:
        over.set()
        thread.join()
