# SPDX-License-Identifier: Apache-2.0
"""When each alert fires, when it waits, and when it must not fire."""

from __future__ import annotations

from promtool import AlertCase, Series


def at(job: str, more: str = "") -> str:
    """Labels of a target of ours."""
    return f'{{namespace="n",job="{job}",instance="i"{"," if more else ""}{more}}}'


def requests(good: int, bad: int, steps: int) -> Series:
    """So many requests a step, answered 202 and 503."""
    name = "tweetmesh_http_requests_total"
    return {
        name + at("api", 'route="/input",status="202"'): f"0+{good}x{steps}",
        name + at("api", 'route="/input",status="503"'): f"0+{bad}x{steps}",
    }


def durations(fast: int, slow: int, steps: int) -> Series:
    """So many requests a step within 250 ms, and longer ones."""
    name = "tweetmesh_http_request_seconds"
    return {
        name + "_bucket" + at("api", 'route="/input",le="0.25"'): f"0+{fast}x{steps}",
        name + "_bucket" + at("api", 'route="/input",le="+Inf"'): f"0+{fast + slow}x{steps}",
        name + "_count" + at("api", 'route="/input"'): f"0+{fast + slow}x{steps}",
    }


def offsets(end: str, settled: str) -> Series:
    where = 'stream="tweets",partition="0"'
    return {
        "tweetmesh_log_end_offset" + at("kafka-consumer", where): end,
        "tweetmesh_settled_offset" + at("kafka-consumer", where): settled,
    }


def ours(job: str, setting: str = "OPS_PORT", value: str = "8081") -> Series:
    return {"tweetmesh_setting" + at(job, f'setting="{setting}"'): f"{value}x400"}


STREAM = '{namespace="n",stream="tweets"}'
# A burst of errors that is over: the long window still remembers it, the short one does not.
BURST_202 = "tweetmesh_http_requests_total" + at("api", 'route="/input",status="202"')
BURST_503 = "tweetmesh_http_requests_total" + at("api", 'route="/input",status="503"')
ALL_RUN: Series = {
    "tweetmesh_http_connections" + at("api"): "1x60",
    "tweetmesh_grpc_calls" + at("grpc-server"): "1x60",
    "tweetmesh_feeders" + at("ws-redis"): "1x60",
    "tweetmesh_mongodb_up" + at("kafka-consumer"): "1x60",
}
VOLUME = '{namespace="n",persistentvolumeclaim="data-kafka-0"}'
CONTAINER = '{namespace="n",pod="p",container="api"}'

