# SPDX-License-Identifier: Apache-2.0
"""What each recording rule gives, for a mesh in which a few things happen each minute."""

from __future__ import annotations

from promtool import Recorded, Series

AT = "30m"
LENGTH = 60


def _at(job: str, more: str = "") -> str:
    return f'{{namespace="n",job="{job}",instance="i"{"," if more else ""}{more}}}'


def _grows(each_minute: int) -> str:
    return f"0+{each_minute}x{LENGTH}"


def _stays(value: int) -> str:
    return f"{value}x{LENGTH}"


def _histogram(name: str, job: str, labels: str = "") -> Series:
    """One a second, all of them between 0 and 0.25 s."""
    comma = "," if labels else ""
    return {
        name + "_bucket" + _at(job, f'{labels}{comma}le="0.25"'): _grows(60),
        name + "_bucket" + _at(job, f'{labels}{comma}le="+Inf"'): _grows(60),
        name + "_count" + _at(job, labels): _grows(60),
    }


SERIES: Series = {
    'tweetmesh_http_requests_total{namespace="n",job="api",instance="i",route="/input",status="202"}': _grows(90),
    'tweetmesh_http_requests_total{namespace="n",job="api",instance="i",route="/input",status="503"}': _grows(30),
    **_histogram("tweetmesh_http_request_seconds", "api", 'route="/input"'),
    "tweetmesh_grpc_requests_total" + _at("grpc-server", 'method="PublishStream",code="OK"'): _grows(45),
    "tweetmesh_grpc_requests_total" + _at("grpc-server", 'method="PublishStream",code="UNAVAILABLE"'): _grows(15),
    **_histogram("tweetmesh_grpc_request_seconds", "grpc-server", 'method="PublishStream"'),
    **_histogram("tweetmesh_kafka_produce_seconds", "grpc-server", 'stream="tweets"'),
    "tweetmesh_grpc_calls" + _at("grpc-server"): _stays(1),
    "tweetmesh_events_total" + _at("grpc-server", 'stream="tweets",code="OK"'): _grows(120),
    "tweetmesh_events_total" + _at("grpc-server", 'stream="tweets",code="INVALID_ARGUMENT"'): _grows(60),
    "tweetmesh_events_total" + _at("grpc-server", 'stream="tweets",code="UNAVAILABLE"'): _grows(15),
    # The same events once more, which must not be counted twice.
    "tweetmesh_events_total" + _at("api", 'stream="tweets",code="OK"'): _grows(120),
    "tweetmesh_events_total" + _at("api", 'stream="tweets",code="UNAVAILABLE"'): _grows(15),
    "tweetmesh_hint_events_total" + _at("ws-redis"): _grows(240),
    "tweetmesh_hints_dropped_total" + _at("ws-redis", 'reason="queue_full"'): _grows(30),
    "tweetmesh_hints_dropped_total" + _at("api"): _grows(30),
    **_histogram("tweetmesh_redis_call_seconds", "ws-redis", 'function="apply"'),
    "tweetmesh_archived_total" + _at("kafka-consumer", 'stream="tweets"'): _grows(120),
    "tweetmesh_dead_letters_total" + _at("kafka-consumer", 'stream="tweets"'): _grows(15),
    "tweetmesh_settle_lost_offsets_total" + _at("kafka-consumer", 'stream="tweets"'): _stays(0),
    **_histogram("tweetmesh_stage_seconds", "kafka-consumer", 'stage="accepted_settled"'),
    **_histogram("tweetmesh_mongodb_insert_seconds", "kafka-consumer"),
    **_histogram("tweetmesh_redis_call_seconds", "kafka-consumer", 'function="settle"'),
    # One that has given partition 0 away, but still says so; one that has it now.
    'tweetmesh_log_end_offset{namespace="n",job="kafka-consumer",instance="old",stream="tweets",partition="0"}': _stays(
        5
    ),
    'tweetmesh_log_end_offset{namespace="n",job="kafka-consumer",instance="i",stream="tweets",partition="0"}': _stays(
        9
    ),
    'tweetmesh_archived_offset{namespace="n",job="kafka-consumer",instance="i",stream="tweets",partition="0"}': _stays(
        8
    ),
    'tweetmesh_settled_offset{namespace="n",job="kafka-consumer",instance="i",stream="tweets",partition="0"}': _stays(
        7
    ),
    'tweetmesh_lag_records{namespace="n",job="kafka-consumer",instance="old",stream="tweets",partition="0"}': _stays(1),
    'tweetmesh_lag_records{namespace="n",job="kafka-consumer",instance="i",stream="tweets",partition="0"}': _stays(2),
    'tweetmesh_lag_records{namespace="n",job="kafka-consumer",instance="i",stream="tweets",partition="1"}': _stays(3),
    "tweetmesh_partitions" + _at("kafka-consumer", 'stream="tweets"'): _stays(3),
    'tweetmesh_partitions{namespace="n",job="kafka-consumer",instance="j",stream="tweets"}': _stays(1),
    "tweetmesh_partitions" + _at("kafka-consumer", 'stream="nobody"'): _stays(0),
    "tweetmesh_exact" + _at("kafka-consumer", 'stream="tweets"'): _stays(1),
    "tweetmesh_exact" + _at("kafka-consumer", 'stream="nobody"'): _stays(1),
    "tweetmesh_events_in_flight" + _at("api"): _stays(25),
    "tweetmesh_setting" + _at("api", 'setting="EVENTS_IN_FLIGHT_MAX"'): _stays(100),
    "tweetmesh_http_connections" + _at("api"): _stays(50),
    "tweetmesh_setting" + _at("api", 'setting="CONNECTIONS_MAX"'): _stays(100),
    "tweetmesh_producer_queue_events" + _at("grpc-server"): _stays(75),
    "tweetmesh_setting" + _at("grpc-server", 'setting="QUEUE_LEN_MAX"'): _stays(100),
    "tweetmesh_counts_queue_windows" + _at("ws-redis"): _stays(512),
    "tweetmesh_setting" + _at("ws-redis", 'setting="QUEUE_LEN_MAX"'): _stays(1024),
}

