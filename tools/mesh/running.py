# SPDX-License-Identifier: Apache-2.0
"""up, down, status, logs, audit, recount: a mesh that goes on running after the command has ended."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path

from stack.component import External
from stack.mesh import PROJECT, Mesh, Options
from stack.process import StackError
from tools.mesh.build import build_quietly


def mesh_folder(name: str) -> Path:
    return PROJECT / ".mesh" / name


def running_mesh(name: str) -> Mesh | None:
    """The mesh of that name if all of it runs, else None."""
    mesh = Mesh.load(mesh_folder(name))
    return mesh if mesh and all(component.alive() for component in mesh.components) else None


def print_addresses(mesh: Mesh) -> None:
    rows = [
        ("API", f"{mesh.api_url}/input"),
        ("OpenAPI", f"{mesh.api_url}/openapi.json"),
        ("live page", mesh.live_url),
        ("gRPC", mesh.grpc_address),
        ("metrics", "  ".join(f"{name} {program.url}/metrics" for name, program in mesh.programs.items())),
        ("Kafka, Redis, MongoDB", f"{mesh.kafka.url}  {mesh.redis.url}  {mesh.mongo.url}"),
        ("logs", f"{mesh.folder}/logs/"),
    ]
    for label, text in rows:
        print(f"  {label:<22} {text}")


def up(arguments: Namespace) -> int:
    if mesh := running_mesh(arguments.name):
        print("it runs already:")
        print_addresses(mesh)
        return 0
    options = Options(
        build=build_quietly(arguments.preset),
        jvm_defaults=arguments.jvm_defaults,
        external=Options.external_from_environment(),
        usual_ports=True,
        dies_with_us=False,
    )
    mesh = Mesh(mesh_folder(arguments.name), options)
    if arguments.fresh:
        mesh.erase()
    mesh.start()
    print("the mesh is up:")
    print_addresses(mesh)
    print(
        '  try                    curl -i -d \'{"text":"hello","country":"GT"}\' '
        f"-H 'Content-Type: application/json' {mesh.api_url}/input"
    )
    print("  stop                   ./mesh down")
    return 0


def down(arguments: Namespace) -> int:
    folder = mesh_folder(arguments.name)
    mesh = Mesh.load(folder)
    if mesh is None:
        print("nothing to stop")
        return 0
    mesh.take()
    mesh.stop()
    mesh.state_file.unlink(missing_ok=True)
    print(f"stopped; data and logs stay in {folder}")
    return 0


def status(arguments: Namespace) -> int:
    """0: all ready; 1: something is not; 3: nothing was started."""
    mesh = Mesh.load(mesh_folder(arguments.name))
    if mesh is None:
        print("nothing runs; start it with ./mesh up")
        return 3
    all_ready = True
    print(f"{'name':<16} {'pid':>8}  {'ready':<8} {'ports':<28} log")
    for component in mesh.components:
        if isinstance(component, External):
            print(f"{component.name:<16} {'-':>8}  {'external':<8} {component.url}")
            continue
        alive = component.alive()
        ready = "ready" if alive and component.is_ready() else "no" if alive else "dead"
        all_ready = all_ready and ready == "ready"
        ports = " ".join(f"{use}:{port}" for use, port in component.ports.items())
        print(f"{component.name:<16} {component.pid if alive else '-':>8}  {ready:<8} {ports:<28} {component.log}")
    return 0 if all_ready else 1


def logs(arguments: Namespace) -> int:
    folder = mesh_folder(arguments.name) / "logs"
    files = sorted(folder.glob("*.log"))
    if arguments.program:
        files = [path for path in files if path.stem == arguments.program]
    if not files:
        known = ", ".join(path.stem for path in sorted(folder.glob("*.log"))) or "none"
        raise StackError(f"no such log in {folder}; there are: {known}")
    command = ["tail", "-n", "50" if arguments.follow or len(files) > 1 else "+1"]
    command += (["-F"] if arguments.follow else []) + [str(path) for path in files]
    sys.stdout.flush()
    os.execvp(command[0], command)


def run_tool(name: str, arguments: Namespace) -> int:
    """Becomes a program of ours that looks at the stores of the running mesh."""
    mesh = running_mesh(arguments.name)
    if mesh is None:
        raise StackError("no mesh is running; start it with ./mesh up")
    binary = mesh.options.build / name / name
    sys.stdout.flush()
    try:
        os.execve(binary, [str(binary), *arguments.extra], {**os.environ, **mesh.store_settings()})
    except OSError as error:
        raise StackError(f"{binary}: {error.strerror} (./mesh build)") from error


def audit(arguments: Namespace) -> int:
    return run_tool("audit", arguments)


def recount(arguments: Namespace) -> int:
    return run_tool("recount", arguments)
