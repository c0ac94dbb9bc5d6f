# SPDX-License-Identifier: Apache-2.0
"""A real Kafka broker (KRaft, one node) on loopback, from Maven Central."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from stack.cache import cached, digest, run_step, say
from stack.component import LOOPBACK, Component, Home
from stack.ports import accepts
from stack.process import StackError

HERE = Path(__file__).parent
QUIET = {"log_level": 0, "socket.timeout.ms": 5000}
C1_FLAGS = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"


@dataclass(frozen=True)
class Listener:
    """One more port of a broker, for clients that are to reach it another way."""

    name: str  # "grpc-server"; also of the port
    advertise: Callable[[int], str]  # the port to the host:port that these clients are told
    protocol: str = "PLAINTEXT"  # SSL, SASL_SSL: what they need is in Kafka.properties


class Brokers(Protocol):
    """What one broker and a cluster of them have in common, for those who use Kafka."""

    brokers: list[Kafka]

    @property
    def url(self) -> str: ...


def create_topics(brokers: str, topics: dict[str, int], seconds: float = 30) -> list[str]:
    """Creates those of the topics (name to partitions) that are missing; returns what it created."""
    admin = AdminClient({"bootstrap.servers": brokers, **QUIET})
    present = admin.list_topics(timeout=seconds).topics
    missing = [NewTopic(name, partitions) for name, partitions in topics.items() if name not in present]
    created = []
    pending = admin.create_topics(missing, operation_timeout=seconds) if missing else {}
    for name, done in pending.items():
        try:
            done.result(seconds)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # since we looked, or not shown to us yet
                raise StackError(f"topic {name} could not be created: {error.args[0].str()}") from error
        else:
            created.append(name)
    return created


def _java() -> Path:
    found = shutil.which("java")
    if not found:
        raise StackError("java is missing: install default-jre-headless")
    return Path(found).resolve()


def _jars() -> Path:
    """The folder with Kafka's jars, its logging configuration and a formatted, empty data folder."""
    pom = HERE / "kafka-pom.xml"
    parts = [(HERE / name).read_bytes() for name in ("kafka-pom.xml", "kafka-log4j2.properties", "kafka.properties")]

    def make(folder: Path, log: Path) -> None:
        fetch = ["mvn", "-B", "-C", "-f", str(pom), "dependency:copy-dependencies"]
        fetch += [f"-DoutputDirectory={folder}/lib", "-Daether.connector.http.retryHandler.count=5"]
        run_step("fetching Kafka from Maven Central", fetch, log=log)
        shutil.copy(HERE / "kafka-log4j2.properties", folder / "log4j2.properties")
        properties = folder / "server.properties"
        values = _server_properties(1, 2, folder / "formatted")
        properties.write_text(_lines(values))
        tool = _java_command(folder, C1_FLAGS, "kafka.tools.StorageTool")
        run_step("formatting Kafka's storage", [*tool, "format", "-t", CLUSTER_ID, "-c", str(properties)], log=log)

    return cached(f"kafka-{digest(*parts)}", make, what="fetching Kafka")


def _java_command(jars: Path, flags: list[str], main: str, more_jars: Path | None = None) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={jars}/log4j2.properties"
    classes = f"{jars}/lib/*" + (f":{more_jars}/*" if more_jars else "")
    return [str(_java()), *flags, logging, "-cp", classes, main]


def coordinates(url: str) -> bool:
    """Whether groups get answers: a broker that has just started first reads what it knew of them."""
    consumer = Consumer({"bootstrap.servers": url, "group.id": "nobody", **QUIET})
    try:
        consumer.committed([TopicPartition("nothing", 0)], timeout=2)
    except KafkaException:
        return False
    finally:
        consumer.close()
    return True


def _server_properties(broker_port: int, controller_port: int, data: Path) -> dict[str, str]:
    text = (HERE / "kafka.properties").read_text()
    for name, value in {"BROKER_PORT": broker_port, "CONTROLLER_PORT": controller_port, "DATA": data}.items():
        text = text.replace(f"@{name}@", str(value))
    settings = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in settings)


