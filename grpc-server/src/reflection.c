/* SPDX-License-Identifier: Apache-2.0 */
#include "reflection.h"

#include "grpc/reflection/symbols.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "mesh/alloc.h"

#include <stdlib.h>
#include <string.h>

/* v1 and v1alpha have the same bytes; the names of v1 are used for both. */
typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;

/* From proto/, by mesh_embed(). */
extern const unsigned char reflection_descriptors[];
extern const size_t reflection_descriptors_size;

struct reflection {
    Grpc__Reflection__Files *files;  /* serialised, as they are handed out */
    Grpc__Reflection__File **parsed; /* the names in them, in the same order */
    size_t service_count;
};

struct reflection *reflection_new(struct mesh_error *err)
{
    struct reflection *reflection = mesh_new(struct reflection);

    reflection->files =
        grpc__reflection__files__unpack(NULL, reflection_descriptors_size, reflection_descriptors);
    if (reflection->files == NULL) {
        goto fail;
    }
    reflection->parsed = mesh_new_array(Grpc__Reflection__File *, reflection->files->n_file);
    for (size_t i = 0; i < reflection->files->n_file; i++) {
        const ProtobufCBinaryData *file = &reflection->files->file[i];
        reflection->parsed[i] = grpc__reflection__file__unpack(NULL, file->len, file->data);
        if (reflection->parsed[i] == NULL) {
            goto fail;
        }
        reflection->service_count += reflection->parsed[i]->n_service;
    }
    return reflection;

fail:
    mesh_fail(err, MESH_INTERNAL, "the built-in descriptors cannot be read");
    reflection_free(reflection);
    return NULL;
}

void reflection_free(struct reflection *reflection)
{
    if (reflection == NULL) {
        return;
    }
    if (reflection->files != NULL && reflection->parsed != NULL) {
        for (size_t i = 0; i < reflection->files->n_file; i++) {
            if (reflection->parsed[i] != NULL) {
                grpc__reflection__file__free_unpacked(reflection->parsed[i], NULL);
            }
        }
    }
    free(reflection->parsed);
    if (reflection->files != NULL) {
        grpc__reflection__files__free_unpacked(reflection->files, NULL);
    }
    free(reflection);
}

/* If *rest is `name`, or begins with it and a dot, moves behind it. An empty *rest is a match. */
static bool name_take(const char **rest, const char *name)
{
    size_t length = strlen(name);

    if (strncmp(*rest, name, length) != 0) {
        return false;
    }
    if ((*rest)[length] == '\0') {
        *rest += length;
        return true;
    }
    if ((*rest)[length] == '.') {
        *rest += length + 1;
        return true;
    }
    return false;
}

static bool named_holds(Grpc__Reflection__Named *const *named, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(named[i]->name, symbol) == 0) {
            return true;
        }
    }
    return false;
}

static bool messages_hold(Grpc__Reflection__Message *const *messages, size_t count,
                          const char *symbol)
{
    /* As deep as messages are nested in the descriptors; every level takes a name off. */
    for (size_t i = 0; i < count; i++) {
        const char *rest = symbol;
        if (!name_take(&rest, messages[i]->name)) {
            continue;
        }
        if (*rest == '\0' || named_holds(messages[i]->enum_type, messages[i]->n_enum_type, rest) ||
            messages_hold(messages[i]->nested_type, messages[i]->n_nested_type, rest)) {
            return true;
        }
    }
    return false;
}

static bool file_holds(const Grpc__Reflection__File *file, const char *symbol)
{
    if (!name_take(&symbol, file->package) || *symbol == '\0') {
        return false;
    }
    for (size_t i = 0; i < file->n_service; i++) {
        const char *rest = symbol;
        if (name_take(&rest, file->service[i]->name) &&
            (*rest == '\0' ||
             named_holds(file->service[i]->method, file->service[i]->n_method, rest))) {
            return true;
        }
    }
    return named_holds(file->enum_type, file->n_enum_type, symbol) ||
           messages_hold(file->message_type, file->n_message_type, symbol);
}

