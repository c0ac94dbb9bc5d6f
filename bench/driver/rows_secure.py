# SPDX-License-Identifier: Apache-2.0
"""P15: what encryption costs: the same load over HTTPS, gRPC with certificates on both sides, and SASL_SSL.

Two pipelines on the same broker, loaded in turns; in the plain one api and grpc-server talk through a socket file,
as in a pod. Connections are kept, so that records are measured and not handshakes; openloop encrypts, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.driver.experiment import Experiment, Verdict, audited
from bench.driver.figures import median
from bench.driver.pace import Pace
from bench.driver.pipeline import ACCEPTING, Load, Pipeline, Setup
from bench.driver.row import Row, ratio_row
from bench.driver.rows_accept import cpu_behind
from bench.driver.site import Site
from stack import secure_kafka
from stack.certificates import Authority
from stack.process import StackError

USER, PASSWORD = "bench", "not-secret"


def encrypt(pipeline: Pipeline, authority: Authority) -> None:
    """Before its programs start."""
    https, server, client = (authority.issue(name) for name in ("api", "grpc-server", "api-as-client"))
    port = pipeline["grpc-server"].ports["grpc"]
    grpc = {"GRPC_CA": str(authority.cert)}
    pipeline["api"].settings |= grpc | {
        "TLS_CERT": str(https.cert),
        "TLS_KEY": str(https.key),
        "GRPC_TARGET": f"127.0.0.1:{port}",
        "GRPC_CERT": str(client.cert),
        "GRPC_KEY": str(client.key),
    }
    kafka = {
        "KAFKA_BROKERS": f"localhost:{pipeline.site.servers.kafka.ports['sasl']}",
        "KAFKA_TLS": "true",
        "KAFKA_CA": str(authority.cert),
        "KAFKA_USER": USER,
        "KAFKA_PASSWORD": PASSWORD,
    }
    pipeline["kafka-consumer"].settings |= kafka
    pipeline["grpc-server"].settings |= grpc | kafka
    pipeline["grpc-server"].settings |= {"GRPC_CERT": str(server.cert), "GRPC_KEY": str(server.key)}


@contextmanager
def encrypted(site: Site, authority: Authority, verdict: Verdict) -> Iterator[Pipeline]:
    """As audited(), with nothing plain between client and Kafka."""
    pipeline = Pipeline(site, Setup("encrypted", programs=ACCEPTING))
    encrypt(pipeline, authority)
    with pipeline:
        yield pipeline
        verdict.void = pipeline.verdict()


class Secure(Experiment):
    """One event a request, 64 keep-alive connections, encrypted and plain in turns."""

    ids = ("P15",)
    text = "one event a request, encrypted and plain"

    def estimate(self, pace: Pace) -> float:
        return pace.rounds * 2 * (pace.seconds + pace.warm_s) + 3 * pace.broker_warm_s + pace.seconds + 12

    def run(self, site: Site, wanted: Sequence[str]) -> list[Row]:
        if site.authority is None:
            raise StackError("the site has no port for TLS")
        secure_kafka.set_password(site.servers.kafka, USER, PASSWORD)
        ca = str(site.authority.cert)
        tls, plain = [], []
        verdicts = Verdict(), Verdict()
        with (
            encrypted(site, site.authority, verdicts[0]) as secured,
            audited(site, Setup("unencrypted", programs=ACCEPTING), verdicts[1]) as open_one,
        ):
            # Encrypting is code that the JVM has not compiled yet, and while it compiles, it takes of the same cores.
            secured.load(2 * site.pace.broker_warm_s, ca=ca)
            open_one.load(site.pace.broker_warm_s)
            for number in range(site.pace.rounds):
                secured.warm(ca=ca)
                tls.append(secured.load(site.pace.seconds, ca=ca))
                open_one.warm()
                plain.append(open_one.load(site.pace.seconds))
                site.say(f"  round {number + 1}: {tls[-1].per_s:,.0f} events/s encrypted, {plain[-1].per_s:,.0f} plain")
        row = ratio_row(
            "P15", [load.per_s for load in tls], [load.per_s for load in plain], "/s", **self._behind(tls, plain)
        )
        row.void = verdicts[0].void or verdicts[1].void
        return [row]

    def _behind(self, tls: list[Load], plain: list[Load]) -> dict[str, object]:
        told: dict[str, object] = {}
        for name, loads in (("encrypted", tls), ("plain", plain)):
            told[f"{name} CPU µs/event"] = cpu_behind(loads)
            told[f"{name} p50 ms"] = round(median([load.latency["ms_since_sent"]["p50"] for load in loads]), 3)
            told[f"{name} p99 ms"] = round(median([load.latency["ms_since_sent"]["p99"] for load in loads]), 3)
        return told