def _lines(properties: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _class_archive(jars: Path) -> Path | None:
    """The JVM's archive of loaded classes, which halves the start; tied to this Java and these jars."""
    release = _java().parent.parent / "release"
    name = f"{jars.name}-classes-{digest(release.read_bytes() if release.exists() else str(_java()))}"

    def make(folder: Path, log: Path) -> None:
        training = Kafka("kafka", Home(folder / "training"))
        training.jvm_flags = [*C1_FLAGS, f"-XX:ArchiveClassesAtExit={folder}/kafka.jsa", "-Xlog:disable"]
        training.stop_seconds = 60
        try:
            training.start()
            _exercise(training)
        finally:
            training.stop()
        shutil.rmtree(folder / "training")
        if not (folder / "kafka.jsa").exists():
            raise StackError(f"the JVM wrote no class archive; log {log}")

    try:
        return cached(name, make, what="making Kafka start faster") / "kafka.jsa"
    except StackError as error:
        say(f"going on without Kafka's class archive: {error}")
        return None


def _exercise(kafka: Kafka) -> None:
    """Produces and consumes a little, so that the classes for it are in the archive."""
    kafka.create_topics({"warm-up": 1})
    producer = Producer({"bootstrap.servers": kafka.url, "enable.idempotence": True, **QUIET})
    for _ in range(100):
        producer.produce("warm-up", b"x")
    producer.flush(30)
    group = {"group.id": "warm-up", "auto.offset.reset": "earliest"}
    consumer = Consumer({"bootstrap.servers": kafka.url, **group, **QUIET})
    consumer.subscribe(["warm-up"])
    if consumer.consume(100, 20):
        consumer.commit(asynchronous=False)
    consumer.close()


class Kafka(Component):
    """One broker. url is host:port, as KAFKA_BROKERS takes it."""

    usual_ports = {"kafka": 9092, "controller": 9093}
    ready_seconds = 90

    def __init__(
        self,
        name: str,
        home: Home,
        known: dict | None = None,
        *,
        jvm_defaults: bool = False,
        listeners: list[Listener] | None = None,
        number: int = 1,
    ) -> None:
        """jvm_defaults: G1 and C2 (faster when warm, for measuring) instead of a quick start."""
        self.listeners = listeners or []
        self.usual_ports = self.usual_ports | {listener.name: 0 for listener in self.listeners}
        super().__init__(name, home, known)
        self.number = number
        self.brokers: list[Kafka] = [self]  # all of its cluster
        self.properties: dict[str, str] = {}  # over those of kafka.properties
        self.jvm_flags: list[str] = ["-Xmx1g"] if jvm_defaults else []
        self.more_jars: Path | None = None  # a folder of what is not Kafka's own, see kafka_metrics.py
        self._jars: Path | None = None

    @property
    def url(self) -> str:
        return f"{self.host}:{self.ports['kafka']}"

    def prepare(self) -> None:
        self._jars = _jars()
        if not self.jvm_flags:
            archive = _class_archive(self._jars)
            self.jvm_flags = C1_FLAGS + ([f"-XX:SharedArchiveFile={archive}", "-Xlog:disable"] if archive else [])
        data = self.folder / "data"
        if not data.exists():
            shutil.copytree(self._jars / "formatted", data)
            self._sign(data / "meta.properties")
        (self.folder / "server.properties").write_text(_lines(self._server_properties(data)))

    def _sign(self, meta: Path) -> None:
        """Makes the formatted folder this node's."""
        directory = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        lines = [line for line in meta.read_text().splitlines() if not line.startswith(("node.id=", "directory.id="))]
        meta.write_text("\n".join([*lines, f"node.id={self.number}", f"directory.id={directory}", ""]))

    def _server_properties(self, data: Path) -> dict[str, str]:
        values = _server_properties(self.ports["kafka"], self.ports["controller"], data)
        voters = [f"{node.number}@{LOOPBACK}:{node.ports['controller']}" for node in self.brokers]
        values |= {"node.id": str(self.number), "controller.quorum.voters": ",".join(voters)}
        bound = [f"PLAINTEXT://{self.bind}:{self.ports['kafka']}"]
        told = [f"PLAINTEXT://{self.url}"]
        for listener in self.listeners:
            name, port = listener.name.upper().replace("-", "_"), self.ports[listener.name]
            bound.append(f"{name}://{self.bind}:{port}")
            told.append(f"{name}://{listener.advertise(port)}")
            values["listener.security.protocol.map"] += f",{name}:{listener.protocol}"
        bound.append(f"CONTROLLER://{LOOPBACK}:{self.ports['controller']}")
        return values | {"listeners": ",".join(bound), "advertised.listeners": ",".join(told)} | self.properties

    def command(self) -> list[str]:
        if self._jars is None:
            raise StackError("prepare() comes before command()")
        java = _java_command(self._jars, self.jvm_flags, "kafka.Kafka", self.more_jars)
        return [*java, str(self.folder / "server.properties")]

    def is_ready(self) -> bool:
        """It answers, its cluster counts it among its brokers, and consumers find their groups again."""
        if not accepts(self.ports["kafka"], self.host):
            return False
        admin = AdminClient({"bootstrap.servers": self.url, **QUIET})
        try:
            counted = self.number in admin.list_topics(timeout=2).brokers
        except KafkaException:
            return False
        had_groups = any(self.folder.glob("**/__consumer_offsets-0"))
        return counted and (not had_groups or coordinates(self.url))

    def administer(self, main: str, *arguments: str) -> None:
        """Runs one of Kafka's own tools (the name of its class) on the running broker."""
        if self._jars is None:
            raise StackError("start() comes before administer()")
        command = [*_java_command(self._jars, C1_FLAGS, main), "--bootstrap-server", self.url, *arguments]
        run_step(f"{main} {' '.join(arguments[:2])}", command, log=self.log.with_suffix(".admin.log"))

    def create_topics(self, topics: dict[str, int]) -> list[str]:
        """Creates the missing ones of the topics {name: partitions}; returns what it created."""
        return create_topics(self.url, topics)
