# SPDX-License-Identifier: Apache-2.0
"""./mesh, after it has seen to the platform: the command line, and which module does what.

Only the standard library is imported here, and no syntax newer than Python 3.8 is used: help must
work with whatever Python the host has. Each subcommand's module is imported when it runs.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from pathlib import Path

EPILOGUE = """
The first run prepares the platform (outside Debian 13 a Debian 13 root in
~/.cache/tweetmesh); nothing is installed into your system except mmdebstrap and bubblewrap.
State and logs of what runs are in .mesh/ of the project.
"""


def add_demo(commands) -> None:
    demo = commands.add_parser("demo", help="build, start everything, send tweets, audit, report; stays until Ctrl-C")
    demo.add_argument("--exit", action="store_true", help="end after the report instead of staying up")
    demo.add_argument("--data", type=Path, metavar="FILE", help="tweets to send (default: locust/data/tweets.json)")
    demo.add_argument("--users", type=int, default=10, metavar="N", help="Locust users (default: 10)")
    demo.add_argument("--requests", type=int, default=10_000, metavar="N", help="requests in total (default: 10,000)")
    demo.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    demo.add_argument("--chaos", action="store_true", help="kill our own programs at random under load, tell each kill")
    demo.add_argument("--minutes", type=float, default=1, metavar="M", help="with --chaos: how long (default: 1)")
    demo.add_argument("--seed", type=int, metavar="N", help="with --chaos: which kills (default: new ones)")
    add_name(demo)
    demo.set_defaults(module="demo", function="demo")


def add_test(commands) -> None:
    test = commands.add_parser("test", help="run the tests, all or some parts, with a summary")
    test.add_argument("parts", nargs="*", metavar="PART", help="see --list; all by default")
    test.add_argument("--list", action="store_true", help="list the parts and what they do")
    test.add_argument("--lanes", type=int, default=2, metavar="N", help="how many parts run side by side (default: 2)")
    test.add_argument("--in-lane", action="store_true", help=argparse.SUPPRESS)  # how it starts each of them itself
    test.set_defaults(module="test", function="test")


def add_load(commands) -> None:
    load = commands.add_parser("load", help="rough speed with wrk, and CPU time per event per program")
    load.add_argument("--seconds", type=int, default=10, metavar="N", help="length of each run (default: 10)")
    load.add_argument("--connections", type=int, default=64, metavar="N", help="HTTP connections (default: 64)")
    load.add_argument("--jvm-defaults", action="store_true", help="Kafka with G1 and C2 (for a temporary mesh)")
    load.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    add_name(load)
    load.set_defaults(module="load", function="load")


def add_only(parser, what: str) -> None:
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help=f"{what}; repeatable or by commas")


def add_chaos(commands) -> None:
    chaos = commands.add_parser("chaos", help="break everything under load, and judge what became of every event")
    add_only(chaos, "faults, globs, families")
    chaos.add_argument("--list", action="store_true", help="list the faults, and run nothing")
    chaos.add_argument("--quick", action="store_true", help="only the quick ones, which ./mesh test runs, too")
    chaos.add_argument("--random", action="store_true", help="rounds of faults drawn at random, some within others")
    chaos.add_argument("--seed", type=int, metavar="N", help="of all that is left to chance (default: a new one)")
    chaos.add_argument("--minutes", type=float, default=5, metavar="M", help="with --random: how long (default: 5)")
    chaos.add_argument("--json", type=Path, metavar="FILE", help="write the table here, too")
    chaos.add_argument("--keep", action="store_true", help="keep all data and logs (default: logs of rows that failed)")
    chaos.add_argument("--preset", help="run this build instead of the one that each fault asks for")
    chaos.set_defaults(module="chaos", function="chaos_command")


def add_bench(commands) -> None:
    bench = commands.add_parser("bench", help="measure the mesh against the bare libraries, in ratios of one run")
    add_only(bench, "rows (P1, 'P1*')")
    bench.add_argument("--list", action="store_true", help="list the rows, and run nothing")
    bench.add_argument("--quick", action="store_true", help="few short rounds: six minutes at most, wider error")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the rows here, too")
    bench.add_argument("--rounds", type=int, metavar="N", help="rounds of each row (default: 5, quick: 2)")
    bench.add_argument("--seconds", type=float, metavar="S", help="length of a round (default: 10, quick: 3)")
    bench.add_argument("--keep", action="store_true", help="keep all data and logs (default: logs, if a row was void)")
    bench.add_argument("--kafka", action="store_true", help="measure Kafka itself instead: linger, batches, acks …")
    bench.add_argument("--write-docs", type=Path, metavar="FILE", help="only put figures of --json FILE into docs/")
    bench.set_defaults(module="bench", function="bench")


def add_energy(commands) -> None:
    energy = commands.add_parser("energy", help="joules and gCO2e per million events, of each program, during a load")
    energy.description = (
        "Runs a load on the running mesh, or on one of its own, and says what it cost. Joules come from the Kepler of "
        "$KEPLER_URL (label measured); else from a kepler program ($KEPLER, or in PATH), started on a meter made of "
        "files (label fake); else they are estimated as CPU seconds x W per vCPU x PUE (label modelled)."
    )
    energy.add_argument("--seconds", type=int, default=20, metavar="N", help="length of the load (default: 20)")
    energy.add_argument("--events", type=int, metavar="N", help="send N events by Locust instead")
    energy.add_argument("--connections", type=int, default=64, metavar="N", help="with --seconds (default: 64)")
    energy.add_argument("--users", type=int, default=10, metavar="N", help="with --events (default: 10)")
    add_only(energy, "count these programs only (api, kafka …)")
    energy.add_argument(
        "--region", default="us-central1", help="Google Cloud region of the grid (default: us-central1)"
    )
    energy.add_argument("--regions", action="store_true", help="list the regions, and run nothing")
    energy.add_argument("--watts-per-vcpu", type=float, metavar="W", help="of a busy vCPU, for the estimate")
    energy.add_argument("--pue", type=float, metavar="X", help="power usage effectiveness of the data centre")
    energy.add_argument("--embodied", type=float, metavar="G", help="M of the SCI: gCO2e per 1,000 events (default: 0)")
    energy.add_argument("--fake-meter", action="store_true", help="the Kepler of KEPLER_URL has no real meter")
    energy.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    energy.add_argument("--jvm-defaults", action="store_true", help="Kafka with G1 and C2 (for a mesh of its own)")
    add_name(energy)
    energy.set_defaults(module="energy", function="energy")


def add_dashboards(commands) -> None:
    boards = commands.add_parser("dashboards", help="execute every panel of the Grafana dashboards, and draw pictures")
    boards.add_argument("--seconds", type=int, default=330, metavar="N", help="of load (rules look back 300)")
    boards.add_argument("--preset", default="release", help="which build to run (default: release)")
    pictures = Path("docs/pictures")
    boards.add_argument("--pictures", type=Path, default=pictures, metavar="FOLDER", help=f"default: {pictures}")
    boards.set_defaults(module="dashboards", function="dashboards")


def add_screenshots(commands) -> None:
    screenshots = commands.add_parser("screenshots", help="take the documentation's pictures of the live page anew")
    screenshots.add_argument("--seconds", type=int, default=60, metavar="N", help="load before them (default: 60)")
    screenshots.add_argument("--folder", type=Path, metavar="DIR", help="where to put them (default: docs/pictures)")
    screenshots.set_defaults(module="screenshots", function="screenshots")


def add_name(parser) -> None:
    parser.add_argument("--name", default="default", help="which mesh, if you run several (default: default)")


def add_running(commands) -> None:
    up = commands.add_parser("up", help="start Kafka, Redis, MongoDB and the programs, and leave them running")
    up.add_argument("--preset", default="release", help="which build to run (default: release)")
    up.add_argument("--jvm-defaults", action="store_true", help="Kafka with G1 and C2: slower start, faster when warm")
    up.add_argument("--fresh", action="store_true", help="forget the data of the last time")
    down = commands.add_parser("down", help="stop what `up` started")
    status = commands.add_parser("status", help="what runs, where, and is it ready")
    logs = commands.add_parser("logs", help="show the logs of the mesh, or of one program")
    logs.add_argument("program", nargs="?", help="kafka, redis, mongo, api, grpc-server …")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as they grow")
    audit = commands.add_parser("audit", help="compare Kafka, Redis and MongoDB of the running mesh")
    audit.epilog = "What comes after -- goes to the audit program: ./mesh audit -- --json --wait 60"
    recount = commands.add_parser("recount", help="rebuild the counters of the running mesh from Kafka or MongoDB")
    recount.epilog = "What comes after -- goes to the recount program: ./mesh recount -- --stream tweets --from mongodb"
    for parser, function in (
        (up, "up"),
        (down, "down"),
        (status, "status"),
        (logs, "logs"),
        (audit, "audit"),
        (recount, "recount"),
    ):
        add_name(parser)
        parser.set_defaults(module="running", function=function)


def add_build(commands) -> None:
    build = commands.add_parser("build", help="configure and build with a preset, into build/PRESET")
    build.add_argument("--preset", default="release", help="release, dev, asan, tsan or chaos (default: release)")
    build.set_defaults(module="build", function="build_command")
    formatted = commands.add_parser("format", help="clang-format all C files")
    formatted.set_defaults(module="build", function="format_command")
    shell = commands.add_parser("shell", help="a shell on the platform, or: shell COMMAND…")
    shell.add_argument("command", nargs="*")
    shell.set_defaults(module="build", function="shell_command")


def add_images(commands) -> None:
    images = commands.add_parser(
        "images", help="build the container images (as root, without Docker) and print their sizes"
    )
    add_only(images, "programs")
    images.add_argument("--fresh", action="store_true", help="keep nothing of earlier builds: newest packages")
    images.add_argument("--save", type=Path, metavar="FOLDER", help="write an OCI archive of each here, too")
    images.set_defaults(module="images", function="images_command")


def add_manuals(commands) -> None:
    manuals = commands.add_parser("manuals", help="make PDF files of docs/manuals, in build/manuals")
    add_only(manuals, "manuals (technical, user …)")
    manuals.add_argument("--folder", type=Path, metavar="DIR", help="where to put them (default: build/manuals)")
    manuals.set_defaults(module="manuals", function="manuals")


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./mesh",
        description="tweetmesh: build it, run it, look at it, test it.",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="SUBCOMMAND", dest="subcommand", required=True)
    for add in (
        add_demo,
        add_test,
        add_running,
        add_load,
        add_energy,
        add_bench,
        add_dashboards,
        add_chaos,
        add_screenshots,
        add_build,
        add_images,
        add_manuals,
    ):
        add(commands)
    ours, extra = words, []
    if "--" in words:
        ours, extra = words[: words.index("--")], words[words.index("--") + 1 :]
    arguments, unknown = parser.parse_known_args(ours)
    if unknown and arguments.subcommand not in ("audit", "recount", "shell"):
        parser.error("unrecognized arguments: " + " ".join(unknown))
    arguments.extra = unknown + extra
    return arguments


def end_on_signals() -> None:
    """The first signal becomes KeyboardInterrupt; later ones do not disturb the clean-up."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if not os.environ.get("TWEETMESH_NOHUP"):  # ./mesh knows whether nohup was used
        numbers.append(signal.SIGHUP)

    def interrupt(number, frame):
        for each in numbers:
            # A function, not SIG_IGN: children would inherit that.
            signal.signal(each, lambda number, frame: None)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)


def main() -> int:
    arguments = parse(sys.argv[1:])
    end_on_signals()
    module = importlib.import_module(f"tools.mesh.{arguments.module}")
    from stack.process import StackError

    try:
        return getattr(module, arguments.function)(arguments) or 0
    except StackError as error:
        print(f"mesh: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # ./mesh status | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("mesh: interrupted; everything it started is stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
