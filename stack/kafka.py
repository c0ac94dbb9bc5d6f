# SPDX-License-Identifier: Apache-2.0
"""A real Kafka broker (KRaft, one node) on loopback, from Maven Central."""

from __future__ import annotations

import shutil
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from stack.cache import cached, digest, run_step, say
from stack.component import Component, Home
from stack.ports import accepts
from stack.process import StackError

HERE = Path(__file__).parent
QUIET = {"log_level": 0, "socket.timeout.ms": 5000}
C1_FLAGS = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"


def create_topics(brokers: str, topics: dict[str, int], seconds: float = 30) -> list[str]:
    """Creates those of the topics (name to partitions) that are missing; returns what it created."""
    admin = AdminClient({"bootstrap.servers": brokers, **QUIET})
    present = admin.list_topics(timeout=seconds).topics
    missing = [NewTopic(name, partitions) for name, partitions in topics.items() if name not in present]
    if missing:
        for name, done in admin.create_topics(missing, operation_timeout=seconds).items():
            try:
                done.result(seconds)
            except KafkaException as error:
                raise StackError(f"topic {name} could not be created: {error.args[0].str()}") from error
    return [topic.topic for topic in missing]


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
        properties.write_text(_server_properties(1, 2, folder / "formatted"))
        tool = _java_command(folder, C1_FLAGS, "kafka.tools.StorageTool")
        run_step("formatting Kafka's storage", [*tool, "format", "-t", CLUSTER_ID, "-c", str(properties)], log=log)

    return cached(f"kafka-{digest(*parts)}", make, what="fetching Kafka")


def _java_command(jars: Path, flags: list[str], main: str) -> list[str]:
    logging = f"-Dlog4j2.configurationFile={jars}/log4j2.properties"
    return [str(_java()), *flags, logging, "-cp", f"{jars}/lib/*", main]


def _server_properties(broker_port: int, controller_port: int, data: Path) -> str:
    text = (HERE / "kafka.properties").read_text()
    values = {"BROKER_PORT": broker_port, "CONTROLLER_PORT": controller_port, "DATA": data}
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


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

    def __init__(self, name: str, home: Home, known: dict | None = None, *, jvm_defaults: bool = False) -> None:
        """jvm_defaults: G1 and C2 (faster when warm, for measuring) instead of a quick start."""
        super().__init__(name, home, known)
        self.jvm_flags: list[str] = ["-Xmx1g"] if jvm_defaults else []
        self._jars: Path | None = None

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.ports['kafka']}"

    def prepare(self) -> None:
        self._jars = _jars()
        if not self.jvm_flags:
            archive = _class_archive(self._jars)
            self.jvm_flags = C1_FLAGS + ([f"-XX:SharedArchiveFile={archive}", "-Xlog:disable"] if archive else [])
        data = self.folder / "data"
        if not data.exists():
            shutil.copytree(self._jars / "formatted", data)
        properties = _server_properties(self.ports["kafka"], self.ports["controller"], data)
        (self.folder / "server.properties").write_text(properties)

    def command(self) -> list[str]:
        if self._jars is None:
            raise StackError("prepare() comes before command()")
        return [*_java_command(self._jars, self.jvm_flags, "kafka.Kafka"), str(self.folder / "server.properties")]

    def is_ready(self) -> bool:
        if not accepts(self.ports["kafka"]):
            return False
        try:
            return bool(AdminClient({"bootstrap.servers": self.url, **QUIET}).list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    def create_topics(self, topics: dict[str, int]) -> list[str]:
        """Creates the missing ones of the topics {name: partitions}; returns what it created."""
        return create_topics(self.url, topics)
