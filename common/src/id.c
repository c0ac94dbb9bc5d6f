/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/id.h"

#include "hex.h"
#include "random.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define UUID_BYTES 16

/* Sets version and variant (RFC 9562, section 4) and writes the canonical text. */
static struct mesh_id id_of(uint8_t bytes[static UUID_BYTES], unsigned version)
{
    struct mesh_id id;

    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | (version << 4));
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
    memcpy(id.text, "........-....-....-....-............", sizeof(id.text));
    mesh_hex_write(id.text, bytes, 4);
    mesh_hex_write(id.text + 9, bytes + 4, 2);
    mesh_hex_write(id.text + 14, bytes + 6, 2);
    mesh_hex_write(id.text + 19, bytes + 8, 2);
    mesh_hex_write(id.text + 24, bytes + 10, 6);
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
    const uint8_t *at = text.data;
    uint8_t digits[2 * UUID_BYTES];

    if (text.size != MESH_ID_LENGTH || at[8] != '-' || at[13] != '-' || at[18] != '-' ||
        at[23] != '-') {
        return false;
    }
    memcpy(digits, at, 8);
    memcpy(digits + 8, at + 9, 4);
    memcpy(digits + 12, at + 14, 4);
    memcpy(digits + 16, at + 19, 4);
    memcpy(digits + 20, at + 24, 12);
    if (!mesh_hex_valid(digits, sizeof(digits))) {
        return false;
    }
    memcpy(out_id->text, at, MESH_ID_LENGTH);
    out_id->text[MESH_ID_LENGTH] = '\0';
    return true;
}
