/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include "mesh/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char unix_prefix[] = "unix:";

bool address_next(const char **list, char **out_address)
{
    const char *begin = *list + strspn(*list, ", ");
    size_t length = strcspn(begin, ", ");

    *list = begin + length;
    if (length == 0) {
        return false;
    }
    *out_address = mesh_strndup(begin, length);
    return true;
}

static const char *unix_path(const char *address)
{
    size_t length = sizeof unix_prefix - 1;

    return strncmp(address, unix_prefix, length) == 0 ? address + length : NULL;
}

static bool port_check(const char *text)
{
    char *end = NULL;
    unsigned long port = strtoul(text, &end, 10);

    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port <= 65535;
}

bool address_check(const char *address, struct mesh_error *err)
{
    const char *path = unix_path(address);

    if (path != NULL) {
        if (path[0] != '/' || strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
            return mesh_fail(err, MESH_INVALID_ARGUMENT,
                             "%s: wanted unix:/absolute/path of at most 107 bytes", address);
        }
        return true;
    }
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || !port_check(colon + 1)) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "%s: wanted host:port or unix:/path", address);
    }
    return true;
}

bool address_free_to_use(const char *address, struct mesh_error *err)
{
    const char *path = unix_path(address);
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    if (path == NULL) {
        return true;
    }
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "%s: no socket to probe it with", address);
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    bool in_use = connect(probe, (const struct sockaddr *)&name, sizeof name) == 0;
    close(probe);
    if (in_use) {
        return mesh_fail(err, MESH_ALREADY_EXISTS, "%s: another server listens there", address);
    }
    return true;
}
