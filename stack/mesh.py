# SPDX-License-Identifier: Apache-2.0
"""The whole mesh: Kafka, Redis, MongoDB and our programs, on free loopback ports, recorded in a folder.

Everything it starts is written to <folder>/state.json at once, so that another run (`./mesh down`,
or the next start after a kill -9) finds exactly these processes again, and no others.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from stack.cache import abort_steps
from stack.component import Component, External, Home
from stack.disk import Disk
from stack.kafka import Kafka, Listener, create_topics
from stack.kafka_cluster import KafkaCluster
from stack.links import Links
from stack.mongo import Mongo
from stack.namespaces import Wires
from stack.process import Process, StackError
from stack.program import Program
from stack.redis_server import Redis
from stack.ways import Ways

PROJECT = Path(__file__).resolve().parent.parent
UNIX_PATH_MAX = 100  # the kernel takes 107 characters; some are left for "unix:" counters
EXTERNAL = {"kafka": "KAFKA_BROKERS", "redis": "REDIS_URL", "mongo": "MONGODB_URI"}


@dataclass
class Options:
    """How a mesh is to be. Paths are absolute."""

    build: Path = PROJECT / "build/release"  # where our binaries are
    streams: Path = PROJECT / "streams"
    partitions: int = 4
    jvm_defaults: bool = False
    redis: dict[str, str] = field(default_factory=dict)  # {"appendfsync": "always"}
    database: str = "tweetmesh"
    # Environment by program ("api": {...}); "all" is for every one of them.
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    # {"kafka": "host:9092", "redis": "redis://…", "mongo": "mongodb://…"}: used, not started.
    external: dict[str, str] = field(default_factory=dict)
    disks: dict[str, int] = field(default_factory=dict)  # {"kafka": 64}: its data on a disk of so many MiB
    kafka_listeners: Sequence[Listener] = ()  # more ports of each broker; not remembered in state.json
    brokers: int = 1  # of Kafka; 3: every record on each of them, two must have it
    links: bool = False  # every connection through a proxy of its own, see links.py
    namespaces: bool = False  # the servers behind wires, see namespaces.py
    usual_ports: bool = False  # 8080, 9092 … where they are free
    dies_with_us: bool = True  # ended by the kernel when this Python ends

    def __post_init__(self) -> None:
        if foreign := self.disks.keys() & self.external.keys():
            raise StackError(f"the disk of {', '.join(sorted(foreign))} is not ours: the server is external")
        special = self.links or self.namespaces or self.brokers > 1
        if special and self.external or self.namespaces and (self.links or self.brokers > 1):
            raise StackError("external servers, links or several brokers, and namespaces do not go together")

    @classmethod
    def external_from_environment(cls) -> dict[str, str]:
        return {name: os.environ[variable] for name, variable in EXTERNAL.items() if os.environ.get(variable)}


def stream_topics(streams: Path, partitions: int) -> dict[str, int]:
    """{topic: partitions} of all stream files, with the dead-letter topic of each."""
    topics = {}
    for path in sorted(streams.glob("*.json")):
        topic = json.loads(path.read_text())["topic"]
        topics[topic] = partitions
        topics[f"{topic}.dlq"] = 1
    if not topics:
        raise StackError(f"no stream files (*.json) in {streams}")
    return topics


class Mesh:
    """Kafka, Redis, MongoDB and the programs of one folder.

        with Mesh(folder, Options(build=...)) as mesh:      # starts all, stops all
            requests.post(mesh.api_url + "/input", json=…)
            mesh.programs["kafka-consumer"].kill()

    One folder belongs to one Mesh at a time, from its making to stop(). Calls from one thread: the
    main one, if dies_with_us.
    """

    def __init__(self, folder: Path, options: Options | None = None, *, known: dict | None = None) -> None:
        self.folder = folder.resolve()
        self.options = options or Options()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = None
        if known is None:
            self.take()
            end_leftovers(self.folder)  # before ports are chosen: they may sit on the usual ones
        home = Home(self.folder, self.options.dies_with_us, self.options.usual_ports, self.save)
        self._home = home
        self._known = known or {}
        self.ways = self._make_ways()
        self.links = self.ways.links if isinstance(self.ways, Links) else {}
        self.wires = self.ways.wires if isinstance(self.ways, Wires) else {}
        if self.options.brokers > 1:
            self.kafka = KafkaCluster(self._broker, self.options.brokers)
        else:
            self.kafka = self._broker("kafka", 1)
        self.redis = self._server("redis", lambda k: Redis("redis", home, k, options=self.options.redis))
        self.mongo = self._server("mongo", lambda k: Mongo("mongo", home, k))
        self.programs: dict[str, Program] = {}
        self._grpc_sockets: dict[str, Path] = {}  # of each grpc-server
        for name in self._known.get("programs") or ("ws-redis", "grpc-server", "kafka-consumer", "api"):
            self.add_program(name)
        # By which clients come; as the addresses below, if there is nothing in between.
        self.client_http_port = int(self.ways.address("client-api", self.programs["api"], "http").rpartition(":")[2])
        self.client_grpc_address = self.ways.address("client-grpc", self.programs["grpc-server"], "grpc")

    def _make_ways(self) -> Ways:
        if self.options.links:
            count = self.options.brokers
            brokers = [f"kafka-{number}" for number in range(1, count + 1)] if count > 1 else ["kafka"]
            return Links(self._home, brokers, self._known_component("toxiproxy"))
        if self.options.namespaces:
            return Wires(self._home, self._known.get("components", {}))
        return Ways()

    def _broker(self, name: str, number: int) -> Component:
        how = {"jvm_defaults": self.options.jvm_defaults, "number": number}
        how["listeners"] = [*self.ways.listeners(name), *self.options.kafka_listeners]
        return self._server(name, lambda known: Kafka(name, self._home, known, **how))

    def _server(self, name: str, make: Callable[[dict | None], Component]) -> Component:
        if url := self.options.external.get(name):
            return External(name, self._home, url)
        server = make(self._known_component(name))
        self.ways.place(server)
        if mib := self.options.disks.get(name):
            server.disk = Disk(server.folder, mib, self.folder / "logs" / f"{name}-disk.log")
        return server

    def _known_component(self, name: str) -> dict | None:
        return self._known.get("components", {}).get(name)

    def _socket_path(self, number: str) -> Path:
        path = self.folder / f"grpc{number}.sock"
        if len(str(path)) <= UNIX_PATH_MAX:
            return path
        short = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"tweetmesh-{os.getuid()}-{short}{number}.sock"

    # Programs.

    def add_program(self, name: str, settings: dict[str, str] | None = None) -> Program:
        """Adds an instance: "api", or "kafka-consumer-2" for another one. It is not started yet."""
        program = name.rstrip("0123456789").rstrip("-")
        first = name == program
        usual, own = {
            "api": ({"ops": 8081, "http": 8080}, self._api_settings),
            "grpc-server": ({"ops": 8082, "grpc": 50051}, self._grpc_settings),
            "ws-redis": ({"ops": 8083, "ws": 8090}, self._ws_settings),
            "kafka-consumer": ({"ops": 8084}, self._consumer_settings),
        }[program]
        added = Program(
            name,
            self._home,
            self._known_component(name),
            program=program,
            build=self.options.build,
            settings={},
            usual_ports={use: port if first else 0 for use, port in usual.items()},
        )
        self.programs[name] = added
        of_all = {"STREAMS_DIR": str(self.options.streams)} | self.options.settings.get("all", {})
        added.settings = of_all | own(added) | self.options.settings.get(program, {}) | (settings or {})
        return added

    def _api_settings(self, program: Program) -> dict[str, str]:
        return {
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(program.ports["http"]),
            "GRPC_TARGET": self._grpc_target_for(program),
            "WS_URL": f"ws://{self.ways.address('api-ws-redis', self.programs['ws-redis'], 'ws')}/",
        }

    def _grpc_settings(self, program: Program) -> dict[str, str]:
        socket = self._socket_path(program.name.removeprefix("grpc-server"))
        self._grpc_sockets[program.name] = socket
        listen = f"unix:{socket},127.0.0.1:{program.ports['grpc']}"
        return {"GRPC_LISTEN": listen, "KAFKA_BROKERS": self._kafka_for("grpc-server")}

    def _grpc_target_for(self, api: Program) -> str:
        """api-2 uses grpc-server-2 where there is one (add that first), as in a pod; else the first."""
        if self.links:
            return self.ways.address("api-grpc-server", self.programs["grpc-server"], "grpc")
        own = "grpc-server" + api.name.removeprefix("api")
        return f"unix:{self._grpc_sockets.get(own) or self._grpc_sockets['grpc-server']}"

    def _kafka_for(self, client: str) -> str:
        return self.kafka.url if isinstance(self.kafka, External) else self.ways.kafka(f"{client}-kafka", self.kafka)

    def _redis_for(self, client: str) -> str:
        if isinstance(self.redis, External):
            return self.redis.url
        return self.redis.url_at(self.ways.address(f"{client}-redis", self.redis, "redis"))

    def _mongo_for(self, client: str) -> str:
        if isinstance(self.mongo, External):
            return self.mongo.url
        return self.mongo.url_at(self.ways.address(f"{client}-mongodb", self.mongo, "mongo"))

    def _ws_settings(self, program: Program) -> dict[str, str]:
        return {"WS_HOST": "127.0.0.1", "WS_PORT": str(program.ports["ws"]), "REDIS_URL": self._redis_for("ws-redis")}

    def _consumer_settings(self, program: Program) -> dict[str, str]:
        return self.store_settings() | {
            "KAFKA_INSTANCE_ID": f"{program.name}-{program.ports['ops']}",  # the same after a restart
            "KAFKA_BROKERS": self._kafka_for("kafka-consumer"),
            "REDIS_URL": self._redis_for("kafka-consumer"),
            "MONGODB_URI": self._mongo_for("kafka-consumer"),
        }

    def store_settings(self) -> dict[str, str]:
        """Where Kafka, Redis and MongoDB are, past all links and wires, as audit takes it."""
        return {
            "KAFKA_BROKERS": self.kafka.url,
            "REDIS_URL": self.redis.url,
            "MONGODB_URI": self.mongo.url,
            "MONGODB_DATABASE": self.options.database,
            "STREAMS_DIR": str(self.options.streams),
        }

    # Addresses.

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.programs['api'].ports['http']}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.programs['ws-redis'].ports['ws']}/"

    @property
    def live_url(self) -> str:
        """The live page, for a browser."""
        return self.ws_url.replace("ws://", "http://")

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.programs['grpc-server'].ports['grpc']}"

    # Life.

    @property
    def servers(self) -> list[Component]:
        kafka = self.kafka.brokers if isinstance(self.kafka, KafkaCluster) else [self.kafka]
        return [self.redis, self.mongo, *kafka]

    @property
    def components(self) -> list[Component]:
        return [*self.ways.parts, *self.servers, *self.programs.values()]

    @property
    def downstream(self) -> list[Program]:
        """The programs in the way of an event; stopped in this order, nothing is lost."""
        order = ["api", "grpc-server", "kafka-consumer", "ws-redis"]
        return sorted(self.programs.values(), key=lambda program: order.index(program.program))

    def prepare(self) -> None:
        """Fetches and builds what the servers need, side by side; nothing is started."""
        components = [*self.ways.parts, *self.servers]
        for component in components:
            component.folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor() as pool:
            try:
                list(pool.map(lambda component: component.prepare(), components))
            except KeyboardInterrupt:
                abort_steps()
                raise

    def start_servers(self) -> None:
        """Kafka, Redis and MongoDB up, and the topics of the streams there."""
        self.take()
        self.prepare()
        for part in self.ways.parts:
            part.start()
        self.ways.open()
        for component in self.servers:
            component.launch()
        for component in self.servers:
            component.wait_ready()
        create_topics(self.kafka.url, stream_topics(self.options.streams, self.options.partitions))

    def start_programs(self) -> None:
        for program in self.programs.values():
            program.prepare()
        for program in self.programs.values():
            program.launch()
        for program in self.programs.values():
            program.wait_ready()

    def start(self) -> None:
        """Everything up and ready, or nothing."""
        try:
            self.start_servers()
            self.start_programs()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> dict[str, int | None]:
        """Ends everything in the order in which nothing is lost; the exit code of each."""
        codes = {
            component.name: component.stop()
            for component in [*self.downstream, *reversed([*self.ways.parts, *self.servers])]
        }
        for server in self.servers:
            if server.disk is not None:
                server.disk.unmount()
        for socket in self._grpc_sockets.values():
            socket.unlink(missing_ok=True)
        self._release()
        return codes

    def __enter__(self) -> Mesh:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def audit(self, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs the audit program against this mesh and returns what it said (exit code 0, 1 or 2)."""
        return self._tool("audit", arguments, seconds)

    def recount(self, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs the recount program against this mesh and returns what it said (exit code 0 or 2)."""
        return self._tool("recount", arguments, seconds)

    def _tool(self, name: str, arguments: tuple[str, ...], seconds: float) -> subprocess.CompletedProcess[str]:
        binary = self.options.build / name / name
        if not os.access(binary, os.X_OK):
            raise StackError(f"{name} is not built: {binary} is missing (./mesh build)")
        environment = {**os.environ, **self.options.settings.get("all", {}), **self.store_settings()}
        command = [str(binary), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)

    def erase(self) -> None:
        """Forgets all data of the folder, so that the next start begins with nothing."""
        if any(component.alive() for component in self.components if not isinstance(component, External)):
            raise StackError(f"{self.folder} is in use; stop it first")
        self.take()
        for entry in self.folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()

    # What is remembered.

    @property
    def state_file(self) -> Path:
        return self.folder / "state.json"

    def save(self) -> None:
        options = self.options
        state = {
            "options": {
                "build": str(options.build),
                "streams": str(options.streams),
                "database": options.database,
                "external": options.external,
                "brokers": options.brokers,
                "links": options.links,
                "namespaces": options.namespaces,
                "usual_ports": options.usual_ports,
                "dies_with_us": options.dies_with_us,
            },
            "programs": list(self.programs),
            "components": {c.name: c.state() for c in self.components if not isinstance(c, External)},
        }
        partial = self.state_file.with_suffix(".partial")
        partial.write_text(json.dumps(state, indent=2) + "\n")
        partial.rename(self.state_file)

    def take(self) -> None:
        """Makes the folder ours until stop(); a second call does nothing."""
        if self._lock is not None:
            return
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise StackError(f"another run is using {self.folder}") from None
        self._lock = lock

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @classmethod
    def load(cls, folder: Path) -> Mesh | None:
        """The mesh that another run of ours started in this folder; None if there is none.

        Its processes can be looked at, stopped and killed; nothing is started by this.
        """
        state = read_state(folder)
        if state is None:
            return None
        known = state["options"]
        options = Options(**(known | {"build": Path(known["build"]), "streams": Path(known["streams"])}))
        return cls(folder, options, known=state)


def read_state(folder: Path) -> dict | None:
    try:
        return json.loads((folder / "state.json").read_text())
    except FileNotFoundError:
        return None


def end_leftovers(folder: Path) -> list[str]:
    """Ends the processes that state.json remembers and that still run; returns their names."""
    state = read_state(folder) or {"components": {}}
    ended = []
    for name, component in reversed(state["components"].items()):  # api first, servers last
        if not component["process"]:
            continue
        process = Process.adopt(name, component["process"], Path(component["log"]))
        if process is not None:
            process.stop(10)
            ended.append(name)
    (folder / "state.json").unlink(missing_ok=True)
    return ended
