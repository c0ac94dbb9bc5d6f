/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what people write for a country becomes one English short name; anything else is Unknown.
 * Method: tables of both; and all names of iso-codes, as they are, in upper and lower case and with
 * their accents taken apart, against what the generator's own folding in Python says.
 */
#include "../src/country_table.h"
#include "cmocka_all.h"
#include "mesh/country.h"

#include <stdio.h>
#include <string.h>

static const char *found(const char *text)
{
    return mesh_country_name(mesh_country_find(mesh_bytes_of_text(text)));
}

static void test_what_is_no_country_is_unknown(void **state)
{
    (void)state;
    static const char *const unknown[] = {
        "",      " ",       ".,-",          "\xCC\x81", "X",      "XX",        "ZZ",       "XYZ",
        "999",   "Unknown", "unknown",      "Atlantis", "Narnia", "the world", "Guatemal", "Spainn",
        "840.5", "0840",    "Middle Earth", "🇺",        "U€SA",
    };
    for (size_t i = 0; i < MESH_COUNT_OF(unknown); i++) {
        assert_string_equal(found(unknown[i]), "Unknown");
    }
}

static void test_what_could_be_two_countries_is_unknown(void **state)
{
    (void)state;
    static const char *const ambiguous[] = {"Korea", "Corea", "Virgin Islands", "Islas Vírgenes"};
    for (size_t i = 0; i < MESH_COUNT_OF(ambiguous); i++) {
        assert_string_equal(found(ambiguous[i]), "Unknown");
    }
}

static void test_what_is_no_utf8_is_unknown(void **state)
{
    (void)state;
    static const char *const malformed[] = {"US\xFF",
                                            "\x80US",
                                            "Espa\xC3",
                                            "M\xC1\xA9xico",
                                            "\xE0\x80\xAF",
                                            "US\xF0\x9F",
                                            "US\xED\xA0\x80x\xC3("};
    for (size_t i = 0; i < MESH_COUNT_OF(malformed); i++) {
        assert_string_equal(found(malformed[i]), "Unknown");
    }
    assert_int_equal(mesh_country_find((struct mesh_bytes){0}), mesh_country_unknown());
}

static void test_what_is_too_long_is_unknown(void **state)
{
    (void)state;
    char text[MESH_COUNTRY_BYTES_MAX + 2];

    memset(text, ' ', sizeof(text));
    text[0] = 'U';
    text[1] = 'S';
    assert_int_equal(mesh_country_find(mesh_bytes_of(text, MESH_COUNTRY_CODE_POINTS_MAX + 1)),
                     mesh_country_unknown());
    assert_string_equal(
        mesh_country_name(mesh_country_find(mesh_bytes_of(text, MESH_COUNTRY_CODE_POINTS_MAX))),
        "United States");
    assert_int_equal(mesh_country_find(mesh_bytes_of(text, sizeof(text))), mesh_country_unknown());
    /* 64 code points of 4 bytes: all that may be looked up, none of it foldable. */
    for (size_t i = 0; i < MESH_COUNTRY_BYTES_MAX; i++) {
        text[i] = "\xF0\xA0\x80\x80"[i % 4];
    }
    assert_int_equal(mesh_country_find(mesh_bytes_of(text, MESH_COUNTRY_BYTES_MAX)),
                     mesh_country_unknown());
}

static void test_the_longest_foldings_have_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < mesh_country_fold_count; i++) {
        const uint32_t point = mesh_country_folds[i].code_point;
        char text[MESH_COUNTRY_BYTES_MAX];
        size_t size = 0;
        for (size_t k = 0; k < MESH_COUNTRY_CODE_POINTS_MAX; k++) {
            if (point >= 0x10000) {
                text[size++] = (char)(0xF0 | point >> 18);
                text[size++] = (char)(0x80 | (point >> 12 & 0x3F));
                text[size++] = (char)(0x80 | (point >> 6 & 0x3F));
            } else if (point >= 0x800) {
                text[size++] = (char)(0xE0 | point >> 12);
                text[size++] = (char)(0x80 | (point >> 6 & 0x3F));
            } else {
                text[size++] = (char)(0xC0 | point >> 6);
            }
            text[size++] = (char)(0x80 | (point & 0x3F));
        }
        assert_int_equal(mesh_country_find(mesh_bytes_of(text, size)), mesh_country_unknown());
    }
}

