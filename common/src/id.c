/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/id.h"

#include "random.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define UUID_BYTES 16

/* Sets version and variant (RFC 9562, section 4) and writes the canonical text. */
static struct mesh_id id_of(uint8_t bytes[static UUID_BYTES], unsigned version)
{
    static const char hex_digits[] = "0123456789abcdef";
    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | (version << 4));
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);

    struct mesh_id id = {0};
    char *at = id.text;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = hex_digits[bytes[i] >> 4];
        *at++ = hex_digits[bytes[i] & 15];
    }
    *at = '\0';
    return id;
}

struct mesh_id mesh_id_new(int64_t wall_ms)
{
    uint8_t bytes[UUID_BYTES];
    for (size_t i = 0; i < 6; i++) {
        bytes[i] = (uint8_t)((uint64_t)wall_ms >> (40 - 8 * i));
    }
    mesh_random(bytes + 6, UUID_BYTES - 6);
    return id_of(bytes, 7);
}

/* Length first, so that no two sources give the same bytes. */
static bool digest_part(EVP_MD_CTX *digest, const void *data, size_t size)
{
    uint8_t length[8];
    for (size_t i = 0; i < sizeof(length); i++) {
        length[i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
    }
    return EVP_DigestUpdate(digest, length, sizeof(length)) == 1 &&
           (size == 0 || EVP_DigestUpdate(digest, data, size) == 1);
}

struct mesh_id mesh_id_derive(const struct mesh_id_source *source)
{
    uint8_t index[8];
    for (size_t i = 0; i < sizeof(index); i++) {
        index[i] = (uint8_t)((uint64_t)source->index >> (56 - 8 * i));
    }
    uint8_t hash[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1 ||
        !digest_part(digest, source->stream, strlen(source->stream)) ||
        !digest_part(digest, source->client.data, source->client.size) ||
        !digest_part(digest, source->key.data, source->key.size) ||
        !digest_part(digest, index, sizeof(index)) || EVP_DigestFinal_ex(digest, hash, NULL) != 1) {
        /* Only memory can be missing here; a made-up id would break the promise of a safe retry. */
        abort();
    }
    EVP_MD_CTX_free(digest);
    return id_of(hash, 8);
}

bool mesh_id_parse(struct mesh_bytes text, struct mesh_id *out_id)
{
    if (text.size != MESH_ID_LENGTH) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
        if (dash ? byte != '-' : !hex) {
            return false;
        }
    }
    memcpy(out_id->text, text.data, MESH_ID_LENGTH);
    out_id->text[MESH_ID_LENGTH] = '\0';
    return true;
}
