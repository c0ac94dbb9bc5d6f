# SPDX-License-Identifier: Apache-2.0
"""The judge's process: one JSON object a line comes in, one goes out; see protocol.py. Logs go to stderr."""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback

from chaos.judge.court import Court
from chaos.judge.protocol import REQUESTS


def main() -> int:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    gc.set_threshold(50_000, 20, 100)  # hundreds of thousands of small objects live as long as the run
    court = Court()
    for line in sys.stdin:
        try:
            request = json.loads(line)
            call = request.pop("do")
            if call not in REQUESTS:
                raise ValueError(f"there is no request {call!r}")
            answer = {"ok": getattr(court, call)(**request)}
        except Exception as error:  # whatever it is, the runner must hear of it
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        if line and answer.get("error") is None and call == "close":
            break
    os._exit(0)  # threads that wait for a mesh that is gone would hold us up


if __name__ == "__main__":
    sys.exit(main())
