/* SPDX-License-Identifier: Apache-2.0 */
#include "member.h"

#include "ends.h"
#include "member_handle.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/failpoint.h"
#include "mesh/kafka.h"
#include "mesh/kafka_login.h"
#include "mesh/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* How long Kafka may take for what the loop waits for. */
enum { TOPIC_ID_MS = MEMBER_FETCH_MS + 1000 };

/* A member that died is followed by another one at once, but no more often than this. */
#define REVIVE_US INT64_C(5000000)

struct member {
    rd_kafka_t *kafka;
    struct member_wake wake;
    struct ends ends;
    struct member_options options;
    int64_t quiet_us;       /* after a revocation no commit goes out for so long */
    int64_t quiet_until_us; /* monotonic */
    int64_t revive_at_us;   /* not before; monotonic */
    bool paused;
    bool joined;
    bool adrift; /* Kafka did not say where the group stands: as good as dead */
    bool connected;
    struct mesh_metric *up;
    struct mesh_metric *commit_failures;
    struct mesh_metric *revivals;
};

static struct topic *topic_by_name(const struct member *member, const char *name)
{
    for (size_t i = 0; i < member->options.topic_count; i++) {
        if (strcmp(member->options.topics[i].stream->topic, name) == 0) {
            return &member->options.topics[i];
        }
    }
    return NULL;
}

struct partition *member_partition(const struct member *member, const char *topic_name,
                                   int32_t number)
{
    struct topic *topic = topic_by_name(member, topic_name);

    return topic == NULL ? NULL : topic_partition(topic, number);
}

static void list_add(void *arg, struct partition *partition)
{
    rd_kafka_topic_partition_list_t *list = arg;

    (void)rd_kafka_topic_partition_list_add(list, partition->topic->stream->topic,
                                            partition->number);
}

/* Where the group stands, or further on where we settled the partition ourselves but lost it before
 * we could commit. Where the group never committed we start at the beginning, and say so: the reset
 * policy is "error", so that a log that shrank under us is never skipped silently. */
static bool set_start_offsets(struct member *member, rd_kafka_topic_partition_list_t *list)
{
    if (!member_handle_committed(member->kafka, list)) {
        return false;
    }
    for (int i = 0; i < list->cnt; i++) {
        rd_kafka_topic_partition_t *at = &list->elems[i];
        const struct topic *topic = topic_by_name(member, at->topic);
        int64_t settled = topic == NULL ? -1 : topic_settled_before(topic, at->partition);
        if (at->offset >= 0 && at->offset < settled) {
            at->offset = settled;
        } else if (at->offset < 0) {
            at->offset = RD_KAFKA_OFFSET_BEGINNING;
        }
    }
    return true;
}

static void assigned(struct member *member, rd_kafka_topic_partition_list_t *list)
{
    /* Without offsets of ours librdkafka asks for them itself, once, and may then never read what
     * it got no answer for. It has to have an answer from us, but then we join anew, also if the
     * next assignment comes before that and brings offsets. */
    member->adrift = member->adrift || !set_start_offsets(member, list);
    rd_kafka_error_t *error = rd_kafka_incremental_assign(member->kafka, list);
    if (error != NULL) {
        mesh_log(MESH_LOG_ERROR, "assign_failed",
                 MESH_LOG_TEXT("reason", rd_kafka_error_string(error)));
        rd_kafka_error_destroy(error);
        return;
    }
    if (member->adrift) {
        return;
    }
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &list->elems[i];
        struct topic *topic = topic_by_name(member, at->topic);
        if (topic != NULL && topic_partition(topic, at->partition) == NULL) {
            (void)partition_add(topic, at->partition, at->offset >= 0 ? at->offset : -1);
        }
    }
    /* librdkafka remembers what was paused, even if it went away and came back. */
    (void)(member->paused ? rd_kafka_pause_partitions(member->kafka, list)
                          : rd_kafka_resume_partitions(member->kafka, list));
    for (size_t i = 0; i < member->options.topic_count; i++) {
        member->options.topics[i].rebalanced_us = mesh_clock_mono_us();
    }
    mesh_log(MESH_LOG_INFO, "partitions_assigned", MESH_LOG_INT("count", list->cnt));
    member->joined = true;
}

