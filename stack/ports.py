# SPDX-License-Identifier: Apache-2.0
"""Free loopback ports that stay ours over a restart.

They are taken from below the kernel's ephemeral range: there no outgoing connection can sit on
the port of a server that is just being killed and started again. Runs side by side can be given
ranges of their own by $TWEETMESH_PORTS ("15000-19999"), for they do not see what the other gave out.
"""

from __future__ import annotations

import os
import random
import socket

LOWEST, HIGHEST = map(int, os.environ.get("TWEETMESH_PORTS", "15000-31999").split("-"))

_given: set[int] = set()
_random = random.SystemRandom()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)  # SO_REUSEADDR lets a second bind pass; listen does not
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None) -> int:
    """A port that nobody listens on and that was not given out before; preferred if that is free."""
    candidates = [preferred] if preferred else []
    candidates += [_random.randint(LOWEST, HIGHEST) for _ in range(200)]
    for port in candidates:
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise OSError(f"no free loopback port between {LOWEST} and {HIGHEST}")


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Does something listen on this port?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
