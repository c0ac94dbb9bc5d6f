# SPDX-License-Identifier: Apache-2.0
"""Goal: the judge finds what is wrong in Kafka, Redis or MongoDB, and says "exact" only of a mesh where nothing is.

Method: a real mesh under its load; an error is planted, judged, and taken back, so that the next run is clean.
"""

from __future__ import annotations

import secrets
import time
import uuid

from chaos.judge.protocol import FOREIGN
from chaos.tests.judged import Judged

NOT_EQUAL = {"exact_s": 3}  # with errors that keep the mesh from ever being equal, waits no longer


def kinds(violations: list[str]) -> set[str]:
    return {line.partition(":")[0] for line in violations}


def collection(judged: Judged):
    return judged.tested.judge.database[judged.tested.stream.collection]


def test_an_untouched_mesh_is_exact(judged: Judged) -> None:
    judged.begin()
    judged.wait_acked(400)
    judged.judge.struck(2)
    judged.judge.healed()
    judged.wait_acked(800)
    verdict = judged.judge.end()
    assert verdict.ok, verdict.violations
    assert verdict.acked >= 800 and verdict.struck == 2
    assert (verdict.lost, verdict.doubled, verdict.counter_error) == (0, 0, 0)
    assert verdict.exact_s is not None and verdict.first_ack_s is not None
    figures = verdict.figures
    assert figures["visible_s"] > 0 and figures["samples"] > 5 and figures["live_messages"] > 0
    assert figures["documents_compared"] >= verdict.acked
    for entrance in ("single", "array", "ndjson", "grpc", "grpc_stream"):
        assert figures[f"acked_{entrance}"] > 0, entrance
    assert figures["rss_mib_max_api"] > 1 and figures["descriptors_max_api"] > 3


def test_too_little_traffic_or_too_few_strikes_say_nothing(judged: Judged) -> None:
    verdict = judged.run(struck_min=1)
    assert verdict.void and not verdict.ok and not verdict.violations
    verdict = judged.run(acked_min=1_000_000)
    assert verdict.void and not verdict.ok


def test_a_deleted_document_is_lost(judged: Judged) -> None:
    taken = []

    def plant() -> None:
        taken.append(judged.document())
        collection(judged).delete_one({"_id": taken[0]["_id"]})

    verdict = judged.run(plant, **NOT_EQUAL)
    collection(judged).insert_one(taken[0])
    assert (verdict.lost, verdict.doubled, verdict.exact_s) == (1, 0, None)
    assert any(line.startswith("I1: test.") and taken[0]["_id"] in line for line in verdict.violations)


def test_a_document_under_another_id_is_doubled(judged: Judged) -> None:
    twin = {}

    def plant() -> None:
        twin.update(judged.document() | {"_id": str(uuid.uuid4())})
        collection(judged).insert_one(dict(twin))

    verdict = judged.run(plant, **NOT_EQUAL)
    collection(judged).delete_one({"_id": twin["_id"]})
    assert (verdict.lost, verdict.doubled, verdict.exact_s) == (0, 1, None)
    assert any("doubled" in line and twin["_id"] in line for line in verdict.violations)


def test_an_altered_payload_is_found(judged: Judged) -> None:
    altered = []

    def plant() -> None:
        altered.append(judged.document())
        collection(judged).update_one({"_id": altered[0]["_id"]}, {"$set": {"country": "Elsewhere"}})

    verdict = judged.run(plant)
    collection(judged).update_one({"_id": altered[0]["_id"]}, {"$set": {"country": altered[0]["country"]}})
    token = altered[0]["text"].split(" ")[0]
    assert [line for line in verdict.violations if "payload" in line and token in line], verdict.violations
    assert kinds(verdict.violations) == {"I1"}


def test_a_document_that_says_another_place_is_found(judged: Judged) -> None:
    moved = []

    def plant() -> None:
        moved.append(judged.document())
        collection(judged).update_one({"_id": moved[0]["_id"]}, {"$set": {"kafka.offset": 1_000_000}})

    verdict = judged.run(plant)
    collection(judged).update_one({"_id": moved[0]["_id"]}, {"$set": {"kafka": moved[0]["kafka"]}})
    assert [line for line in verdict.violations if "1000000" in line], verdict.violations


def test_a_document_nobody_sent_is_found(judged: Judged) -> None:
    stray = str(uuid.uuid4())
    plant = {"_id": stray, "text": "nobody sent this", "country": "Spain"}
    verdict = judged.run(lambda: collection(judged).insert_one(plant), **NOT_EQUAL)
    collection(judged).delete_one({"_id": stray})
    assert any(line.startswith("I2") and stray in line for line in verdict.violations)
    assert (verdict.lost, verdict.doubled, verdict.exact_s) == (0, 0, None)


def test_an_event_nobody_sent_is_found_once(judged: Judged) -> None:
    post = judged.tested.client().post
    path = judged.tested.stream.path
    told = []
    verdict = judged.run(lambda: told.append(post(path, {"text": "not the judge's", "country": "Peru"}).json["id"]))
    assert any(line.startswith("I2") and told[0] in line for line in verdict.violations)
    assert kinds(verdict.violations) == {"I2"} and verdict.exact_s is not None
    assert judged.run().ok, "it was told, and is compared and counted like all others"


def test_events_that_are_known_to_be_foreign_are_no_violation(judged: Judged) -> None:
    event = {"text": f"{FOREIGN} {secrets.token_hex(4)}", "country": "Peru"}
    verdict = judged.run(lambda: judged.tested.client().post(judged.tested.stream.path, [event] * 20))
    assert verdict.ok, verdict.violations


def test_no_events_in_the_log_are_not_counted(judged: Judged) -> None:
    poison = [b"", b"no json", b"{" * 50_000, b'{"text": "no id", "country": "US"}']
    verdict = judged.run(lambda: judged.tested.judge.produce(judged.tested.stream.topic, poison))
    assert verdict.ok, verdict.violations
    assert verdict.figures["not_counted_in_kafka"] == len(poison)


def test_a_count_that_is_off_by_one_is_found(judged: Judged) -> None:
    redis, state = judged.tested.judge.redis, f"{{{judged.tested.stream.name}}}:state"
    verdict = judged.run(lambda: redis.hincrby(state, "c:Spain", -1), **NOT_EQUAL)
    redis.hincrby(state, "c:Spain", 1)
    assert (verdict.counter_error, verdict.exact_s) == (1, None)
    assert any(line.startswith("I3") and "count of Spain" in line for line in verdict.violations)


def test_a_watermark_that_is_wrong_is_found(judged: Judged) -> None:
    redis, state = judged.tested.judge.redis, f"{{{judged.tested.stream.name}}}:state"
    verdict = judged.run(lambda: redis.hset(state, "w:1999", 7), **NOT_EQUAL)
    redis.hdel(state, "w:1999")
    assert verdict.counter_error == 7 and kinds(verdict.violations) >= {"I3", "goal"}


def test_a_total_above_the_log_for_a_moment_is_found(judged: Judged) -> None:
    redis, state = judged.tested.judge.redis, f"{{{judged.tested.stream.name}}}:state"

    def plant() -> None:
        redis.hincrby(state, "total", 100_000)
        time.sleep(0.5)  # so long it is wrong: some samples see it
        redis.hincrby(state, "total", -100_000)

    verdict = judged.run(plant)
    assert 90_000 < verdict.counter_error <= 100_000
    assert kinds(verdict.violations) == {"I3"}
    assert verdict.exact_s is not None, "at rest it is right again"


def test_all_was_taken_back(judged: Judged) -> None:
    verdict = judged.run()
    assert verdict.ok, verdict.violations