CASES = [
    AlertCase(
        "ApiErrorBudgetBurnsFast",
        bad=requests(98, 2, 70),
        good=(
            requests(995, 5, 70),
            {BURST_202: "0+100x70", BURST_503: "0+50x10 500x60"},
            {
                "tweetmesh_http_requests_total" + at("api", 'route="/other",status="503"'): "0+50x70",
                "tweetmesh_http_requests_total" + at("api", 'route="/input",status="202"'): "0+50x70",
            },
        ),
        fires_at="65m",
        evaluated="5m",
    ),
    # Six hours at 0.8 %: too little for the hour, too much for the budget of six.
    AlertCase(
        "ApiErrorBudgetBurnsFast",
        bad=requests(992, 8, 400),
        good=(requests(996, 4, 400),),
        fires_at="390m",
        evaluated="10m",
    ),
    AlertCase(
        "ApiErrorBudgetBurnsSlowly",
        bad=requests(996, 4, 110),
        good=(requests(9995, 5, 110),),
        fires_at="25h",
        interval="15m",
        evaluated="30m",
    ),
    AlertCase(
        "ApiErrorBudgetBurnsSlowly",
        bad=requests(998, 2, 80),
        good=(requests(9995, 5, 80), {BURST_202: "0+1000x80", BURST_503: "0+20x60 1200x20"}),
        fires_at="76h",
        interval="1h",
        evaluated="1h",
    ),
    AlertCase(
        "ApiLatencyBudgetBurnsFast",
        bad=durations(80, 20, 70),
        good=(durations(95, 5, 70),),
        fires_at="65m",
        evaluated="5m",
    ),
    AlertCase(
        "ApiLatencyBudgetBurnsFast",
        bad=durations(92, 8, 400),
        good=(durations(95, 5, 400),),
        fires_at="390m",
        evaluated="10m",
    ),
    AlertCase(
        "ApiLatencyBudgetBurnsSlowly",
        bad=durations(96, 4, 110),
        good=(durations(995, 5, 110),),
        fires_at="25h",
        interval="15m",
        evaluated="30m",
    ),
    AlertCase(
        "ApiLatencyBudgetBurnsSlowly",
        bad=durations(98, 2, 80),
        good=(durations(995, 5, 80),),
        fires_at="76h",
        interval="1h",
        evaluated="1h",
    ),
    AlertCase(
        "LagGrowing",
        bad={"tweetmesh_lag_records" + at("kafka-consumer", 'stream="tweets",partition="0"'): "0+400x40"},
        good=(
            {"tweetmesh_lag_records" + at("kafka-consumer", 'stream="tweets",partition="0"'): "0+10x40"},
            {"tweetmesh_lag_records" + at("kafka-consumer", 'stream="tweets",partition="0"'): "90000-100x40"},
        ),
        pending_at="8m",
        fires_at="20m",
        labels=STREAM,
    ),
    AlertCase(
        "CountersNotExact",
        bad=offsets("1000x40", "1000x5 990x35"),
        good=(
            offsets("1000x40", "1000x40"),
            # Under load it is always a little behind, but never five minutes.
            offsets("0+1000x40", "0+1000x40"),
            offsets("0+1000x40", "0 0 0+1000x38"),
        ),
        pending_at="8m",
        fires_at="14m",
        labels=STREAM,
    ),
    AlertCase(
        "AuditDiffers",
        bad={"tweetmesh_settle_lost_offsets_total" + at("kafka-consumer", 'stream="tweets"'): "0x5 300x20"},
        good=({"tweetmesh_settle_lost_offsets_total" + at("kafka-consumer", 'stream="tweets"'): "300x25"},),
        pending_at="6m",
        fires_at="9m",
        labels=STREAM,
    ),
    AlertCase(
        "AuditDiffers",
        bad={"tweetmesh_topic_changed" + at("kafka-consumer", 'stream="tweets"'): "0x5 1x20"},
        good=({"tweetmesh_topic_changed" + at("kafka-consumer", 'stream="tweets"'): "0x25"},),
        pending_at="6m30s",
        fires_at="9m",
        labels=STREAM,
    ),
    AlertCase(
        "DeadLetters",
        bad={"tweetmesh_dead_letters_total" + at("kafka-consumer", 'stream="tweets"'): "0x5 1x20"},
        good=({"tweetmesh_dead_letters_total" + at("kafka-consumer", 'stream="tweets"'): "7x25"},),
        fires_at="8m",
        labels=STREAM,
    ),
    AlertCase(
        "HintsDropped",
        bad={"tweetmesh_hints_dropped_total" + at("ws-redis", 'reason="queue_full"'): "0+5x20"},
        good=({"tweetmesh_hints_dropped_total" + at("ws-redis", 'reason="queue_full"'): "5x20"},),
        pending_at="4m",
        fires_at="9m",
        labels='{namespace="n",job="ws-redis"}',
    ),
    AlertCase(
        "KafkaUnreachable",
        bad={"tweetmesh_producer_up" + at("grpc-server"): "1x5 0x20"},
        good=({"tweetmesh_producer_up" + at("grpc-server"): "1x25"}, {"tweetmesh_kafka_up" + at("c"): "1x25"}),
        pending_at="6m30s",
        fires_at="9m",
        labels=at("grpc-server"),
    ),
    AlertCase(
        "KafkaUnreachable",
        bad={"tweetmesh_kafka_up" + at("kafka-consumer"): "0x20"},
        good=({"tweetmesh_kafka_up" + at("kafka-consumer"): "0 1x20"},),
        pending_at="30s",
        fires_at="2m",
        labels=at("kafka-consumer"),
    ),
    AlertCase(
        "MongoDBUnreachable",
        bad={"tweetmesh_mongodb_up" + at("kafka-consumer"): "1x5 0x20"},
        good=({"tweetmesh_mongodb_up" + at("kafka-consumer"): "1x25"},),
        pending_at="6m30s",
        fires_at="9m",
        labels=at("kafka-consumer"),
    ),
    AlertCase(
        "RedisUnreachable",
        bad={"tweetmesh_redis_up" + at("ws-redis"): "1x5 0x20"},
        good=({"tweetmesh_redis_up" + at("ws-redis"): "1x25"},),
        pending_at="6m30s",
        fires_at="9m",
        labels=at("ws-redis"),
    ),
    AlertCase(
        "GrpcServerUnreachable",
        bad={"tweetmesh_stream_up" + at("api"): "1x5 0x20"},
        good=({"tweetmesh_stream_up" + at("api"): "1x25"},),
        pending_at="6m30s",
        fires_at="9m",
        labels=at("api"),
    ),
    AlertCase(
        "KafkaUnderReplicated",
        bad={'kafka_server_replicamanager_underreplicatedpartitions{namespace="n",pod="kafka-0"}': "2x20"},
        good=({'kafka_server_replicamanager_underreplicatedpartitions{namespace="n",pod="kafka-0"}': "0x20"},),
        pending_at="4m",
        fires_at="6m",
    ),
    AlertCase(
        "ProgramDown",
        bad={"up" + at("api"): "1x5 0x30"} | {"tweetmesh_setting" + at("api", 'setting="OPS_PORT"'): "8081x5 stale"},
        good=({"up" + at("api"): "1x40"} | ours("api"), {"up" + at("some-other-thing"): "0x40"}),
        pending_at="7m",
        fires_at="10m",
        labels=at("api"),
    ),
    AlertCase(
        "ProgramAbsent",
        bad={name: values for name, values in ALL_RUN.items() if "feeders" not in name},
        good=(ALL_RUN,),
        pending_at="4m",
        fires_at="6m",
        labels='{program="ws-redis"}',
    ),
    AlertCase(
        "ProgramAbsent",
        bad={name: values for name, values in ALL_RUN.items() if "connections" not in name},
        good=(ALL_RUN,),
        fires_at="6m",
        labels='{program="api"}',
    ),
    AlertCase(
        "ProgramAbsent",
        bad={name: values for name, values in ALL_RUN.items() if "calls" not in name},
        good=(ALL_RUN,),
        fires_at="6m",
        labels='{program="grpc-server"}',
    ),
    AlertCase(
        "ProgramAbsent",
        bad={name: values for name, values in ALL_RUN.items() if "mongodb" not in name},
        good=(ALL_RUN,),
        fires_at="6m",
        labels='{program="kafka-consumer"}',
    ),
    AlertCase(
        "ProgramRestarts",
        bad={"process_start_time_seconds" + at("api"): "100x5 200x5 300x5 400x5"},
        good=({"process_start_time_seconds" + at("api"): "100x5 200x15"},),
        fires_at="20m",
        labels=at("api"),
        extra=ours("api"),
    ),
    AlertCase(
        "ConsumerWithoutPartitions",
        bad={"tweetmesh_partitions" + at("kafka-consumer", 'stream="tweets"'): "4x5 0x30"},
        good=(
            {"tweetmesh_partitions" + at("kafka-consumer", 'stream="tweets"'): "4x35"},
            {
                "tweetmesh_partitions" + at("kafka-consumer", 'stream="a"'): "0x35",
                "tweetmesh_partitions" + at("kafka-consumer", 'stream="b"'): "1x35",
            },
        ),
        pending_at="9m",
        fires_at="12m",
        labels=at("kafka-consumer"),
    ),
    AlertCase(
        "QueueNearLimit",
        bad={"tweetmesh_producer_queue_events" + at("grpc-server"): "10x5 90x30"},
        good=({"tweetmesh_producer_queue_events" + at("grpc-server"): "70x35"},),
        pending_at="9m",
        fires_at="12m",
        labels=at("grpc-server", 'queue="producer"'),
        extra=ours("grpc-server", "QUEUE_LEN_MAX", "100"),
    ),
    AlertCase(
        "LimitReached",
        bad={"tweetmesh_limit_reached_total" + at("api", 'limit="wait"'): "0+60x30"},
        good=({"tweetmesh_limit_reached_total" + at("api", 'limit="wait"'): "0x5 1x25"},),
        pending_at="4m",
        fires_at="8m",
        labels='{namespace="n",job="api",limit="wait"}',
    ),
    AlertCase(
        "DescriptorsNearLimit",
        bad={"process_open_fds" + at("api"): "900x30", "process_max_fds" + at("api"): "1024x30"},
        good=({"process_open_fds" + at("api"): "100x30", "process_max_fds" + at("api"): "1024x30"},),
        pending_at="4m",
        fires_at="6m",
        labels=at("api"),
        extra=ours("api"),
    ),
    AlertCase(
        "MemoryNearLimit",
        bad={
            "container_memory_working_set_bytes" + CONTAINER: "95x30",
            "container_spec_memory_limit_bytes" + CONTAINER: "100x30",
        },
        good=(
            {
                "container_memory_working_set_bytes" + CONTAINER: "80x30",
                "container_spec_memory_limit_bytes" + CONTAINER: "100x30",
            },
            {
                "container_memory_working_set_bytes" + CONTAINER: "95x30",
                "container_spec_memory_limit_bytes" + CONTAINER: "0x30",
            },
        ),
        pending_at="9m",
        fires_at="12m",
        labels=CONTAINER,
    ),
    AlertCase(
        "DiskNearlyFull",
        bad={
            "kubelet_volume_stats_available_bytes" + VOLUME: "5x30",
            "kubelet_volume_stats_capacity_bytes" + VOLUME: "100x30",
        },
        good=(
            {
                "kubelet_volume_stats_available_bytes" + VOLUME: "50x30",
                "kubelet_volume_stats_capacity_bytes" + VOLUME: "100x30",
            },
        ),
        pending_at="14m",
        fires_at="16m",
        labels=VOLUME,
    ),
    # Half of it is free, but it will be full in two days.
    AlertCase(
        "DiskNearlyFull",
        bad={
            "kubelet_volume_stats_available_bytes" + VOLUME: "720000-250x400",
            "kubelet_volume_stats_capacity_bytes" + VOLUME: "1000000x400",
        },
        good=(
            {
                "kubelet_volume_stats_available_bytes" + VOLUME: "720000-25x400",
                "kubelet_volume_stats_capacity_bytes" + VOLUME: "1000000x400",
            },
        ),
        fires_at="380m",
        evaluated="5m",
        labels=VOLUME,
    ),
    AlertCase(
        "CertificateExpiresSoon",
        bad={"tweetmesh_certificate_expiry_timestamp_seconds" + at("api", 'use="https"'): f"{13 * 86400}x100"},
        good=({"tweetmesh_certificate_expiry_timestamp_seconds" + at("api", 'use="https"'): f"{15 * 86400}x100"},),
        pending_at="55m",
        fires_at="65m",
        evaluated="5m",
        labels=at("api", 'use="https"'),
    ),
]
