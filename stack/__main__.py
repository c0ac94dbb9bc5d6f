# SPDX-License-Identifier: Apache-2.0
"""python3 -m stack FOLDER: Kafka, Redis and MongoDB alone, until Ctrl-C or SIGTERM."""

import signal
import sys
from pathlib import Path

from stack.mesh import Mesh, Options
from stack.process import StackError


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: python3 -m stack FOLDER", file=sys.stderr)
        return 2
    signals = {signal.SIGINT, signal.SIGTERM}
    mesh = Mesh(Path(sys.argv[1]), Options(external=Options.external_from_environment()))
    try:
        mesh.start_servers()
        # Only now: what was started must not inherit blocked signals.
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        for name, value in mesh.store_settings().items():
            print(f"export {name}='{value}'")
        sys.stdout.flush()
        signal.sigwait(signals)
    except StackError as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    finally:
        mesh.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
