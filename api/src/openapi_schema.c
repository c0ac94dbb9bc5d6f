/* SPDX-License-Identifier: Apache-2.0 */
#include "openapi_schema.h"

#include <assert.h>
#include <string.h>

static yyjson_mut_val *convert(yyjson_mut_doc *doc, yyjson_val *schema);

/* {"required": [name]} */
static yyjson_mut_val *has(yyjson_mut_doc *doc, const char *name)
{
    yyjson_mut_val *schema = yyjson_mut_obj(doc);
    yyjson_mut_val *required = yyjson_mut_obj_add_arr(doc, schema, "required");
    yyjson_mut_arr_add_strcpy(doc, required, name);
    return schema;
}

/* One of the names must be there, or, when the property is optional, none. */
static yyjson_mut_val *exactly_one(yyjson_mut_doc *doc, const char *name, yyjson_val *aliases,
                                   bool optional)
{
    yyjson_mut_val *schema = yyjson_mut_obj(doc);
    yyjson_mut_val *choices = yyjson_mut_obj_add_arr(doc, schema, "oneOf");
    yyjson_mut_val *any = yyjson_mut_arr(doc);
    yyjson_mut_arr_add_val(choices, has(doc, name));
    yyjson_mut_arr_add_val(any, has(doc, name));
    size_t i;
    size_t count;
    yyjson_val *alias;
    yyjson_arr_foreach(aliases, i, count, alias)
    {
        yyjson_mut_arr_add_val(choices, has(doc, yyjson_get_str(alias)));
        yyjson_mut_arr_add_val(any, has(doc, yyjson_get_str(alias)));
    }
    if (optional) {
        yyjson_mut_val *none = yyjson_mut_arr_add_obj(doc, choices);
        yyjson_mut_val *any_schema = yyjson_mut_obj_add_obj(doc, none, "not");
        yyjson_mut_obj_add_val(doc, any_schema, "anyOf", any);
    }
    return schema;
}

static bool lists(yyjson_val *names, const char *name)
{
    size_t i;
    size_t count;
    yyjson_val *item;
    yyjson_arr_foreach(names, i, count, item)
    {
        if (yyjson_equals_str(item, name)) {
            return true;
        }
    }
    return false;
}

static void add_property(yyjson_mut_doc *doc, yyjson_mut_val *properties, yyjson_mut_val *rules,
                         const char *name, yyjson_val *property, bool required)
{
    yyjson_val *aliases = yyjson_obj_get(property, "x-aliases");
    yyjson_mut_obj_add(properties, yyjson_mut_strcpy(doc, name), convert(doc, property));
    size_t i;
    size_t count;
    yyjson_val *alias;
    yyjson_arr_foreach(aliases, i, count, alias)
    {
        yyjson_mut_val *schema = convert(doc, property);
        yyjson_mut_val *description = yyjson_mut_strcpy(doc, name);
        yyjson_mut_obj_add_val(doc, schema, "x-alias-of", description);
        yyjson_mut_obj_add(properties, yyjson_mut_strcpy(doc, yyjson_get_str(alias)), schema);
    }
    if (yyjson_arr_size(aliases) > 0) {
        yyjson_mut_arr_add_val(rules, exactly_one(doc, name, aliases, !required));
    }
}

/* `properties` and `required`, with each alias beside its property. */
static void convert_object(yyjson_mut_doc *doc, yyjson_val *schema, yyjson_mut_val *out)
{
    yyjson_val *required = yyjson_obj_get(schema, "required");
    yyjson_mut_val *rules = yyjson_mut_arr(doc);
    yyjson_mut_val *properties = yyjson_mut_obj_add_obj(doc, out, "properties");
    yyjson_mut_val *always = yyjson_mut_arr(doc);
    size_t i;
    size_t count;
    yyjson_val *key;
    yyjson_val *property;
    yyjson_obj_foreach(yyjson_obj_get(schema, "properties"), i, count, key, property)
    {
        const char *name = yyjson_get_str(key);
        bool is_required = lists(required, name);
        add_property(doc, properties, rules, name, property, is_required);
        if (is_required && yyjson_arr_size(yyjson_obj_get(property, "x-aliases")) == 0) {
            yyjson_mut_arr_add_strcpy(doc, always, name);
        }
    }
    if (yyjson_mut_arr_size(always) > 0) {
        yyjson_mut_obj_add_val(doc, out, "required", always);
    }
    if (yyjson_mut_arr_size(rules) > 0) {
        yyjson_mut_obj_add_val(doc, out, "allOf", rules);
    }
}

static yyjson_mut_val *convert(yyjson_mut_doc *doc, yyjson_val *schema)
{
    yyjson_mut_val *out = yyjson_mut_obj(doc);
    size_t i;
    size_t count;
    yyjson_val *key;
    yyjson_val *value;
    yyjson_obj_foreach(schema, i, count, key, value)
    {
        const char *name = yyjson_get_str(key);
        if (strcmp(name, "properties") == 0) {
            convert_object(doc, schema, out);
        } else if (strcmp(name, "items") == 0) {
            yyjson_mut_obj_add_val(doc, out, "items", convert(doc, value));
        } else if (strcmp(name, "required") != 0 && strcmp(name, "x-aliases") != 0) {
            yyjson_mut_obj_add(out, yyjson_val_mut_copy(doc, key), yyjson_val_mut_copy(doc, value));
        }
    }
    if (yyjson_equals_str(yyjson_obj_get(schema, "type"), "string") &&
        yyjson_obj_get(schema, "enum") == NULL) {
        /* A rule of all streams that the subset of JSON Schema has no keyword for. */
        yyjson_mut_obj_add_str(doc, out, "pattern", "^[^\\u0000]*$");
    }
    return out;
}

yyjson_mut_val *openapi_schema(yyjson_mut_doc *doc, struct mesh_bytes json)
{
    yyjson_doc *schema = yyjson_read((const char *)json.data, json.size, 0);
    assert(schema != NULL);
    yyjson_mut_val *out = convert(doc, yyjson_doc_get_root(schema));
    yyjson_doc_free(schema);
    return out;
}
