# SPDX-License-Identifier: Apache-2.0
"""energy: CPU seconds, joules and gCO2e per million events, of each program, during a load."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.cache import say
from stack.component import External, Home
from stack.mesh import Mesh
from stack.process import StackError
from tools.energy.account import NAMES, Account, processes
from tools.energy.factors import EMBODIED, FAKE, PUE, WATTS_PER_VCPU, Factors, UnknownRegion, grid_of, regions
from tools.energy.kepler import Kepler
from tools.energy.meter import WATTS, KeplerProcess, kepler_program
from tools.energy.report import Report
from tools.mesh.demo import send
from tools.mesh.load import Log, mesh_for_load, run_wrk, write_bodies

PROGRESS_S = 2.0
ONE_EVENT = 1  # a request
ABOVE_ZERO = ("watts_per_vcpu", "seconds", "events", "users", "connections")


def complaint(arguments: Namespace) -> str:
    """What is wrong with the numbers of the command line, if anything."""
    for name in ABOVE_ZERO:
        given = getattr(arguments, name)
        if given is not None and not (given > 0 and math.isfinite(given)):
            return f"--{name.replace('_', '-')} is above 0"
    if arguments.pue is not None and not 1 <= arguments.pue < math.inf:
        return "--pue is at least 1: a data centre draws no less than its machines"
    if arguments.embodied is not None and not 0 <= arguments.embodied < math.inf:
        return "--embodied is at least 0"
    return ""


def factors_of(arguments: Namespace) -> Factors:
    return Factors(
        watts_per_vcpu=WATTS_PER_VCPU.given(arguments.watts_per_vcpu, "--watts-per-vcpu"),
        pue=PUE.given(arguments.pue, "--pue"),
        grid=grid_of(arguments.region),
        embodied=EMBODIED.given(arguments.embodied, "--embodied"),
    )


def print_regions() -> None:
    for grid in regions().values():
        print(f"{grid.region:<26}{grid.location:<20}{grid.value:>8.2f} gCO2e/kWh{grid.cfe_percent:>5.0f} % carbon-free")
    print(f"source: {grid.source}, {grid.date}")


@contextmanager
def kepler_for(folder: Path, fake: bool) -> Iterator[Kepler | None]:
    """The Kepler of $KEPLER_URL, else one of our own where there is the program, else none."""
    if url := os.environ.get("KEPLER_URL"):
        kepler = Kepler(url, fake=fake)
        say(f"asking Kepler at {url} (label {kepler.quality(kepler.read())})")
        yield kepler
    elif program := kepler_program():
        process = KeplerProcess(Home(folder), program)
        say(f"starting {program} on a meter of files that pretends {WATTS:g} W (label {FAKE})")
        try:
            process.start()
            yield process.kepler
        finally:
            process.stop()
    else:
        say("no KEPLER_URL and no kepler program: joules are estimated from CPU time (label modelled)")
        yield None


def watched(mesh: Mesh, only: list[str]) -> tuple[dict[str, list[int]], list[str]]:
    """The processes of the programs that are asked for; and who is left out, and why."""
    found = processes(mesh)
    foreign = [NAMES.get(c.name, c.name) for c in mesh.components if isinstance(c, External)]
    wanted = [name for part in only for name in part.split(",")] or [*found, *foreign]
    if unknown := [name for name in wanted if name not in found and name not in foreign]:
        raise StackError(f"no program is called {', '.join(unknown)}; there are {', '.join([*found, *foreign])}")
    chosen = {name: pids for name, pids in found.items() if name in wanted}
    if not chosen:
        raise StackError("nothing to measure: " + ", ".join(wanted) + " run elsewhere (external)")
    left_out = [f"{name}: external, what it costs is not counted" for name in foreign if name in wanted]
    return chosen, left_out


class Progress:
    """Says every moment what was spent so far, from a thread of its own, inside the with."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(PROGRESS_S):
            try:
                uses = self._account.now()
            except StackError as error:
                say(str(error))
                continue
            parts = "  ".join(f"{use.program} {use.joules:.1f}" for use in uses)
            gone = time.monotonic() - self._started
            say(f"{gone:>4.0f} s  joules so far: {parts}  = {sum(use.joules for use in uses):.1f}")


def run_load(mesh: Mesh, arguments: Namespace) -> None:
    if arguments.events:
        sending = Namespace(data=None, users=arguments.users, requests=arguments.events)
        code, summary = send(mesh, sending)
        if code != 0:
            raise StackError(f"{summary['failures']:,} of {summary['requests']:,} requests failed")
        return
    say(f"{arguments.seconds:g} s of load with {arguments.connections} connections, one event a request")
    run_wrk(mesh, write_bodies(mesh)[ONE_EVENT], arguments)


def measure(mesh: Mesh, arguments: Namespace, factors: Factors) -> Report:
    """From rest to rest: until the last event is archived and counted."""
    programs, left_out = watched(mesh, arguments.only)
    stream = json.loads((mesh.options.streams / "tweets.json").read_text())
    log = Log(mesh.kafka.url, stream["topic"], "tweetmesh-archive")
    try:
        with kepler_for(mesh.folder, arguments.fake_meter) as kepler:
            log.wait_drained()
            written, started = log.written(), time.monotonic()
            account = Account(programs, factors, kepler)
            with Progress(account):
                run_load(mesh, arguments)
                log.wait_drained()
                # Not before: when the load ends, its last requests are still on their way.
                events = log.written() - written
            seconds = time.monotonic() - started
            uses = account.close()
    finally:
        log.close()
    if events <= 0:
        raise StackError("no event was stored: there is nothing to divide by")
    for doubt in account.doubts:
        say(doubt)
    return Report(uses, events, seconds, factors, left_out)


def energy(arguments: Namespace) -> int:
    if arguments.regions:
        print_regions()
        return 0
    try:
        told, factors = complaint(arguments), factors_of(arguments)
    except UnknownRegion as error:
        told = str(error)
    if told:
        print(f"mesh: {told}", file=sys.stderr)
        return 2
    with mesh_for_load(arguments, "energy") as mesh:
        report = measure(mesh, arguments, factors)
    print(f"\n  {report.events:,} events in {report.seconds:.0f} s, until the last was archived and counted\n")
    print("\n".join(report.lines()))
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_dict(), indent=2) + "\n")
    return 0
