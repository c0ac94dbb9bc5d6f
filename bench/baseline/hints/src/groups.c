/* SPDX-License-Identifier: Apache-2.0 */
#include "groups.h"

#include "mesh/alloc.h"

#include <stdlib.h>
#include <string.h>

bool groups_read(struct groups *out, const char *list, struct mesh_error *err)
{
    struct groups groups = {0};
    char *rest = NULL;
    if (strlen(list) > GROUPS_BYTES_MAX) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "--groups has more than %d bytes",
                         GROUPS_BYTES_MAX);
    }
    groups.text = mesh_strdup(list);
    for (char *name = strtok_r(groups.text, ",", &rest); name != NULL;
         name = strtok_r(NULL, ",", &rest)) {
        if (groups.count == GROUPS_COUNT_MAX) {
            groups_done(&groups);
            return mesh_fail(err, MESH_INVALID_ARGUMENT, "--groups has more than %d names",
                             GROUPS_COUNT_MAX);
        }
        groups.names[groups.count++] = name;
    }
    if (groups.count == 0) {
        groups_done(&groups);
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "--groups has no name");
    }
    *out = groups;
    return true;
}

void groups_done(struct groups *groups)
{
    free(groups->text);
    *groups = (struct groups){0};
}
