# SPDX-License-Identifier: Apache-2.0
"""Kafka, Redis and a MongoDB server that want TLS and log-ins, beside the plain ports that the judge uses."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from stack import secure_kafka
from stack.certificates import Authority
from stack.component import LOOPBACK, Home
from stack.kafka import Kafka
from stack.mongo import Mongo, real_mongod
from stack.ports import free_port
from stack.redis_server import Redis

USER, PASSWORD = "tweetmesh", "correct-horse"
# What our programs do in Redis, and nothing else; operations.md has the same line, a test compares them.
REDIS_RIGHTS = (
    "resetkeys ~{*}:* ~tweetmesh:health resetchannels -@all +fcall +fcall_ro +function|load "
    "+hget +hmget +hgetall +hlen +hset +hdel +lrange +lpush +ltrim +xadd +xrevrange "
    "+expire +persist +unlink +rename +ping +select"
)


class SecureMongo(Mongo):
    """With a second port for TLS, and a user; nobody without a password may do anything."""

    usual_ports = {"mongo": 0, "tls": 0}
    authority: Authority

    @property
    def url(self) -> str:
        return f"mongodb://{USER}:{PASSWORD}@{self.host}:{self.ports['mongo']}/"

    @property
    def tls_uri(self) -> str:
        return f"mongodb://localhost:{self.ports['tls']}/"

    def command(self) -> list[str]:
        server = self.authority.issue("mongodb")
        return [
            *super().command(),
            f"--listen-tls={LOOPBACK}:{self.ports['tls']}",
            f"--listen-tls-cert-file={server.cert}",
            f"--listen-tls-key-file={server.key}",
            f"--listen-tls-ca-file={self.authority.cert}",
            "--test-enable-new-auth=true",
            "--setup-database=admin",
            f"--setup-username={USER}",
            f"--setup-password={PASSWORD}",
        ]


class SecureServers:
    """All three. kafka, redis and mongo have .url for the judge; programs get settings()."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        home = Home(folder)
        self.redis_port = free_port()
        self.kafka = self._kafka(home)
        self.redis = self._redis(home)
        self.mongo = SecureMongo("mongo", home)
        self.mongo.authority = self.authority
        self.password_file = folder / "password"
        self.password_file.write_text(PASSWORD + "\n")

    def _kafka(self, home: Home) -> Kafka:
        kafka = Kafka("kafka", home, listeners=list(secure_kafka.LISTENERS))
        kafka.properties = secure_kafka.properties(self.authority, rights=True)
        return kafka

    def _redis(self, home: Home) -> Redis:
        server = self.authority.issue("redis")
        options = {
            "tls-port": str(self.redis_port),
            "tls-cert-file": str(server.cert),
            "tls-key-file": str(server.key),
            "tls-ca-cert-file": str(self.authority.cert),
            "tls-auth-clients": "optional",
        }
        return Redis("redis", home, options=options)

    def start(self) -> SecureServers:
        if real_mongod():
            raise AssertionError("written for FerretDB's options; unset MONGOD and take mongod out of PATH")
        for server in (self.redis, self.mongo, self.kafka):
            server.launch()
        for server in (self.redis, self.mongo, self.kafka):
            server.wait_ready()
        self.redis_command(f"ACL SETUSER {USER} on >{PASSWORD} {REDIS_RIGHTS}")
        secure_kafka.set_password(self.kafka, USER, PASSWORD)
        for user in (USER, "CN=programs"):
            secure_kafka.allow(self.kafka, user)
        return self

    def stop(self) -> None:
        for server in (self.kafka, self.mongo, self.redis):
            server.stop()

    # What an administrator does.

    def redis_command(self, line: str) -> str:
        with socket.create_connection((LOOPBACK, self.redis.ports["redis"]), 5) as connection:
            connection.sendall(line.encode() + b"\r\n")
            answer = connection.recv(65536).decode()
        assert not answer.startswith("-"), f"{line}: {answer}"
        return answer

    # What programs are told.

    def kafka_settings(self) -> dict[str, str]:
        return {
            "KAFKA_BROKERS": f"localhost:{self.kafka.ports['sasl']}",
            "KAFKA_TLS": "true",
            "KAFKA_CA": str(self.authority.cert),
            "KAFKA_USER": USER,
            "KAFKA_PASSWORD_FILE": str(self.password_file),
        }

    def kafka_mutual_settings(self) -> dict[str, str]:
        ours = self.authority.issue("programs")
        return {
            "KAFKA_BROKERS": f"localhost:{self.kafka.ports['mutual']}",
            "KAFKA_TLS": "true",
            "KAFKA_CA": str(self.authority.cert),
            "KAFKA_CERT": str(ours.cert),
            "KAFKA_KEY": str(ours.key),
        }

    def redis_settings(self) -> dict[str, str]:
        return {
            "REDIS_URL": f"rediss://localhost:{self.redis_port}/0",
            "REDIS_CA": str(self.authority.cert),
            "REDIS_USER": USER,
            "REDIS_PASSWORD_FILE": str(self.password_file),
        }

    def mongo_settings(self) -> dict[str, str]:
        ours = self.authority.issue("programs")
        return {
            "MONGODB_URI": self.mongo.tls_uri,
            "MONGODB_CA": str(self.authority.cert),
            "MONGODB_CERT": str(ours.both),
            "MONGODB_USER": USER,
            "MONGODB_PASSWORD_FILE": str(self.password_file),
        }

    def store_settings(self) -> dict[str, str]:
        return self.kafka_settings() | self.redis_settings() | self.mongo_settings()


def other_password(folder: Path) -> Path:
    """A file with a password that nobody has."""
    path = folder / f"wrong-{secrets.token_hex(4)}"
    path.write_text("wrong\n")
    return path
