/* SPDX-License-Identifier: Apache-2.0 */
#include "clients.h"

#include "chance.h"
#include "mesh/alloc.h"
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    JOB_COUNT_MAX = 64,
    EVENTS_PER_JOB_MAX = 5,
    BODY_BYTES = 512,
    UNFIT_ONE_IN = 12 /* events of a kind that there is not */
};

/* What a client wants to have stored. */
struct job {
    struct posting *posting; /* under way; NULL: none */
    struct api *api;
    size_t events[EVENTS_PER_JOB_MAX];
    size_t count;
    size_t first; /* sendings of the last attempt */
    bool unfit[EVENTS_PER_JOB_MAX];
    bool sent;
    char key[16]; /* "": none */
    char body[BODY_BYTES];
};

static struct job jobs[JOB_COUNT_MAX];
static size_t job_count;

void clients_start(void)
{
    job_count = 0;
}

static void job_make(struct job *job)
{
    size_t size = 0;
    bool list = chance_one_in(3);

    *job = (struct job){.count = list ? 1 + chance_below(EVENTS_PER_JOB_MAX) : 1};
    if (chance_one_in(2)) {
        (void)snprintf(job->key, sizeof(job->key), "key-%zu", job_count);
    }
    for (size_t i = 0; i < job->count; i++) {
        uint8_t group = (uint8_t)chance_below(GROUP_COUNT);
        job->unfit[i] = chance_one_in(UNFIT_ONE_IN);
        job->events[i] = ledger_event_new(group, chance_one_in(faults.refusal));
        size += (size_t)snprintf(job->body + size, sizeof(job->body) - size,
                                 "%s{\"text\":\"event %zu\",\"kind\":\"%s\"}",
                                 i > 0 ? "," : (list ? "[" : ""), job->events[i],
                                 job->unfit[i] ? "none" : ledger_groups[group]);
    }
    (void)snprintf(job->body + size, sizeof(job->body) - size, "%s", list ? "]" : "");
}

static bool job_is_stored(const struct job *job)
{
    for (size_t i = 0; job->sent && i < job->count; i++) {
        if (!job->unfit[i] && ledger.sendings[job->first + i].outcome != OUTCOME_STORED) {
            return false;
        }
    }
    return job->sent;
}

static void job_post(struct job *job, struct api *api)
{
    char traceparent[64];

    job->first = ledger.sending_count;
    for (size_t i = 0; i < job->count; i++) {
        (void)ledger_send(job->events[i]);
    }
    job->sent = true;
    job->api = api;
    (void)snprintf(traceparent, sizeof(traceparent), "00-%032zx-0000000000000001-01",
                   job->first + 1);
    trace("client: sendings from %zu on%s%s: %s", job->first, job->key[0] != '\0' ? ", " : "",
          job->key, job->body);
    job->posting = api_post(api, job->body, job->key[0] != '\0' ? job->key : NULL, traceparent);
}

static void job_end(struct job *job)
{
    posting_end(job->posting, job->first, job->count);
    job->posting = NULL;
}

/* One that is worth sending again. */
static struct job *job_again(void)
{
    if (job_count == 0) {
        return NULL;
    }
    struct job *job = &jobs[chance_below(job_count)];
    return job->posting == NULL && job->key[0] != '\0' &&
                   (!job_is_stored(job) || chance_one_in(8)) &&
                   ledger.sending_count + EVENTS_PER_JOB_MAX < SENDING_COUNT_MAX / 2
               ? job
               : NULL;
}

void clients_post(struct api *api)
{
    struct job *job = chance_one_in(3) ? job_again() : NULL;

    if (job == NULL && job_count < JOB_COUNT_MAX) {
        job_make(&jobs[job_count]);
        job = &jobs[job_count++];
    }
    if (job != NULL) {
        job_post(job, api);
    }
}

void clients_step(bool expire)
{
    for (size_t i = 0; i < job_count; i++) {
        struct job *job = &jobs[i];
        if (job->posting == NULL) {
            continue;
        }
        if (expire && chance_one_in(4)) {
            trace("client: the deadline of sendings from %zu on", job->first);
            posting_expire(job->posting);
        }
        if (posting_answered(job->posting)) {
            job_end(job);
        }
    }
}

void clients_lose(struct api *api)
{
    for (size_t i = 0; i < job_count; i++) {
        if (jobs[i].posting != NULL && jobs[i].api == api) {
            job_end(&jobs[i]);
        }
    }
}

void clients_finish(struct api *api)
{
    clients_step(false);
    for (size_t i = 0; i < job_count; i++) {
        struct job *job = &jobs[i];
        if (job->posting == NULL && job->key[0] != '\0' && !job_is_stored(job) && api != NULL &&
            ledger.sending_count + EVENTS_PER_JOB_MAX < SENDING_COUNT_MAX) {
            job_post(job, api);
        }
    }
}

bool clients_at_rest(void)
{
    for (size_t i = 0; i < job_count; i++) {
        if (jobs[i].posting != NULL || (jobs[i].key[0] != '\0' && !job_is_stored(&jobs[i]))) {
            return false;
        }
    }
    return true;
}
