/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every wrong setting is reported, at once and by name; secrets are never shown.
 * Method: one table with each type; the environment set by the test; stdout and stderr read back.
 */
#include "cmocka_all.h"
#include "mesh/config.h"
#include "mesh/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

struct config {
    uint64_t port;
    bool flag;
    char *name;
    char *password;
    char *url;
    char *file;
    enum mesh_log_level level;
};

#define AT(field) offsetof(struct config, field)

static const struct mesh_option options[] = {
    {"T_FILE", MESH_FILE, AT(file), "", 0, 100, "A file."},
    {"T_FLAG", MESH_BOOL, AT(flag), "false", 0, 0, "A switch."},
    {"T_LEVEL", MESH_LEVEL, AT(level), "info", 0, 0, "A level."},
    {"T_NAME", MESH_TEXT, AT(name), NULL, 2, 8, "A name."},
    {"T_PASSWORD", MESH_SECRET, AT(password), "", 0, 64, "A secret."},
    {"T_PORT", MESH_UINT, AT(port), "80", 1, 65535, "A port."},
    {"T_URL", MESH_TEXT, AT(url), "", 0, 100, "An address."},
};

static void check(const void *config, struct mesh_buffer *problems)
{
    if (((const struct config *)config)->port == 7) {
        mesh_buffer_add_text(problems, "T_PORT: 7 contradicts itself\n");
    }
}

static const struct mesh_config_spec spec = {
    .program = "tests",
    .summary = "does nothing.",
    .options = options,
    .option_count = MESH_COUNT_OF(options),
    .check = check,
};

static char output[8192]; /* what the last load() wrote to stdout and stderr */

static enum mesh_config_outcome load(struct config *config, const char *argument)
{
    char path[] = "/tmp/test_config_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)unlink(path);
    (void)fflush(stdout);
    int saved_out = dup(STDOUT_FILENO);
    int saved_err = dup(STDERR_FILENO);
    assert_true(saved_out >= 0 && saved_err >= 0);
    (void)dup2(file, STDOUT_FILENO);
    (void)dup2(file, STDERR_FILENO);
    char program[] = "tests";
    char *argv[] = {program, (char *)argument, NULL};
    enum mesh_config_outcome outcome =
        mesh_config_load(&spec, argument != NULL ? 2 : 1, argv, config);
    (void)fflush(stdout);
    (void)fflush(stderr);
    (void)dup2(saved_out, STDOUT_FILENO);
    (void)dup2(saved_err, STDERR_FILENO);
    (void)close(saved_out);
    (void)close(saved_err);
    ssize_t size = pread(file, output, sizeof(output) - 1, 0);
    output[size > 0 ? size : 0] = '\0';
    (void)close(file);
    return outcome;
}

static int clear_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < MESH_COUNT_OF(options); i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%s_FILE", options[i].name);
        (void)unsetenv(options[i].name);
        (void)unsetenv(name);
    }
    (void)unsetenv("FAILPOINTS");
    return 0;
}

static void test_everything_wrong_is_reported_at_once(void **state)
{
    (void)state;
    (void)setenv("T_PORT", "65536", 1);
    (void)setenv("T_FLAG", "yes", 1);
    (void)setenv("T_LEVEL", "loud", 1);
    (void)setenv("T_PASSWORD_FILE", "/nonexistent/secret", 1);
    struct config config = {0};
    assert_int_equal(load(&config, NULL), MESH_CONFIG_BAD);
    assert_non_null(strstr(output, "T_PORT: must be a whole number from 1 to 65535"));
    assert_non_null(strstr(output, "T_FLAG: must be true or false"));
    assert_non_null(strstr(output, "T_LEVEL: must be error, warn, info or debug"));
    assert_non_null(strstr(output, "T_PASSWORD_FILE: cannot open"));
    assert_non_null(strstr(output, "T_NAME: must be set"));
    mesh_config_done(&spec, &config);
}

static void test_numbers_that_only_look_like_some_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", " 1", "-1", "+1", "1x", "0x10", "1e3", "99999999999999999999", "0"};
    (void)setenv("T_NAME", "ok", 1);
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        (void)setenv("T_PORT", bad[i], 1);
        struct config config = {0};
        assert_int_equal(load(&config, NULL), MESH_CONFIG_BAD);
        mesh_config_done(&spec, &config);
    }
}

