/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/failpoint.h"

#include <stdlib.h>

#ifdef MESH_FAILPOINTS

#include "mesh/alloc.h"
#include "mesh/log.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* All failpoints there are, in the order in which an event passes them. */
static const char *const names[] = {
    "api_before_send",
    "api_after_send",
    "grpc_server_before_produce",
    "grpc_server_after_produce",
    "grpc_server_delivered_before_reply",
    "grpc_server_after_reply",
    "api_replied_before_answer",
    "api_answered_before_hint",
    "ws_redis_before_apply",
    "ws_redis_after_apply",
    "consumer_before_archive",
    "consumer_archived_before_settle",
    "consumer_settled_before_commit",
    "consumer_after_commit",
    "consumer_in_revocation",
    "consumer_before_snapshot",
    "consumer_in_restore",
};

struct action {
    const char *name;
    uint64_t sleep_ms; /* 0: kill */
    uint64_t from;     /* the pass at which it acts */
    atomic_uint_fast64_t passes;
};

/* Written before other threads exist. */
static struct action actions[MESH_FAILPOINT_ACTIONS_MAX];
static size_t action_count;

static _Noreturn void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) { /* the signal may come to another thread first */
        (void)pause();
    }
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}

static void act(struct action *action)
{
    uint64_t pass = atomic_fetch_add(&action->passes, 1) + 1;

    if (pass == action->from) {
        mesh_log(MESH_LOG_WARN, "failpoint_acts", MESH_LOG_TEXT("name", action->name),
                 MESH_LOG_INT("pass", pass));
    }
    if (action->sleep_ms == 0 && pass == action->from) {
        die();
    }
    if (action->sleep_ms > 0 && pass >= action->from) {
        sleep_ms(action->sleep_ms);
    }
}

void mesh_failpoint_pass(const char *name)
{
    for (size_t i = 0; i < action_count; i++) {
        if (strcmp(actions[i].name, name) == 0) {
            act(&actions[i]);
        }
    }
}

/* The table's own text; NULL: there is none such. */
static const char *name_find(struct mesh_bytes text)
{
    for (size_t i = 0; i < MESH_COUNT_OF(names); i++) {
        if (mesh_bytes_equal_text(text, names[i])) {
            return names[i];
        }
    }
    return NULL;
}

/* A whole number from 1 to max at *text, which moves behind it. */
static bool take_number(const char **text, uint64_t max, uint64_t *out)
{
    char *end = NULL;

    if (**text < '0' || **text > '9') {
        return false;
    }
    errno = 0;
    unsigned long long number = strtoull(*text, &end, 10);
    *text = end;
    *out = number;
    return errno == 0 && number >= 1 && number <= max;
}

static bool take_text(const char **text, const char *wanted)
{
    size_t size = strlen(wanted);

    if (strncmp(*text, wanted, size) != 0) {
        return false;
    }
    *text += size;
    return true;
}

/* "kill@100" or "sleep(500)@1" */
static bool action_read(const char *text, struct action *out)
{
    out->sleep_ms = 0;
    if (!take_text(&text, "kill") &&
        !(take_text(&text, "sleep(") &&
          take_number(&text, MESH_FAILPOINT_SLEEP_MS_MAX, &out->sleep_ms) &&
          take_text(&text, ")"))) {
        return false;
    }
    return take_text(&text, "@") && take_number(&text, MESH_FAILPOINT_PASS_MAX, &out->from) &&
           *text == '\0';
}

/* "name=kill@100" */
static void action_add(const char *text, struct mesh_buffer *problems)
{
    size_t name_size = strcspn(text, "=");
    struct action *action = &actions[action_count];

    if (action_count == MESH_FAILPOINT_ACTIONS_MAX) {
        mesh_buffer_add_format(problems, "FAILPOINTS: at most %d actions\n",
                               MESH_FAILPOINT_ACTIONS_MAX);
        return;
    }
    action->name = name_find(mesh_bytes_of(text, name_size));
    if (action->name == NULL) {
        mesh_buffer_add_format(problems, "FAILPOINTS: there is no failpoint \"%.*s\"\n",
                               (int)name_size, text);
        return;
    }
    if (text[name_size] != '=' || !action_read(text + name_size + 1, action)) {
        mesh_buffer_add_format(problems,
                               "FAILPOINTS: %s needs kill@N or sleep(MS)@N, N from 1 to %d, MS "
                               "from 1 to %d\n",
                               action->name, MESH_FAILPOINT_PASS_MAX, MESH_FAILPOINT_SLEEP_MS_MAX);
        return;
    }
    atomic_store(&action->passes, 0);
    action_count++;
}

void mesh_failpoints_load(struct mesh_buffer *problems)
{
    const char *setting = getenv("FAILPOINTS");
    bool more = setting != NULL && setting[0] != '\0';

    action_count = 0;
    while (more) {
        size_t size = strcspn(setting, ",");
        char *one = mesh_strndup(setting, size);
        action_add(one, problems);
        free(one);
        more = setting[size] == ',';
        setting += size + 1;
    }
}

void mesh_failpoints_list(struct mesh_buffer *out)
{
    mesh_buffer_add_text(out, "\nFAILPOINTS=\"NAME=kill@N,NAME=sleep(MS)@N\", with the names\n");
    for (size_t i = 0; i < MESH_COUNT_OF(names); i++) {
        mesh_buffer_add_format(out, "  %s\n", names[i]);
    }
}

#else

void mesh_failpoints_load(struct mesh_buffer *problems)
{
    if (getenv("FAILPOINTS") != NULL) {
        mesh_buffer_add_text(problems, "FAILPOINTS: this build has no failpoints compiled in; use "
                                       "preset chaos\n");
    }
}

void mesh_failpoints_list(struct mesh_buffer *out)
{
    (void)out;
}

#endif
