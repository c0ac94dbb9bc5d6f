# SPDX-License-Identifier: Apache-2.0
"""Goal: every connection can be encrypted and logged in, certificates change under load without a failed request.

Method: Kafka (SASL_SSL and mutual TLS, ACLs), Redis (TLS, ACL user) and FerretDB (TLS, SCRAM), certificates made here;
our real programs with HTTPS, gRPC mTLS and wss between them; a load; the audit, which logs in as they do.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.events import tweets
from support.http import Client, HttpsClient
from support.secure import PASSWORD, REDIS_RIGHTS, USER, SecureServers, other_password
from support.streams import PARTITIONS, PROJECT
from support.tested import Tested
from support.waiting import wait_for

from stack import secure_kafka
from stack.certificates import Authority
from stack.kafka import create_topics
from stack.kafka_log import compression_types
from stack.mesh import stream_topics

EXPIRY = "tweetmesh_certificate_expiry_timestamp_seconds"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServers]:
    servers = SecureServers(tmp_path_factory.mktemp("secure"))
    try:
        yield servers.start()
    finally:
        servers.stop()


class Encrypted:
    """A mesh in which nothing is plain but the ops ports."""

    def __init__(self, secure: SecureServers, folder: Path, kafka: dict[str, str] | None = None) -> None:
        authority = secure.authority
        self.https, self.grpc, self.ws = (authority.issue(name) for name in ("api", "grpc-server", "ws-redis"))
        self.client = authority.issue("api-as-client")
        self.ca = str(authority.cert)
        self.kafka = kafka or secure.kafka_settings()
        self.tested = Tested(folder, secure)  # type: ignore[arg-type]
        ports = {name: self.tested[name].ports for name in ("grpc-server", "ws-redis")}
        self.stores = self.kafka | secure.redis_settings() | secure.mongo_settings()
        self.settings = {
            "api": {
                "TLS_CERT": str(self.https.cert),
                "TLS_KEY": str(self.https.key),
                "GRPC_TARGET": f"127.0.0.1:{ports['grpc-server']['grpc']}",
                "GRPC_CA": self.ca,
                "GRPC_CERT": str(self.client.cert),
                "GRPC_KEY": str(self.client.key),
                "WS_URL": f"wss://localhost:{ports['ws-redis']['ws']}/",
                "WS_CA": self.ca,
            },
            "grpc-server": {
                "GRPC_LISTEN": f"127.0.0.1:{ports['grpc-server']['grpc']}",
                "GRPC_CA": self.ca,
                "GRPC_CERT": str(self.grpc.cert),
                "GRPC_KEY": str(self.grpc.key),
            }
            | self.kafka,
            "ws-redis": {"TLS_CERT": str(self.ws.cert), "TLS_KEY": str(self.ws.key)} | secure.redis_settings(),
            "kafka-consumer": self.stores,
        }
        for name, settings in self.settings.items():
            self.set(name, **settings)

    def set(self, name: str, **settings: str) -> None:
        """Settings of a program that is not running; NAME takes the place of NAME_FILE, and the other way round."""
        own = self.tested[name].settings
        for setting, value in settings.items():
            own.pop(setting.removesuffix("_FILE"), None)
            own.pop(f"{setting}_FILE", None)
            own[setting] = value

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    def caller(self) -> HttpsClient:
        return HttpsClient(self.tested["api"].ports["http"], self.context())

    def post(self, event: dict, client: Client | None = None) -> int:
        if client is not None:
            return client.post("/input", event).status
        own = self.caller()
        try:
            return own.post("/input", event).status
        finally:
            own.close()

    def log_events(self, name: str, event: str) -> list[str]:
        return [line for line in self.tested[name].log.read_text().splitlines() if f'"event":"{event}"' in line]

    def audit(self, run_program) -> subprocess.CompletedProcess[str]:
        environment = self.stores | {
            "STREAMS_DIR": str(self.tested.stream.folder),
            "MONGODB_DATABASE": self.tested.mesh.options.database,
        }
        return run_program("audit", "--wait", "60", **environment)


@pytest.fixture
def encrypted(secure: SecureServers, tmp_path: Path) -> Iterator[Encrypted]:
    mesh = Encrypted(secure, tmp_path / "mesh")
    yield mesh
    mesh.tested.close()


def serial_at(port: int, context: ssl.SSLContext) -> str:
    """The serial number of the certificate that a port shows."""
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        return tls.getpeercert()["serialNumber"]


@pytest.mark.parametrize("kafka", ["password", "certificate"])
def test_a_load_over_everything_encrypted_is_counted_and_archived(
    secure: SecureServers, tmp_path: Path, run_program, kafka: str
) -> None:
    settings = secure.kafka_settings() if kafka == "password" else secure.kafka_mutual_settings()
    mesh = Encrypted(secure, tmp_path / "mesh", settings)
    secure.redis_command("ACL LOG RESET")
    try:
        mesh.tested.start()
        client = mesh.caller()
        for event in tweets(200):
            assert mesh.post(event, client) == 202
        client.close()
        done = mesh.audit(run_program)
        assert done.returncode == 0, done.stdout + done.stderr
        assert mesh.tested.stored() == 200
        assert secure.redis_command("ACL LOG").startswith("*0"), "Redis refused something"
        wait_for("hints go over wss", lambda: mesh.tested["api"].metric("tweetmesh_hints_total") == 200)
        for name, use in (("api", "https"), ("api", "grpc"), ("grpc-server", "grpc"), ("ws-redis", "https")):
            assert mesh.tested[name].metric(EXPIRY, use=use) > 1_700_000_000, (name, use)
        lists = mesh.caller()
        assert lists.post("/input", tweets(100)).status == 202  # one alone would not become smaller
        lists.close()
        assert "lz4" in compression_types(secure.kafka, mesh.tested.stream.topic), "KAFKA_COMPRESSION is auto"
    finally:
        mesh.tested.close()


def test_certificates_change_under_load_without_a_failed_request(encrypted: Encrypted, secure: SecureServers) -> None:
    encrypted.tested.start()
    api, ws, grpc = (encrypted.tested[name] for name in ("api", "ws-redis", "grpc-server"))
    statuses: list[int] = []
    errors: list[BaseException] = []
    stop = threading.Event()

    def load(fresh: bool) -> None:
        client = encrypted.caller()
        try:
            while not stop.is_set():
                if fresh:
                    client.close()
                    client = encrypted.caller()
                statuses.append(encrypted.post(next(iter(tweets(1))), client))
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)
        client.close()

    threads = [threading.Thread(target=load, args=(fresh,)) for fresh in (True, False)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            before = {port: serial_at(port, encrypted.context()) for port in (api.ports["http"], ws.ports["ws"])}
            for certificate, name in ((encrypted.https, "api"), (encrypted.ws, "ws-redis")):
                certificate.replace_with(secure.authority.issue(name))
            encrypted.grpc.replace_with(secure.authority.issue("grpc-server"))
            encrypted.client.replace_with(secure.authority.issue("api-as-client"))
            for port, serial in before.items():
                wait_for(
                    "new connections have the new certificate",
                    lambda port=port, serial=serial: serial_at(port, encrypted.context()) != serial,
                )
        seen = len(statuses)
        wait_for("the load goes on", lambda: len(statuses) > seen + 20 or errors)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors, errors
    assert set(statuses) == {202}
    assert encrypted.log_events("api", "secrets_renewed")
    grpc.restart()  # whoever connects now shows the new certificates to each other
    wait_for("api is back", api.is_ready, 60)
    assert wait_for("taken again", lambda: encrypted.post({"text": "after", "country": "GT"}) == 202)


def test_passwords_in_files_are_read_again(encrypted: Encrypted, secure: SecureServers, tmp_path: Path) -> None:
    """A wrong password first: one error, not ready; then the file is mended, and all goes on without a restart."""
    wrong = other_password(tmp_path)
    for name in ("grpc-server", "kafka-consumer"):
        encrypted.set(name, KAFKA_PASSWORD_FILE=str(wrong))
    for name in ("ws-redis", "kafka-consumer"):
        encrypted.set(name, REDIS_PASSWORD_FILE=str(wrong))
    encrypted.set("kafka-consumer", MONGODB_PASSWORD_FILE=str(wrong))
    create_topics(secure.kafka.url, stream_topics(encrypted.tested.stream.folder, PARTITIONS))
    programs = [encrypted.tested[name] for name in ("ws-redis", "grpc-server", "kafka-consumer")]
    for program in programs:
        program.prepare()
        program.launch()
    for name, event in (
        ("grpc-server", "kafka_login_failed"),
        ("kafka-consumer", "kafka_login_failed"),
        ("ws-redis", "redis_away"),
        ("kafka-consumer", "mongodb_away"),
    ):
        wait_for(f"{name} says {event}", lambda name=name, event=event: encrypted.log_events(name, event), 60)
    assert all(not program.is_ready() for program in programs)
    assert all(len(encrypted.log_events(name, "kafka_login_failed")) == 1 for name in ("grpc-server", "kafka-consumer"))
    assert "UNAUTHENTICATED" in encrypted.log_events("ws-redis", "redis_away")[0]
    wrong.write_text(PASSWORD + "\n")
    for program in programs:
        program.wait_ready(90)
    for program in programs:
        assert PASSWORD not in program.log.read_text()


WRONG = {
    "grpc-server does not know the broker's authority": ("grpc-server", {"KAFKA_CA": "stranger"}, "kafka_login_failed"),
    "kafka-consumer does not know Redis' authority": ("kafka-consumer", {"REDIS_CA": "stranger"}, "redis_away"),
    "kafka-consumer does not know MongoDB's authority": ("kafka-consumer", {"MONGODB_CA": "stranger"}, "mongodb_away"),
    "ws-redis does not know Redis' authority": ("ws-redis", {"REDIS_CA": "stranger"}, "redis_away"),
    "api does not know grpc-server's authority": ("api", {"GRPC_CA": "stranger"}, "grpc_unreachable"),
    "grpc-server is somebody else": ("api", {"GRPC_SERVER_NAME": "elsewhere.example"}, "grpc_unreachable"),
    "api has no certificate": ("api", {"GRPC_CERT": "", "GRPC_KEY": ""}, "grpc_unreachable"),
    "api's certificate has expired": ("api", {"GRPC_CERT": "expired", "GRPC_KEY": "expired"}, "certificate_expired"),
    "the public certificate has expired": ("api", {"TLS_CERT": "expired", "TLS_KEY": "expired"}, "certificate_expired"),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_wrong_thing_gives_one_clear_error(
    encrypted: Encrypted, secure: SecureServers, tmp_path: Path, case: str
) -> None:
    name, settings, event = WRONG[case]
    stranger = Authority(tmp_path, "stranger")
    expired = secure.authority.issue("expired", expired=True)
    for setting, value in settings.items():
        found = {"stranger": stranger.cert, "expired": expired.key if setting.endswith("KEY") else expired.cert}
        encrypted.set(name, **{setting: str(found.get(value, value))})
    if name == "api":
        encrypted.tested.start("ws-redis", "grpc-server")
    program = encrypted.tested[name]
    program.prepare()
    program.launch()
    wait_for(f"{name} says {event}", lambda: encrypted.log_events(name, event), 60)
    wait_for("it answers", lambda: program.get("/healthz")[0] == 200)
    assert not program.is_ready()
    assert len(encrypted.log_events(name, event)) == 1


def test_missing_rights_in_kafka_are_told(encrypted: Encrypted, secure: SecureServers, tmp_path: Path) -> None:
    secure_kafka.set_password(secure.kafka, "nobody", PASSWORD)
    encrypted.tested.start("ws-redis")
    for name in ("grpc-server", "kafka-consumer"):
        encrypted.set(name, KAFKA_USER="nobody")
        program = encrypted.tested[name]
        program.prepare()
        program.launch()
    for name in ("grpc-server", "kafka-consumer"):
        log = encrypted.tested[name].log
        wait_for(f"{name} says what is missing", lambda log=log: "authorization" in log.read_text().lower(), 60)
        assert not encrypted.tested[name].is_ready()


def test_missing_rights_in_redis_are_told(encrypted: Encrypted, secure: SecureServers) -> None:
    secure.redis_command(f"ACL SETUSER bystander reset on >{PASSWORD} +ping +select")
    encrypted.set("ws-redis", REDIS_USER="bystander")
    program = encrypted.tested["ws-redis"]
    program.prepare()
    program.launch()
    line = wait_for("it says so", lambda: encrypted.log_events("ws-redis", "redis_away"), 60)[0]
    assert "PERMISSION_DENIED" in line and "NOPERM" in line
    assert not program.is_ready()


def test_the_rights_in_redis_are_those_of_the_manual() -> None:
    manual = (PROJECT / "docs/operations.md").read_text()
    assert f"ACL SETUSER {USER} on >PASSWORD {REDIS_RIGHTS}" in manual