static void revoked(struct member *member, rd_kafka_topic_partition_list_t *list)
{
    /* Lost: somebody else reads them already, so their offsets are not ours to commit. */
    bool lost = rd_kafka_assignment_lost(member->kafka) != 0;

    for (int i = 0; i < list->cnt && !lost; i++) {
        struct partition *partition =
            member_partition(member, list->elems[i].topic, list->elems[i].partition);
        if (partition != NULL) {
            member->options.finish(member->options.arg, partition);
        }
    }
    MESH_FAILPOINT("consumer_in_revocation");
    if (!lost) {
        member_commit(member, true);
    }
    for (int i = 0; i < list->cnt; i++) {
        struct partition *partition =
            member_partition(member, list->elems[i].topic, list->elems[i].partition);
        if (partition != NULL) {
            member->options.forget(member->options.arg, partition);
            partition_drop(partition);
        }
    }
    rd_kafka_error_t *error = rd_kafka_incremental_unassign(member->kafka, list);
    if (error != NULL) {
        rd_kafka_error_destroy(error); /* the handle is closing, or has none of them any more */
    }
    mesh_log(lost ? MESH_LOG_WARN : MESH_LOG_INFO, lost ? "partitions_lost" : "partitions_revoked",
             MESH_LOG_INT("count", list->cnt));
    if (lost) {
        member->joined = false;
    }
    /* We join anew now, and Kafka keeps us waiting until the others did, too, which takes them a
     * heartbeat. A commit that waits behind that is of an old generation when its turn comes, and
     * librdkafka would give up all partitions for it. */
    member->quiet_until_us = mesh_clock_mono_us() + member->quiet_us;
}

static void on_rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t event,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        assigned(opaque, list);
    } else if (event == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        revoked(opaque, list);
    } else {
        mesh_log(MESH_LOG_WARN, "rebalance_failed",
                 MESH_LOG_TEXT("reason", rd_kafka_err2str(event)));
        (void)rd_kafka_assign(kafka, NULL);
    }
    rd_kafka_yield(kafka); /* the loop has something to do now */
}

/* A commit that failed is repeated with the next one: .committed is set back. */
static void on_commit(rd_kafka_t *kafka, rd_kafka_resp_err_t error,
                      rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct member *member = opaque;

    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &list->elems[i];
        struct partition *partition = member_partition(member, at->topic, at->partition);
        if (partition != NULL &&
            (error != RD_KAFKA_RESP_ERR_NO_ERROR || at->err != RD_KAFKA_RESP_ERR_NO_ERROR)) {
            partition->committed = -1;
        }
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR__NO_OFFSET) {
        rd_kafka_yield(kafka); /* to try again */
        mesh_metric_add(member->commit_failures, 1);
        mesh_log(MESH_LOG_WARN, "commit_failed", MESH_LOG_TEXT("reason", rd_kafka_err2str(error)));
    }
    MESH_FAILPOINT("consumer_after_commit");
}

static void set_connected(struct member *member, bool connected)
{
    member->connected = connected;
    mesh_metric_set(member->up, connected ? 1 : 0);
}

static void on_error(rd_kafka_t *kafka, int error, const char *reason, void *opaque)
{
    struct member *member = opaque;

    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        set_connected(member, false);
    }
    rd_kafka_yield(kafka);
    if (mesh_kafka_login_heard(reason)) {
        return; /* told once already */
    }
    mesh_log(MESH_LOG_WARN, "kafka_error",
             MESH_LOG_TEXT("code", rd_kafka_err2name((rd_kafka_resp_err_t)error)),
             MESH_LOG_TEXT("reason", reason));
}

/* Makes the handle and joins the group. */
static bool join(struct member *member, struct mesh_error *err)
{
    char text[256];
    rd_kafka_conf_t *conf = member_conf_new(&member->options, err);

    if (conf == NULL) {
        return false;
    }
    rd_kafka_conf_set_opaque(conf, member);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
    rd_kafka_conf_set_error_cb(conf, on_error);
    member->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (member->kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "Kafka: %s", text);
    }
    (void)rd_kafka_poll_set_consumer(member->kafka);
    member_wake_set(&member->wake, member->kafka);
    member->adrift = false;
    return member_handle_subscribe(member->kafka, &member->options, err);
}

struct member *member_new(const struct member_options *options, struct mesh_error *err)
{
    assert(options->topic_count > 0 && options->finish != NULL && options->forget != NULL);

    struct member *member = mesh_new(struct member);

    (void)pthread_mutex_init(&member->wake.mutex, NULL);
    member->options = *options;
    member->quiet_us = (int64_t)options->session_ms * 1000 / MEMBER_HEARTBEATS * 2;
    member->up = mesh_gauge("tweetmesh_kafka_up", NULL, "1: a broker answered when last asked.");
    member->commit_failures = mesh_counter("tweetmesh_commit_failures_total", NULL,
                                           "Commits that Kafka refused; they are repeated.");
    member->revivals = mesh_counter("tweetmesh_member_revivals_total", NULL,
                                    "Times the membership in the group had to be made anew.");
    if (!join(member, err)) {
        member_free(member);
        return NULL;
    }
    return member;
}

rd_kafka_t *member_kafka(const struct member *member)
{
    return member->kafka;
}

void member_wake(struct member *member)
{
    member_wake_up(&member->wake);
}

