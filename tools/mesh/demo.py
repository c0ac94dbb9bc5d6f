# SPDX-License-Identifier: Apache-2.0
"""demo: from nothing to ten thousand counted, archived and audited tweets, with one command."""

from __future__ import annotations

import json
import os
import signal
import sys
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import redis

from stack.cache import abort_steps, say
from stack.mesh import PROJECT, Mesh, Options
from stack.process import Process, StackError, log_tail
from tools.mesh.build import binaries, given_or_built
from tools.mesh.running import print_addresses

LOAD_SECONDS_MAX = 3600
AUDIT_WAIT_SECONDS = 60
GROUPS_SHOWN = 5


def demo_folder(name: str) -> Path:
    """Of its own, for a demo begins by forgetting the last one."""
    return PROJECT / ".mesh" / ("demo" if name == "default" else f"demo-{name}")


def start(mesh: Mesh) -> None:
    """Builds beside starting the servers, then starts the programs."""
    with ThreadPoolExecutor(1) as pool:
        built = pool.submit(given_or_built, "release")
        try:
            mesh.start_servers()
            say(f"Kafka, Redis and {getattr(mesh.mongo, 'product', 'MongoDB')} are ready")
            built.result()
        except BaseException:
            abort_steps()
            raise
    mesh.start_programs()
    say("the mesh is ready")


def send(mesh: Mesh, arguments: Namespace) -> tuple[int, dict]:
    """Runs Locust to its end; its exit code and summary."""
    summary = mesh.folder / "locust.json"
    data = (arguments.data or PROJECT / "locust/data/tweets.json").resolve()
    if not data.is_file():
        raise StackError(f"no data file {data}")
    users = str(arguments.users)
    command = [sys.executable, "-m", "locust", "-f", str(PROJECT / "locust/locustfile.py"), "--headless"]
    command += ["-u", users, "-r", users, "--host", mesh.api_url, "--csv", str(mesh.folder / "locust")]
    settings = {
        "TWEETMESH_DATA": str(data),
        "TWEETMESH_REQUESTS": str(arguments.requests),
        "TWEETMESH_SUMMARY": str(summary),
    }
    say(f"sending {arguments.requests:,} tweets of {data.name} with {users} Locust users")
    log = mesh.folder / "logs/locust.log"
    locust = Process.spawn(
        "locust", command, log=log, env={**os.environ, **settings}, cwd=PROJECT / "locust", dies_with_us=True
    )
    try:
        code = locust.wait(LOAD_SECONDS_MAX)
    except BaseException:
        locust.kill()
        raise
    if not summary.exists():
        raise StackError(f"Locust wrote no summary (exit code {code}); log {log}:\n{log_tail(log)}")
    if code != 0:
        say(f"Locust reports failures (exit code {code}); log {log}:\n{log_tail(log)}")
    return code or 0, json.loads(summary.read_text())


def run_audit(mesh: Mesh) -> tuple[int, dict]:
    """The audit's exit code and JSON."""
    say("auditing: Kafka = Redis = MongoDB?")
    done = mesh.audit("--json", "--wait", str(AUDIT_WAIT_SECONDS), seconds=AUDIT_WAIT_SECONDS + 120)
    try:
        return done.returncode, json.loads(done.stdout)
    except json.JSONDecodeError:
        raise StackError(f"audit (exit code {done.returncode}) printed no JSON: {done.stdout}{done.stderr}") from None


def top_groups(mesh: Mesh) -> list[tuple[str, str, int]]:
    """(stream, group, count) of the largest groups, from the hashes that people and Grafana read."""
    rows = []
    with redis.Redis.from_url(mesh.redis.url, decode_responses=True) as client:
        for path in sorted(mesh.options.streams.glob("*.json")):
            stream = json.loads(path.read_text())
            counts = client.hgetall(f"{{{stream['stream']}}}:{stream['count_by']}")
            largest = sorted(counts.items(), key=lambda item: -int(item[1]))[:GROUPS_SHOWN]
            rows += [(stream["stream"], group, int(count)) for group, count in largest]
    return rows


def top_groups_line(groups: list[tuple[str, str, int]]) -> str:
    return "  most tweets            " + ", ".join(f"{group} {count:,}" for _, group, count in groups)


def audit_lines(audit: dict) -> list[str]:
    lines = []
    for name, stream in audit.get("streams", {}).items():
        sign = "=" if stream["equal"] else "≠"
        differing = "DIFFERENT, {groups_differing} groups differ, {missing} ids missing, {foreign} foreign"
        verdict = "equal" if stream["equal"] else differing.format(**stream)
        lines.append(
            f"{name}: Kafka {stream['kafka_events']:,} {sign} Redis {stream['redis']:,} {sign} "
            f"MongoDB {stream['mongo']:,}  ({verdict}; {stream['kafka_records']:,} records)"
        )
    return lines


def report(mesh: Mesh, summary: dict, audit: dict, arguments: Namespace) -> dict:
    groups = top_groups(mesh)
    print()
    print(f"  requests               {summary['requests']:,}, {summary['failures']:,} failed")
    print(f"  rate                   {summary['requests_per_s']:,.0f} requests/s from {arguments.users} users")
    print("  latency                p50 {p50_ms:g} ms, p95 {p95_ms:g} ms, p99 {p99_ms:g} ms".format(**summary))
    for line in audit_lines(audit):
        print(f"  audit                  {line}")
    print(top_groups_line(groups))
    names = ("requests", "failures", "requests_per_s", "p50_ms", "p95_ms", "p99_ms")
    figures = {name: summary[name] for name in names}
    figures |= {"audit": audit, "groups": [{"stream": s, "group": g, "count": c} for s, g, c in groups]}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def live_page_line(mesh: Mesh, label: str = "live page") -> str:
    return f"  {label:<22} {mesh.live_url}"


def stay(mesh: Mesh) -> None:
    """Until Ctrl-C. The last line names the live page."""
    try:
        print_addresses(mesh)
        print(f"  {'Locust with its page':<22} ./mesh shell locust -f locust/locustfile.py --host {mesh.api_url}")
        print(f"  {'end':<22} Ctrl-C\n")
        print(live_page_line(mesh, "watch it live"), flush=True)
        while True:
            signal.pause()
    except KeyboardInterrupt:
        say("stopping")


def demo(arguments: Namespace) -> int:
    if arguments.chaos:
        from tools.mesh.demo_chaos import demo_chaos  # which uses what is above

        return demo_chaos(arguments)
    external = Options.external_from_environment()
    mesh = Mesh(demo_folder(arguments.name), Options(build=binaries("release"), external=external, usual_ports=True))
    mesh.erase()
    try:
        start(mesh)
        locust_code, summary = send(mesh, arguments)
        audit_code, audit = run_audit(mesh)
        report(mesh, summary, audit, arguments)
        good = locust_code == 0 and audit_code == 0 and summary["failures"] == 0
        print(f"\n  {'all is well' if good else 'NOT WELL, see above'}; logs in {mesh.folder}/logs/\n", flush=True)
        if arguments.exit:
            print(live_page_line(mesh, "live page (was)"), flush=True)
        else:
            stay(mesh)
    finally:
        mesh.stop()
    return 0 if good else 1