static void test_contradictions_and_double_settings_are_refused(void **state)
{
    (void)state;
    struct config config = {0};
    (void)setenv("T_NAME", "ok", 1);
    (void)setenv("T_PORT", "7", 1);
    assert_int_equal(load(&config, "--check-config"), MESH_CONFIG_BAD);
    assert_non_null(strstr(output, "7 contradicts itself"));
    mesh_config_done(&spec, &config);
    (void)setenv("T_NAME_FILE", "/dev/null", 1);
    assert_int_equal(load(&config, NULL), MESH_CONFIG_BAD);
    assert_non_null(strstr(output, "give either T_NAME or T_NAME_FILE"));
    mesh_config_done(&spec, &config);
    assert_int_equal(load(&config, "--nonsense"), MESH_CONFIG_BAD);
}

/* In a build with failpoints for its name, in any other because it cannot act. */
static void test_a_failpoint_that_cannot_act_is_refused(void **state)
{
    (void)state;
    (void)setenv("T_NAME", "ok", 1);
    (void)setenv("FAILPOINTS", "nowhere=kill@1", 1);
    struct config config = {0};
    assert_int_equal(load(&config, NULL), MESH_CONFIG_BAD);
    assert_non_null(strstr(output, "FAILPOINTS: "));
    mesh_config_done(&spec, &config);
}

static void test_a_file_must_be_there_and_its_path_may_be_given_in_two_ways(void **state)
{
    (void)state;
    struct config config = {0};
    (void)setenv("T_NAME", "ok", 1);
    (void)setenv("T_FILE", "/nonexistent/certificate", 1);
    assert_int_equal(load(&config, "--check-config"), MESH_CONFIG_BAD);
    assert_non_null(strstr(output, "T_FILE: cannot open \"/nonexistent/certificate\""));
    mesh_config_done(&spec, &config);
    (void)unsetenv("T_FILE");
    (void)setenv("T_FILE_FILE", "/dev/null", 1);
    assert_int_equal(load(&config, "--check-config"), MESH_CONFIG_EXIT);
    assert_string_equal(config.file, "/dev/null");
    (void)unsetenv("T_FILE_FILE");
    mesh_config_done(&spec, &config);
}

static void test_secrets_come_from_files_and_are_masked(void **state)
{
    (void)state;
    char path[] = "/tmp/test_config_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, "hunter2\n", 8) == 8);
    (void)close(file);
    (void)setenv("T_NAME", "ok", 1);
    (void)setenv("T_PASSWORD_FILE", path, 1);
    (void)setenv("T_URL", "redis://user:hunter2@host:1", 1);
    struct config config = {0};
    assert_int_equal(load(&config, "--check-config"), MESH_CONFIG_EXIT);
    assert_string_equal(config.password, "hunter2");
    assert_null(strstr(output, "hunter2"));
    struct mesh_buffer json = {0};
    mesh_config_json(&spec, &config, &json);
    assert_null(strstr(json.data, "hunter2"));
    assert_non_null(strstr(json.data, "\"T_URL\":\"redis://***@host:1\""));
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    assert_non_null(doc);
    yyjson_doc_free(doc);
    mesh_buffer_done(&json);
    mesh_config_done(&spec, &config);
    (void)unlink(path);
}

static void test_good_settings_and_defaults_are_taken(void **state)
{
    (void)state;
    (void)setenv("T_NAME", "example", 1);
    (void)setenv("T_FLAG", "true", 1);
    (void)setenv("T_LEVEL", "debug", 1);
    struct config config = {0};
    assert_int_equal(load(&config, NULL), MESH_CONFIG_RUN);
    assert_int_equal(config.port, 80);
    assert_true(config.flag);
    assert_string_equal(config.name, "example");
    assert_int_equal(config.level, MESH_LOG_DEBUG);
    mesh_config_done(&spec, &config);
    assert_int_equal(load(&config, "--help"), MESH_CONFIG_EXIT);
    assert_non_null(strstr(output, "T_NAME"));
    assert_int_equal(load(&config, "--options"), MESH_CONFIG_EXIT);
    yyjson_doc *doc = yyjson_read(output, strlen(output), 0);
    assert_non_null(doc);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(doc), "options")), 7);
    yyjson_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_everything_wrong_is_reported_at_once, clear_environment),
        cmocka_unit_test_setup(test_numbers_that_only_look_like_some_are_refused,
                               clear_environment),
        cmocka_unit_test_setup(test_contradictions_and_double_settings_are_refused,
                               clear_environment),
        cmocka_unit_test_setup(test_a_failpoint_that_cannot_act_is_refused, clear_environment),
        cmocka_unit_test_setup(test_a_file_must_be_there_and_its_path_may_be_given_in_two_ways,
                               clear_environment),
        cmocka_unit_test_setup(test_secrets_come_from_files_and_are_masked, clear_environment),
        cmocka_unit_test_setup(test_good_settings_and_defaults_are_taken, clear_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