static ProtobufCBinaryData *file_find(struct reflection *reflection,
                                      const reflection_request *request)
{
    bool by_name =
        request->message_request_case ==
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME;

    for (size_t i = 0; i < reflection->files->n_file; i++) {
        const Grpc__Reflection__File *file = reflection->parsed[i];
        if (by_name ? strcmp(file->name, request->file_by_filename) == 0
                    : file_holds(file, request->file_containing_symbol)) {
            return &reflection->files->file[i];
        }
    }
    return NULL;
}

static grpc_slice response_pack(const reflection_request *request, reflection_response *response)
{
    response->valid_host = request->host;
    response->original_request = (reflection_request *)request;
    grpc_slice slice = grpc_slice_malloc(
        grpc__reflection__v1__server_reflection_response__get_packed_size(response));
    (void)grpc__reflection__v1__server_reflection_response__pack(response,
                                                                 GRPC_SLICE_START_PTR(slice));
    return slice;
}

static grpc_slice error_answer(const reflection_request *request, enum mesh_code code,
                               const char *text)
{
    reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;

    error.error_code = (int32_t)code;
    error.error_message = (char *)text;
    response.error_response = &error;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    return response_pack(request, &response);
}

/* None of our files imports another, so the file is all that is needed. */
static grpc_slice file_answer(struct reflection *reflection, const reflection_request *request)
{
    reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    Grpc__Reflection__V1__FileDescriptorResponse files =
        GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    ProtobufCBinaryData *file = file_find(reflection, request);

    if (file == NULL) {
        return error_answer(request, MESH_NOT_FOUND, "no such file or symbol");
    }
    files.n_file_descriptor_proto = 1;
    files.file_descriptor_proto = file;
    response.file_descriptor_response = &files;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    return response_pack(request, &response);
}

static grpc_slice services_answer(struct reflection *reflection, const reflection_request *request)
{
    reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    Grpc__Reflection__V1__ListServiceResponse list =
        GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    size_t count = reflection->service_count;
    Grpc__Reflection__V1__ServiceResponse *services =
        mesh_new_array(Grpc__Reflection__V1__ServiceResponse, count);
    Grpc__Reflection__V1__ServiceResponse **pointers =
        mesh_new_array(Grpc__Reflection__V1__ServiceResponse *, count);

    for (size_t i = 0; i < reflection->files->n_file; i++) {
        const Grpc__Reflection__File *file = reflection->parsed[i];
        for (size_t j = 0; j < file->n_service; j++) {
            Grpc__Reflection__V1__ServiceResponse *service = &services[list.n_service];
            grpc__reflection__v1__service_response__init(service);
            service->name = mesh_format("%s.%s", file->package, file->service[j]->name);
            pointers[list.n_service++] = service;
        }
    }
    list.service = pointers;
    response.list_services_response = &list;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    grpc_slice slice = response_pack(request, &response);
    for (size_t i = 0; i < count; i++) {
        free(services[i].name);
    }
    free(services);
    free(pointers);
    return slice;
}

static grpc_slice answer(struct reflection *reflection, const reflection_request *request)
{
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        return file_answer(reflection, request);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        return services_answer(reflection, request);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        return error_answer(request, MESH_NOT_FOUND, "there are no extensions");
    default:
        return error_answer(request, MESH_INVALID_ARGUMENT, "nothing is asked for");
    }
}

static void on_info(void *arg, struct call *call, struct mesh_bytes message)
{
    reflection_request *request =
        grpc__reflection__v1__server_reflection_request__unpack(NULL, message.size, message.data);

    if (request == NULL) {
        call_fail(call, MESH_INVALID_ARGUMENT, "the message is not a ServerReflectionRequest");
        return;
    }
    call_reply(call, answer(arg, request));
    grpc__reflection__v1__server_reflection_request__free_unpacked(request, NULL);
}

void reflection_methods(struct reflection *reflection,
                        struct method out[static REFLECTION_METHOD_COUNT])
{
    static const char *const paths[REFLECTION_METHOD_COUNT] = {
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    };

    for (size_t i = 0; i < REFLECTION_METHOD_COUNT; i++) {
        out[i] = (struct method){
            .path = paths[i], .kind = METHOD_BIDI, .arg = reflection, .message = on_info};
    }
}
