/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: answers are told apart wherever the network cuts them, and what is none is noticed.
 * Method: the same bytes whole and one by one.
 */
#include "cmocka_all.h"
#include "response.h"

#include <stdio.h>
#include <string.h>

static const char accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
                               "Content-Length: 7\r\n\r\n{\"a\":1}";
static const char refused[] = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n"
                              "CONNECTION: close\r\ncontent-length:0\r\n\r\n";

static void test_two_answers_in_one_piece(void **state)
{
    (void)state;
    char text[512];
    struct response response = {0};
    size_t size = (size_t)snprintf(text, sizeof(text), "%s%s", accepted, refused);
    struct mesh_bytes bytes = mesh_bytes_of(text, size);

    assert_int_equal(response_add(&response, &bytes), RESPONSE_WHOLE);
    assert_int_equal(response.status, 202);
    assert_false(response.closes);
    assert_false(response.retry_after);
    assert_int_equal(bytes.size, strlen(refused));
    response_next(&response);
    assert_int_equal(response_add(&response, &bytes), RESPONSE_WHOLE);
    assert_int_equal(response.status, 503);
    assert_true(response.closes);
    assert_true(response.retry_after);
    assert_int_equal(bytes.size, 0);
}

static void test_one_byte_at_a_time(void **state)
{
    (void)state;
    struct response response = {0};
    for (size_t i = 0; i < strlen(accepted); i++) {
        struct mesh_bytes bytes = mesh_bytes_of(accepted + i, 1);
        enum response_state wanted = i + 1 == strlen(accepted) ? RESPONSE_WHOLE : RESPONSE_MORE;
        assert_int_equal(response_add(&response, &bytes), wanted);
        assert_int_equal(bytes.size, 0);
    }
    assert_int_equal(response.status, 202);
}

static void expect_broken(const char *text)
{
    struct response response = {0};
    struct mesh_bytes bytes = mesh_bytes_of_text(text);
    assert_int_equal(response_add(&response, &bytes), RESPONSE_BROKEN);
}

static void test_what_is_no_answer_is_broken(void **state)
{
    (void)state;
    expect_broken("HTTP/1.1 202 Accepted\r\n\r\n");
    expect_broken("HTTP/1.0 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    expect_broken("HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n");
    expect_broken("nonsense\r\n\r\n");
}

static void test_an_endless_head_is_broken(void **state)
{
    (void)state;
    static char text[RESPONSE_HEAD_MAX + 2];
    memset(text, 'a', sizeof(text) - 1);
    expect_broken(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_answers_in_one_piece),
        cmocka_unit_test(test_one_byte_at_a_time),
        cmocka_unit_test(test_what_is_no_answer_is_broken),
        cmocka_unit_test(test_an_endless_head_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
