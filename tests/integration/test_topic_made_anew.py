# SPDX-License-Identifier: Apache-2.0
"""Goal: a topic that was deleted and made anew is noticed, never counted as if it were the old one.

Method: delete and create the topic, see the alarm; then do what docs/operations.md says, and count again.
"""

from __future__ import annotations

from confluent_kafka.admin import AdminClient, NewTopic
from support.events import groups, tweets
from support.judges import QUIET, forget_logs
from support.tested import Tested
from support.waiting import wait_for


def make_anew(mesh: Tested) -> None:
    forget_logs()
    topic = mesh.stream.topic
    admin = AdminClient({"bootstrap.servers": mesh.servers.kafka.url, **QUIET})
    admin.delete_topics([topic], operation_timeout=30)[topic].result(30)
    wait_for("the topic is gone", lambda: topic not in admin.list_topics(timeout=10).topics)
    admin = AdminClient({"bootstrap.servers": mesh.servers.kafka.url, **QUIET})  # see forget_logs()

    def created() -> bool:
        if topic not in admin.list_topics(timeout=10).topics:
            admin.create_topics([NewTopic(topic, 4)], operation_timeout=30)[topic].result(30)
        return topic in admin.list_topics(timeout=10).topics

    wait_for("the topic is there again", created)


def test_a_topic_made_anew_is_an_alarm_and_the_documented_way_out_works(make_mesh, own_servers) -> None:
    mesh = make_mesh()
    assert mesh.client().post("/input", tweets(300)).status == 202
    mesh.judge.expect_equal(mesh.stream, 300)

    make_anew(mesh)
    consumer = mesh["kafka-consumer"]
    wait_for("the alarm is raised", lambda: consumer.metric("tweetmesh_topic_changed") == 1, 90)
    for name in ("api", "grpc-server"):
        mesh[name].wait_ready(60)
    wait_for("events are taken again", lambda: mesh.client().post("/input", tweets(100)).status == 202, 60)
    marks = mesh.judge.counts(mesh.stream).watermarks
    assert sum(marks.values()) == 300, "the old log's watermarks were moved by the new log"

    assert consumer.stop() == 0
    consumer.settings["KAFKA_GROUP_ID"] = mesh.mesh.options.settings["all"]["KAFKA_GROUP_ID"] = f"{mesh.group}-anew"
    assert mesh.mesh.recount().returncode == 2, "counters of another topic must not be replaced unasked"
    done = mesh.mesh.recount("--new-topic")
    assert done.returncode == 0, done.stderr
    consumer.start()
    wait_for("the new log is counted", lambda: mesh.judge.counts(mesh.stream).total == mesh.stored(), 60)
    counted = mesh.judge.counts(mesh.stream)
    assert counted.total >= 100 and counted.total % 100 == 0
    assert counted.groups == {name: count * counted.total // 100 for name, count in groups(100).items()}
    wait_for("people see it", lambda: mesh.judge.shown(mesh.stream) == counted.groups)
    wait_for("all is archived", lambda: len(mesh.judge.documents(mesh.stream)) == 300 + counted.total)