void member_set_paused(struct member *member, bool paused)
{
    if (member->paused == paused) {
        return;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    topics_each(member->options.topics, member->options.topic_count, list_add, list);
    if (paused) {
        (void)rd_kafka_pause_partitions(member->kafka, list);
    } else {
        (void)rd_kafka_resume_partitions(member->kafka, list);
    }
    member->paused = paused;
    mesh_log(MESH_LOG_INFO, paused ? "reading_paused" : "reading_resumed",
             MESH_LOG_INT("partitions", list->cnt));
    rd_kafka_topic_partition_list_destroy(list);
}

bool member_is_paused(const struct member *member)
{
    return member->paused;
}

void member_pause_one(struct member *member, struct partition *partition)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    list_add(list, partition);
    (void)rd_kafka_pause_partitions(member->kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void commit_add(void *arg, struct partition *partition)
{
    rd_kafka_topic_partition_list_t *list = arg;

    /* After a rewind .settled is behind what was committed long ago. */
    if (partition->settled > partition->committed && !atomic_load(&partition->topic->changed)) {
        list_add(list, partition);
        list->elems[list->cnt - 1].offset = partition->settled;
        partition->committed = partition->settled;
    }
}

void member_commit(struct member *member, bool wait)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);

    if (wait || mesh_clock_mono_us() >= member->quiet_until_us) {
        topics_each(member->options.topics, member->options.topic_count, commit_add, list);
    }
    if (list->cnt > 0) {
        MESH_FAILPOINT("consumer_settled_before_commit");
        rd_kafka_resp_err_t error = rd_kafka_commit(member->kafka, list, wait ? 0 : 1);
        if (wait && error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            on_commit(member->kafka, error, list, member);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
}

void member_check_topics(struct member *member)
{
    for (size_t i = 0; i < member->options.topic_count; i++) {
        struct topic *topic = &member->options.topics[i];
        struct mesh_error err = {0};
        char *id = mesh_kafka_topic_id(member->kafka, topic->stream->topic, TOPIC_ID_MS, &err);

        set_connected(member, id != NULL || err.code == MESH_NOT_FOUND);
        if (id == NULL) {
            mesh_log_warn("topic_unknown", &err);
        } else if (topic->id == NULL) {
            topic->id = id;
            continue; /* kept */
        } else if (strcmp(topic->id, id) != 0 && !atomic_load(&topic->changed)) {
            mesh_log(MESH_LOG_ERROR, "topic_made_anew",
                     MESH_LOG_TEXT("stream", topic->stream->name),
                     MESH_LOG_TEXT("counted", topic->id), MESH_LOG_TEXT("found", id));
            topic_set_changed(topic);
        }
        free(id);
    }
}

void member_see_ends(struct member *member)
{
    ends_see(&member->ends, member->kafka, member->options.topics, member->options.topic_count,
             member->paused);
}

bool member_is_dead(const struct member *member)
{
    return member->kafka == NULL || member->adrift || member_handle_is_dead(member->kafka);
}

static void give_up(void *arg, struct partition *partition)
{
    struct member *member = arg;

    member->options.forget(member->options.arg, partition);
    partition_drop(partition);
}

void member_give_up(struct member *member)
{
    topics_each(member->options.topics, member->options.topic_count, give_up, member);
    member->joined = false;
}

bool member_revive(struct member *member)
{
    struct mesh_error err = {0};
    char reason[256] = "it could not join, or learn where the group stands";
    int64_t now_us = mesh_clock_mono_us();

    if (now_us < member->revive_at_us) {
        return false;
    }
    member->revive_at_us = now_us + REVIVE_US;
    if (member->kafka != NULL) {
        (void)rd_kafka_fatal_error(member->kafka, reason, sizeof reason);
        member_wake_set(&member->wake, NULL);
        ends_forget(&member->ends);
        member_handle_free(member->kafka, member->options.session_ms);
        member->kafka = NULL;
    }
    mesh_metric_add(member->revivals, 1);
    mesh_log(MESH_LOG_ERROR, "member_dead", MESH_LOG_TEXT("reason", reason),
             MESH_LOG_TEXT("if_again_and_again", "another process has our KAFKA_INSTANCE_ID"));
    bool joined = join(member, &err);
    if (!joined) {
        mesh_log_warn("join_failed", &err);
    }
    return joined;
}

bool member_is_joined(const struct member *member)
{
    return member->joined;
}

bool member_is_connected(const struct member *member)
{
    return member->connected;
}

void member_free(struct member *member)
{
    if (member == NULL) {
        return;
    }
    if (member_is_dead(member)) {
        member_give_up(member);
    }
    member_wake_set(&member->wake, NULL);
    ends_forget(&member->ends);
    if (member->kafka != NULL) {
        /* on_rebalance() gives all away */
        member_handle_free(member->kafka, member->options.session_ms);
    }
    (void)pthread_mutex_destroy(&member->wake.mutex);
    free(member);
}
