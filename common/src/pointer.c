/* SPDX-License-Identifier: Apache-2.0 */
#include "pointer.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *data;
    size_t size;
    size_t room; /* without the NUL */
    bool full;
};

static void text_add(struct text *text, const char *data, size_t size)
{
    if (text->full || size > text->room - text->size) {
        text->full = true;
        return;
    }
    memcpy(text->data + text->size, data, size);
    text->size += size;
}

static size_t code_point_length(struct mesh_bytes utf8, size_t at)
{
    size_t length = 1;
    while (at + length < utf8.size && (utf8.data[at + length] & 0xC0) == 0x80) {
        length++;
    }
    return length;
}

/* RFC 6901, section 3; U+0000 would end the C string and becomes U+FFFD. */
static void key_add(struct text *text, struct mesh_bytes key)
{
    for (size_t at = 0; at < key.size;) {
        const size_t length = code_point_length(key, at);
        switch (key.data[at]) {
        case '~':
            text_add(text, "~0", 2);
            break;
        case '/':
            text_add(text, "~1", 2);
            break;
        case '\0':
            text_add(text, "\xEF\xBF\xBD", 3);
            break;
        default:
            text_add(text, (const char *)key.data + at, length);
        }
        at += length;
    }
}

static void steps_add(struct text *text, const struct mesh_pointer *pointer)
{
    if (pointer->parent == NULL) {
        return;
    }
    steps_add(text, pointer->parent);
    text_add(text, "/", 1);
    if (pointer->key.data != NULL) {
        key_add(text, pointer->key);
        return;
    }
    char index[24];
    (void)snprintf(index, sizeof(index), "%zu", pointer->index);
    text_add(text, index, strlen(index));
}

void mesh_pointer_write(const struct mesh_pointer *pointer, char *out, size_t out_size)
{
    struct text text = {.data = out, .room = out_size - 1};
    steps_add(&text, pointer);
    out[text.size] = '\0';
}