ITEMS = {"http": 2.0, "grpc": 1.0, "kafka": 1.0, "count": 4.0, "archive": 2.0, "settle": 1.0}
ERRORS = {"http": 0.5, "grpc": 0.25, "kafka": 0.25, "count": 1.0, "archive": 0.25, "settle": 0.0}
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
QUEUES = {
    "events_in_flight": ("api", 0.25),
    "http_connections": ("api", 0.5),
    "producer": ("grpc-server", 0.75),
    "counts": ("ws-redis", 0.5),
}


def _of_hop(name: str, hop: str, value: float) -> Recorded:
    return Recorded(f'{name}{{hop="{hop}"}}', value, f'{name}{{namespace="n",hop="{hop}"}}')


def _of_partition(what: str, value: float) -> Recorded:
    name = f"tweetmesh:{what}_offset"
    return Recorded(name, value, f'{name}{{namespace="n",stream="tweets",partition="0"}}')


def _of_stream(name: str, value: float, stream: str = "tweets") -> Recorded:
    return Recorded(f'{name}{{stream="{stream}"}}', value, f'{name}{{namespace="n",stream="{stream}"}}')


def _rounded(expr: str) -> str:
    """Without the last bits of a division."""
    return f"round({expr}, 0.0001)"


CASES = [
    *(_of_hop("tweetmesh:hop_items:rate5m", hop, value) for hop, value in ITEMS.items()),
    *(_of_hop("tweetmesh:hop_errors:rate5m", hop, value) for hop, value in ERRORS.items()),
    *(_of_hop("tweetmesh:hop_errors:ratio_rate5m", hop, ERRORS[hop] / ITEMS[hop]) for hop in ITEMS),
    *(
        Recorded(_rounded(f'tweetmesh:hop_seconds:p50_5m{{hop="{hop}"}}'), 0.125, f'{{namespace="n",hop="{hop}"}}')
        for hop in ITEMS
    ),
    *(
        Recorded(_rounded(f'tweetmesh:hop_seconds:p99_5m{{hop="{hop}"}}'), 0.2475, f'{{namespace="n",hop="{hop}"}}')
        for hop in ITEMS
    ),
    Recorded(_rounded("tweetmesh:stage_seconds:p99_5m"), 0.2475, '{namespace="n",stage="accepted_settled"}'),
    _of_stream("tweetmesh:events_stored:rate5m", 2.0),
    _of_partition("log_end", 9),
    _of_partition("archived", 8),
    _of_partition("settled", 7),
    _of_stream("tweetmesh:lag_records", 5),
    _of_stream("tweetmesh:partitions", 4),
    _of_stream("tweetmesh:exact", 1),
    _of_stream("tweetmesh:exact", 0, "nobody"),
    *(
        Recorded(
            f'tweetmesh:queue:ratio{{queue="{queue}"}}',
            value,
            f'tweetmesh:queue:ratio{{namespace="n",job="{job}",instance="i",queue="{queue}"}}',
        )
        for queue, (job, value) in QUEUES.items()
    ),
    *(Recorded(_rounded(f"tweetmesh:availability_errors:ratio_rate{window}"), 0.25) for window in WINDOWS),
]
# All requests of SERIES are quick; here a quarter is not.
SLOW_SERIES: Series = {
    'tweetmesh_http_request_seconds_bucket{namespace="n",job="api",route="/input",le="0.25"}': _grows(45),
    'tweetmesh_http_request_seconds_bucket{namespace="n",job="api",route="/input",le="+Inf"}': _grows(60),
    'tweetmesh_http_request_seconds_count{namespace="n",job="api",route="/input"}': _grows(60),
    'tweetmesh_http_request_seconds_bucket{namespace="n",job="api",route="/status",le="0.25"}': _grows(0),
    'tweetmesh_http_request_seconds_count{namespace="n",job="api",route="/status"}': _grows(60),
}
SLOW_CASES = [Recorded(_rounded(f"tweetmesh:latency_errors:ratio_rate{window}"), 0.25) for window in WINDOWS]
