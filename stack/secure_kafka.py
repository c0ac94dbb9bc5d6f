# SPDX-License-Identifier: Apache-2.0
"""Kafka with ports for those who encrypt: SASL_SSL (SCRAM-SHA-512) and mutual TLS, beside the plain one."""

from __future__ import annotations

from stack.certificates import Authority
from stack.kafka import Kafka, Listener

# Ports of the broker: "sasl" and "mutual". By name, since librdkafka compares no addresses with certificates.
LISTENERS = (
    Listener("sasl", lambda port: f"localhost:{port}", "SASL_SSL"),
    Listener("mutual", lambda port: f"localhost:{port}", "SSL"),
)


def properties(authority: Authority, *, rights: bool = False) -> dict[str, str]:
    """For Kafka.properties. rights: who comes by these ports may do nothing until allow() says so."""
    server = authority.issue("kafka")
    guarded = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    return (guarded if rights else {}) | {
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server.both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.cert),
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram."
        "ScramLoginModule required;",
    }


def set_password(kafka: Kafka, user: str, password: str) -> None:
    change = ["--alter", "--add-config", f"SCRAM-SHA-512=[iterations=4096,password={password}]"]
    kafka.administer("kafka.admin.ConfigCommand", *change, "--entity-type", "users", "--entity-name", user)


def allow(kafka: Kafka, user: str) -> None:
    """What grpc-server, kafka-consumer, audit and recount need, for one user: "tweetmesh" or "CN=programs"."""
    topics = [word for right in ("Read", "Write", "Describe") for word in ("--operation", right)]
    for rights in ([*topics, "--topic", "*"], ["--operation", "Read", "--group", "*"]):
        kafka.administer("org.apache.kafka.tools.AclCommand", "--add", "--allow-principal", f"User:{user}", *rights)
