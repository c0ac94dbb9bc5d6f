/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_fixture.h"

#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS_MAX 20000

struct redis_fixture {
    struct redis_fixture_options options;
    char folder[64];
    char *url;
    char *tcp_url;
    char *socket_path;
    uint16_t port;
    pid_t pid; /* 0: not running */
    struct redis_fixture *next;
};

/* Those not freed yet; a case that fails does not come to free its own. */
static struct redis_fixture *all;

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail_msg("no socket");
    }
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* Runs in the child; only async-signal-safe calls until exec. */
static void exec_server(const char *folder, const char *log_path, const char *const *argv)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0 || chdir(folder) != 0 || dup2(log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0) {
        _exit(126);
    }
    (void)execvp("redis-server", (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void wait_until_it_answers(struct redis_fixture *fixture)
{
    int64_t deadline = mesh_clock_mono_us() + START_MS_MAX * INT64_C(1000);
    for (;;) {
        redisContext *redis = redisConnectUnix(fixture->socket_path);
        redisReply *reply = NULL;
        if (redis != NULL && redis->err == 0) {
            reply = redisCommand(redis, "PING");
        }
        bool loading = reply == NULL ||
                       (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "LOADING", 7) == 0);
        freeReplyObject(reply);
        redisFree(redis);
        if (!loading) {
            return;
        }
        if (mesh_clock_mono_us() > deadline || waitpid(fixture->pid, NULL, WNOHANG) != 0) {
            fail_msg("redis-server does not start: see %s/log", fixture->folder);
        }
        (void)usleep(5000); /* polls; the deadline decides */
    }
}

void redis_fixture_start(struct redis_fixture *fixture)
{
    char *log_path = mesh_format("%s/log", fixture->folder);
    char *port = mesh_format("%u", fixture->port);
    const char *argv[32] = {
        "redis-server",
        "--bind",
        "127.0.0.1",
        "--port",
        port,
        "--unixsocket",
        fixture->socket_path,
        "--save",
        "",
        "--appendonly",
        fixture->options.append_only ? "yes" : "no",
        "--appendfsync",
        "no",
        "--auto-aof-rewrite-percentage",
        "0",
        "--protected-mode",
        "no",
        NULL,
    };
    if (fixture->options.password != NULL) {
        size_t end = 0;
        while (argv[end] != NULL) {
            end++;
        }
        argv[end] = "--requirepass";
        argv[end + 1] = fixture->options.password;
    }
    fixture->pid = fork();
    assert_true(fixture->pid >= 0);
    if (fixture->pid == 0) {
        exec_server(fixture->folder, log_path, argv);
    }
    free(log_path);
    free(port);
    wait_until_it_answers(fixture);
}

static void free_all(void)
{
    while (all != NULL) {
        redis_fixture_free(all);
    }
}

struct redis_fixture *redis_fixture_new(const struct redis_fixture_options *options)
{
    static bool at_exit;
    struct redis_fixture *fixture = mesh_new(struct redis_fixture);
    (void)signal(SIGPIPE, SIG_IGN); /* as in the programs: hiredis writes to what was killed */
    if (!at_exit) {
        at_exit = atexit(free_all) == 0;
    }
    fixture->next = all;
    all = fixture;
    fixture->options = *options;
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/mesh-redis-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    fixture->port = free_port();
    fixture->socket_path = mesh_format("%s/socket", fixture->folder);
    fixture->url = mesh_format("unix://%s", fixture->socket_path);
    fixture->tcp_url = mesh_format("redis://127.0.0.1:%u", fixture->port);
    redis_fixture_start(fixture);
    return fixture;
}

const char *redis_fixture_url(const struct redis_fixture *fixture)
{
    return fixture->url;
}

const char *redis_fixture_tcp_url(const struct redis_fixture *fixture)
{
    return fixture->tcp_url;
}

redisContext *redis_fixture_connect(const struct redis_fixture *fixture)
{
    redisContext *redis = redisConnectUnix(fixture->socket_path);
    assert_non_null(redis);
    assert_int_equal(redis->err, 0);
    return redis;
}

void redis_fixture_kill(struct redis_fixture *fixture)
{
    if (fixture->pid > 0) {
        (void)kill(fixture->pid, SIGKILL);
        (void)waitpid(fixture->pid, NULL, 0);
        fixture->pid = 0;
    }
}

void redis_fixture_tear(const struct redis_fixture *fixture, size_t bytes)
{
    char *path = mesh_format("%s/appendonlydir/appendonly.aof.1.incr.aof", fixture->folder);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    off_t cut = (off_t)bytes < status.st_size ? (off_t)bytes : status.st_size;
    assert_int_equal(truncate(path, status.st_size - cut), 0);
    free(path);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void redis_fixture_free(struct redis_fixture *fixture)
{
    if (fixture == NULL) {
        return;
    }
    struct redis_fixture **at = &all;
    while (*at != fixture) {
        at = &(*at)->next;
    }
    *at = fixture->next;
    redis_fixture_kill(fixture);
    (void)nftw(fixture->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture->url);
    free(fixture->tcp_url);
    free(fixture->socket_path);
    free(fixture);
}
