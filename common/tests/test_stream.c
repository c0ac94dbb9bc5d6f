/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a folder of stream files is loaded whole, in order, and its streams are found; or the file
 * that is wrong is named, or the two that share something.
 * Method: folders with files as the test wants them, and the project's own streams/.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/country.h"
#include "mesh/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *folder_new(void)
{
    char *folder = mesh_strdup("/tmp/mesh-test-stream-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void file_write(const char *folder, const char *name, const char *text, size_t size)
{
    char *path = mesh_format("%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        fail_msg("%s cannot be written", path);
        abort(); /* fail_msg() does not return, which analysers cannot know */
    }
    const size_t written = fwrite(text, 1, size, file);
    const int closed = fclose(file);
    assert_int_equal(written, size);
    assert_int_equal(closed, 0);
    free(path);
}

/* Writes a stream file; `name` without .json. */
static void stream_write(const char *folder, const char *name, const char *const values[4])
{
    char *file = mesh_format("%s.json", name);
    char *json = mesh_format("{\"stream\":\"%s\",\"title\":\"T\",\"path\":\"%s\",\"topic\":\"%s\","
                             "\"collection\":\"%s\",\"schema\":{\"type\":\"object\"}}",
                             values[0], values[1], values[2], values[3]);
    file_write(folder, file, json, strlen(json));
    free(json);
    free(file);
}

static void folder_remove(char *folder, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *path = mesh_format("%s/%s", folder, names[i]);
        assert_int_equal(unlink(path), 0);
        free(path);
    }
    assert_int_equal(rmdir(folder), 0);
    free(folder);
}

static void test_a_folder_without_streams_is_refused(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    char *folder = folder_new();
    file_write(folder, "README.md", "x", 1);
    file_write(folder, ".hidden.json", "x", 1);
    assert_null(mesh_streams_load(folder, &err));
    assert_non_null(strstr(err.text, "must hold 1 to 64 files *.json, has 0"));
    folder_remove(folder, (const char *const[]){"README.md", ".hidden.json"}, 2);

    assert_null(mesh_streams_load("/nowhere/at/all", &err));
    assert_int_equal(err.code, MESH_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nowhere/at/all: cannot be read"));
}

static void test_a_wrong_file_is_named(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    char *folder = folder_new();
    char *big = mesh_alloc_zeroed(1, MESH_STREAM_FILE_BYTES_MAX + 1);

    stream_write(folder, "a", (const char *const[]){"a", "/a", "a", "a"});
    file_write(folder, "b.json", "{}", 2);
    assert_null(mesh_streams_load(folder, &err));
    assert_non_null(strstr(err.text, "/b.json: /stream: is required"));
    file_write(folder, "b.json", big, MESH_STREAM_FILE_BYTES_MAX + 1);
    assert_null(mesh_streams_load(folder, &err));
    assert_non_null(strstr(err.text, "/b.json: has more than 262144 bytes"));
    free(big);
    folder_remove(folder, (const char *const[]){"a.json", "b.json"}, 2);
}

static void test_two_streams_share_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *const values[4];
        const char *member;
    } table[] = {
        {{"a", "/b", "b", "b"}, "/stream"},     {{"b", "/a", "b", "b"}, "/path"},
        {{"b", "/b", "a", "b"}, "/topic"},      {{"b", "/b", "a.dlq", "b"}, "/topic"},
        {{"b", "/b", "b", "a"}, "/collection"},
    };
    char *folder = folder_new();
    stream_write(folder, "a", (const char *const[]){"a", "/a", "a", "a"});
    for (size_t i = 0; i < MESH_COUNT_OF(table); i++) {
        struct mesh_error err = {0};
        char *message = mesh_format("/b.json: %s: stream \"a\" has it already", table[i].member);
        stream_write(folder, "b", table[i].values);
        assert_null(mesh_streams_load(folder, &err));
        assert_non_null(strstr(err.text, message));
        free(message);
    }
    folder_remove(folder, (const char *const[]){"a.json", "b.json"}, 2);
}

static void test_streams_are_found_by_name_path_and_topic(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    char *folder = folder_new();
    stream_write(folder, "2", (const char *const[]){"alpha", "/x/a", "alpha-topic", "c1"});
    stream_write(folder, "10", (const char *const[]){"beta", "/x/b", "beta-topic", "c2"});
    struct mesh_streams *streams = mesh_streams_load(folder, &err);
    assert_non_null(streams);
    assert_int_equal(mesh_streams_count(streams), 2);
    const struct mesh_stream *beta = mesh_streams_at(streams, 0); /* "10" sorts before "2" */
    assert_string_equal(beta->name, "beta");
    assert_string_equal(beta->dlq_topic, "beta-topic.dlq");
    assert_ptr_equal(mesh_streams_by_name(streams, mesh_bytes_of_text("beta")), beta);
    assert_ptr_equal(mesh_streams_by_path(streams, "/x/b"), beta);
    assert_ptr_equal(mesh_streams_by_topic(streams, "beta-topic"), beta);
    assert_null(mesh_streams_by_name(streams, mesh_bytes_of_text("bet")));
    assert_null(mesh_streams_by_path(streams, "/x/"));
    assert_null(mesh_streams_by_topic(streams, "beta-topic.dlq"));
    mesh_streams_free(streams);
    mesh_streams_free(NULL);
    folder_remove(folder, (const char *const[]){"2.json", "10.json"}, 2);
}

static void test_the_streams_of_the_project_load(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct mesh_streams *streams = mesh_streams_load("streams", &err);
    if (streams == NULL) {
        fail_msg("%s", err.text);
    }
    const struct mesh_stream *tweets = mesh_streams_by_path(streams, "/input");
    assert_non_null(tweets);
    assert_string_equal(tweets->name, "tweets");
    assert_string_equal(tweets->title, "Tweets about the weather");
    assert_string_equal(tweets->topic, "messages");
    assert_string_equal(tweets->dlq_topic, "messages.dlq");
    assert_string_equal(tweets->collection, "tweets");
    assert_string_equal(tweets->count_by, "country");
    assert_int_equal(tweets->group_count, mesh_country_count());
    assert_string_equal(tweets->group_names[tweets->group_count - 1], "Unknown");
    const char start[] = "{\"type\":\"object\",\"required\":[\"text\",\"country\"]";
    assert_memory_equal(tweets->schema_json.data, start, sizeof(start) - 1);
    mesh_streams_free(streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_folder_without_streams_is_refused),
        cmocka_unit_test(test_a_wrong_file_is_named),
        cmocka_unit_test(test_two_streams_share_nothing),
        cmocka_unit_test(test_streams_are_found_by_name_path_and_topic),
        cmocka_unit_test(test_the_streams_of_the_project_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
