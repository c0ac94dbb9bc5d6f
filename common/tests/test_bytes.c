/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: UTF-8 is told from what only looks like it; JSON strings come out as RFC 8259 wants them.
 * Method: tables of good and bad sequences (the borders of table 3-7 of the Unicode standard), and
 * every control character through the writer and back through yyjson.
 */
#include "cmocka_all.h"
#include "mesh/bytes.h"

#include <stdio.h>
#include <string.h>
#include <yyjson.h>

static void test_malformed_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xC0\xAF",
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFF",
        "a\xC3",
        "\xE2\x82",
        "\xF0\x9F\x98",
        "\xC3(",
        "\xE2(\xA1",
        "\xF0\x9F\x98(",
    };
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        assert_false(mesh_bytes_is_utf8(mesh_bytes_of_text(bad[i])));
        /* Behind ASCII, of which eight bytes at a time are skipped. */
        char text[24] = "0123456789abcdefghi";
        for (size_t before = 0; before < 20; before++) {
            const size_t size = strlen(bad[i]);
            memcpy(text + before, bad[i], size);
            assert_false(mesh_bytes_is_utf8(mesh_bytes_of(text, before + size)));
            memcpy(text, "0123456789abcdefghi", 20);
        }
    }
}

static void test_well_formed_utf8_is_taken_and_counted(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t points;
    } good[] = {
        {"", 0},
        {"abc", 3},
        {"\xC2\x80\xDF\xBF", 2},
        {"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", 4},
        {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 2},
        {"a\xF0\x9F\x98\x80z", 3},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(good); i++) {
        struct mesh_bytes text = mesh_bytes_of_text(good[i].text);
        assert_true(mesh_bytes_is_utf8(text));
        assert_int_equal(mesh_bytes_code_points(text), good[i].points);
    }
}

static void test_json_strings_read_back_equal(void **state)
{
    (void)state;
    char all[130];
    for (size_t i = 0; i < 128; i++) {
        all[i] = (char)i;
    }
    struct mesh_buffer buffer = {0};
    mesh_buffer_add_json(&buffer, mesh_bytes_of(all, 128));
    yyjson_doc *doc = yyjson_read(buffer.data, buffer.size, 0);
    assert_non_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_int_equal(yyjson_get_len(root), 128);
    assert_memory_equal(yyjson_get_str(root), all, 128);
    yyjson_doc_free(doc);
    mesh_buffer_done(&buffer);
}

static void test_every_byte_is_escaped_where_it_must_be(void **state)
{
    (void)state;
    /* At every place of a text, since eight bytes at a time are looked at. */
    for (size_t place = 0; place < 19; place++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char text[20] = "abcdefghijklmnopqrs";
            char expected[32] = "\"";
            struct mesh_buffer buffer = {0};
            text[place] = (char)byte;
            memcpy(expected + 1, text, place);
            char *at = expected + 1 + place;
            const char *escape = byte != 0 ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", (char)byte) : NULL;
            if (escape != NULL && (byte < 0x20 || byte == '"' || byte == '\\')) {
                at += sprintf(at, "\\%c", escape[1]);
            } else if (byte < 0x20) {
                at += sprintf(at, "\\u%04x", byte);
            } else {
                *at++ = (char)byte;
            }
            memcpy(at, text + place + 1, sizeof(text) - place - 2);
            memcpy(at + sizeof(text) - place - 2, "\"", 2);
            mesh_buffer_add_json(&buffer, mesh_bytes_of(text, 19));
            assert_string_equal(buffer.data, expected);
            assert_int_equal(buffer.size, strlen(expected));
            mesh_buffer_done(&buffer);
        }
    }
}

static void test_room_is_where_the_next_bytes_go(void **state)
{
    (void)state;
    for (size_t more = 0; more < 600; more++) {
        struct mesh_buffer buffer = {0};
        mesh_buffer_add_text(&buffer, "before");
        char *room = mesh_buffer_room(&buffer, more);
        assert_ptr_equal(room, buffer.data + 6);
        memset(room, 'x', more);
        room[more] = '\0';
        buffer.size += more;
        mesh_buffer_add_text(&buffer, "behind");
        assert_int_equal(buffer.size, 12 + more);
        assert_memory_equal(buffer.data, "before", 6);
        assert_string_equal(buffer.data + 6 + more, "behind");
        mesh_buffer_done(&buffer);
    }
}

static void test_a_buffer_grows_and_can_be_used_again(void **state)
{
    (void)state;
    struct mesh_buffer buffer = {0};
    for (int i = 0; i < 1000; i++) {
        mesh_buffer_add_format(&buffer, "%04d", i);
    }
    assert_int_equal(buffer.size, 4000);
    assert_memory_equal(buffer.data + 3996, "0999", 5);
    mesh_buffer_reset(&buffer);
    assert_string_equal(buffer.data, "");
    mesh_buffer_add(&buffer, mesh_bytes_of(NULL, 0));
    mesh_buffer_add_text(&buffer, "x");
    assert_true(mesh_bytes_equal_text(mesh_buffer_bytes(&buffer), "x"));
    mesh_buffer_done(&buffer);
    mesh_buffer_done(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_utf8_is_refused),
        cmocka_unit_test(test_well_formed_utf8_is_taken_and_counted),
        cmocka_unit_test(test_json_strings_read_back_equal),
        cmocka_unit_test(test_every_byte_is_escaped_where_it_must_be),
        cmocka_unit_test(test_room_is_where_the_next_bytes_go),
        cmocka_unit_test(test_a_buffer_grows_and_can_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