static void test_what_people_write_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *name;
    } good[] = {
        {"guatemala", "Guatemala"},
        {"GUATEMALA", "Guatemala"},
        {"GT", "Guatemala"},
        {"gtm", "Guatemala"},
        {"320", "Guatemala"},
        {"México", "Mexico"},
        {"mexico", "Mexico"},
        {"Me\xCC\x81xico", "Mexico"},
        {"  united   states ", "United States"},
        {"us", "United States"},
        {"USA", "United States"},
        {"U.S.A.", "United States"},
        {"840", "United States"},
        {"Estados Unidos", "United States"},
        {"EE. UU.", "United States"},
        {"EEUU", "United States"},
        {"ＵＳ", "United States"},
        {"UK", "United Kingdom"},
        {"Great Britain", "United Kingdom"},
        {"Reino Unido", "United Kingdom"},
        {"Côte d'Ivoire", "Côte d'Ivoire"},
        {"Côte d’Ivoire", "Côte d'Ivoire"},
        {"cote divoire", "Côte d'Ivoire"},
        {"Ivory Coast", "Côte d'Ivoire"},
        {"España", "Spain"},
        {"ESPAÑA", "Spain"},
        {"espana", "Spain"},
        {"Alemania", "Germany"},
        {"Deutschland", "Germany"},
        {"日本", "Japan"},
        {"Россия", "Russia"},
        {"Ελλάδα", "Greece"},
        {"Bolivia, Plurinational State of", "Bolivia"},
        {"Iran, Islamic Republic of", "Iran"},
        {"Virgin Islands, British", "British Virgin Islands"},
        {"Congo", "Congo"},
        {"DR Congo", "Democratic Republic of the Congo"},
        {"South Korea", "South Korea"},
        {"Corea del Sur", "South Korea"},
        {"Korea, Democratic People's Republic of", "North Korea"},
        {"Turkey", "Türkiye"},
        {"Turquí"
         "a",
         "Türkiye"},
        {"Guinea", "Guinea"},
        {"Guinea-Bissau", "Guinea-Bissau"},
        {"Niger", "Niger"},
        {"Nigeria", "Nigeria"},
        {"Dominica", "Dominica"},
        {"República Dominicana", "Dominican Republic"},
        {"Irlanda", "Ireland"},
        {"XK", "Kosovo"},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(good); i++) {
        assert_string_equal(found(good[i].text), good[i].name);
    }
}

static void test_short_names_are_sorted_distinct_and_find_themselves(void **state)
{
    (void)state;
    assert_int_equal(mesh_country_count(), 251);
    assert_int_equal(mesh_country_unknown(), 250);
    assert_string_equal(mesh_country_name(mesh_country_unknown()), "Unknown");
    for (size_t i = 0; i < mesh_country_unknown(); i++) {
        assert_int_equal(mesh_country_find(mesh_bytes_of_text(mesh_country_name(i))), i);
    }
    assert_string_equal(mesh_country_name(0), "Afghanistan");
    assert_string_equal(mesh_country_name(249), "Zimbabwe");
}

static void test_names_of_all_languages_fold_as_in_the_generator(void **state)
{
    (void)state;
    char line[1024];
    size_t count = 0;
    FILE *names = popen("python3 common/src/country_table.py --names", "r");

    assert_non_null(names);
    while (fgets(line, sizeof(line), names) != NULL) {
        char *name = strchr(line, '\t');
        assert_non_null(name);
        *name++ = '\0';
        name[strcspn(name, "\n")] = '\0';
        if (strcmp(found(line), name) != 0) {
            fail_msg("\"%s\" is \"%s\", not \"%s\"", line, found(line), name);
        }
        count++;
    }
    assert_int_equal(pclose(names), 0);
    assert_true(count > 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_country_is_unknown),
        cmocka_unit_test(test_what_could_be_two_countries_is_unknown),
        cmocka_unit_test(test_what_is_no_utf8_is_unknown),
        cmocka_unit_test(test_what_is_too_long_is_unknown),
        cmocka_unit_test(test_the_longest_foldings_have_room),
        cmocka_unit_test(test_what_people_write_is_found),
        cmocka_unit_test(test_short_names_are_sorted_distinct_and_find_themselves),
        cmocka_unit_test(test_names_of_all_languages_fold_as_in_the_generator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
