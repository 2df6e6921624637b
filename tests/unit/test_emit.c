/* test_emit.c: SHA-256, numbers and texts as C, which values a field may have, and files of weights that become C. */
#include "base/sha256.h"
#include "emit/emit.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void begin(void) { arena_release(); program_reset(); names_reset(); }
TestSuite(emit, .init = begin);

Test(emit, sha256_of_known_texts)
{
    static const struct { const char *text, *hash; } known[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    };
    char out[65];
    for (size_t i = 0; i < 3; i++) {
        sha256_hex(known[i].text, strlen(known[i].text), out);
        cr_expect(strcmp(out, known[i].hash) == 0, "%s", known[i].text);
    }
    char *a = malloc(1000000);
    memset(a, 'a', 1000000);
    sha256_hex(a, 1000000, out);
    cr_expect(strcmp(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0") == 0);
    free(a);
}

Test(emit, numbers_and_texts_as_c)
{
    cr_expect(strcmp(double_text(0.9), "0.9") == 0);
    cr_expect(strtod(double_text(1.0 / 3), NULL) == 1.0 / 3);
    Text t = {0};
    text_add_literal(&t, "a\"b\\c\n\t\x80?");
    cr_expect(strcmp(text_string(&t), "\"a\\\"b\\\\c\\n\\011\\200\\077\"") == 0, "%s", text_string(&t));
    Text c = {0};
    text_add_comment(&c, "a */ b /* c\nd");
    cr_expect(strstr(text_string(&c), "*/") == NULL && strstr(text_string(&c), "/*") == NULL && !strchr(text_string(&c), '\n'));
    cr_expect(word_is_taken("while") && word_is_taken("vec") && word_is_taken("load") && !word_is_taken("mlp"));
}

/* z[n, label[n] + 1] of 10 classes wants labels -1 .. 8; under a test that it lies inside nothing is wanted. */
Test(emit, what_a_gather_wants_of_a_field)
{
    int extent[] = { 4, 10 };
    const Index *n = index_new("n", 4, true);
    Tensor *z = tensor_new("z", 2, extent, true, TYPE_FLOAT, ROLE_TEMP);
    Tensor *label = tensor_new("label", 1, extent, true, TYPE_INT, ROLE_INPUT);
    Tensor *y = tensor_new("y", 1, extent, true, TYPE_FLOAT, ROLE_TEMP);
    const Sum *place = sum_offset(sum_node(node_read_at(label, &n)), 1), *subs[] = { sum_index(n), place };
    const Node *read = node_read(z, subs);
    Program p = { .name = "step" };
    PUSH(p.equations, equation_map(y, &n, read));
    FieldRanges r = field_ranges(&p);
    cr_assert(r.count == 1 && r.at[0].field == label);
    cr_expect(r.at[0].low == -1 && r.at[0].high == 9);

    p.equations.at[0] = equation_map(y, &n, node_select(node_in(place, 10), read, node_float(0)));
    cr_expect(field_ranges(&p).count == 0);

    /* the same node many times: the walk must not take 2^60 steps */
    const Node *e = read;
    for (int i = 0; i < 60; i++) e = node2(OP_ADD, node2(OP_MUL, e, e), node_float(1));
    p.equations.at[0] = equation_map(y, &n, e);
    cr_expect(field_ranges(&p).count == 1);
}

/* ---- --weights=FILE ---- */
/* What is said of a file with this header (NULL: as long as it says) and bytes behind it, read and asked for "w". */
static const char *weights_said(const char *header, size_t length, const void *bytes, size_t count, const double **values)
{
    char path[] = "/tmp/dln-weights-XXXXXX", *said = NULL;
    size_t said_length = 0;
    int fd = mkstemp(path), shape[] = { 2 };
    unsigned char first[8];
    for (int i = 0; i < 8; i++) first[i] = (unsigned char)(length >> 8 * i);
    cr_assert(fd >= 0 && write(fd, first, 8) == 8 && write(fd, header, strlen(header)) == (ssize_t)strlen(header));
    cr_assert(write(fd, bytes, count) == (ssize_t)count && !close(fd));
    FILE *to = open_memstream(&said, &said_length);
    diag_begin(to, DIAG_TEXT, false);
    WeightFile *f = weights_read(path);
    names_reset();
    *values = f ? weights_of(f, tensor_new("w", 1, shape, false, TYPE_FLOAT, ROLE_PARAM)) : NULL;
    fclose(to);
    cr_assert((error_count() > 0) == (said_length > 0) && (!*values || !error_count()), "%s", header);
    unlink(path);
    return said;
}

#define HEAD(dtype, shape, from, to) "{\"w\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}}"
Test(emit, files_of_weights_are_read_or_refused)
{
    static const float two[] = { 1.5f, -0.25f };
    static const struct { const char *header, *words; } cases[] = {
        { HEAD("F32", "[2]", 0, 8), "" },
        { " {\t\"w\" : {\r\n\"dtype\":\"F32\", \"shape\" :[ 2 ] , \"data_offsets\": [0, 8 ] } } ", "" },
        { "{\"__metadata__\":{},\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "" },
        { "{\"__metadata__\":{\"a\":\"b\", \"c\":\"\\\"}\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "" },
        { "{}", "none" },
        { HEAD("F16", "[2]", 0, 4), "tensor 'w' has type F16; F32 and F64 are read" },
        { HEAD("F32", "[3]", 0, 8), "tensor 'w' has shape [3], the model's has [2]" },
        { HEAD("F32", "[1, 2]", 0, 8), "tensor 'w' has shape [1, 2], the model's has [2]" },
        { HEAD("F32", "[]", 0, 4), "tensor 'w' has shape [], the model's has [2]" },
        { HEAD("F32", "[2]", 0, 4), "tensor 'w' has 4 bytes, its shape needs 8" },
        { HEAD("F64", "[2]", 0, 8), "tensor 'w' has 8 bytes, its shape needs 16" },
        { HEAD("F32", "[2]", 0, 9), "tensor 'w' does not lie in the file" },
        { HEAD("F32", "[2]", 8, 0), "tensor 'w' does not lie in the file" },
        { HEAD("F32", "[2]", 0, 9223372036854775808), "a number that is too large" },
        { HEAD("F32", "[-2]", 0, 8), "expected a whole number" },
        { HEAD("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1]", 0, 8), "a list that is too long" },
        { "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4,8]}}", "a list that is too long" },
        { "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", "tensor 'w' does not lie in the file" },
        { "{\"w\":{\"shape\":[2],\"data_offsets\":[0,8]}}", "tensor 'w' does not lie in the file" },
        { "{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", "tensor 'w' does not lie in the file" },
        { "{\"w\":{\"type\":\"F32\"}}", "'type' is not expected in a tensor" },
        { "{\"w\":{}}", "expected '\"'" },
        { "{\"w\":[]}", "expected '{'" },
        { "{\"w\":{\"dtype\" \"F32\"}}", "expected ':'" },
        { "{\"w\":{\"dtype\":\"F32\",\"shape\":2}}", "expected '['" },
        { "{\"w\":{\"dtype\":\"F32\",\"shape\":[2}}", "expected ']'" },
        { "{\"w\":{\"dtype\":\"F32\"", "expected '}'" },
        { "{\"w", "expected '\"'" },
        { "{\"w\\", "expected '\"'" },
        { "{\"w\"", "expected ':'" },
        { "{\"__metadata__\":{\"a\":3}}", "expected '\"'" },
        { "{\"__metadata__\":{\"a\":\"b\"", "expected '}'" },
        { "[]", "byte 0 of the header: expected '{'" },
        { "", "byte 0 of the header: expected '{'" },
    };
    const double *values;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *header = cases[i].header, *said = weights_said(header, strlen(header), two, sizeof two, &values);
        if (!*cases[i].words) cr_expect(values && values[0] == 1.5 && values[1] == -0.25 && !*said, "%s: %s", header, said);
        else if (!strcmp(cases[i].words, "none")) cr_expect(!values && !*said, "%s: %s", header, said);
        else cr_expect(!values && strstr(said, cases[i].words), "%s: '%s', not '%s'", header, said, cases[i].words);
    }
}

Test(emit, weights_of_doubles_and_of_no_numbers)
{
    const double good[] = { 1.0 / 3, -1e300 }, bad[] = { 1, NAN }, worse[] = { INFINITY, 1 };
    const double *values;
    const char *header = HEAD("F64", "[2]", 0, 16);
    cr_expect(!*weights_said(header, strlen(header), good, sizeof good, &values) && values && values[0] == good[0] && values[1] == good[1]);
    cr_expect(strstr(weights_said(header, strlen(header), bad, sizeof bad, &values), "'w' is not finite at place 1") && !values);
    cr_expect(strstr(weights_said(header, strlen(header), worse, sizeof worse, &values), "'w' is not finite at place 0") && !values);
}

Test(emit, files_that_are_no_files_of_weights)
{
    const double *values;
    const size_t lengths[] = { 3, 100, (size_t)1 << 40, SIZE_MAX };
    cr_expect(!*weights_said("{}", 2, "", 0, &values));
    for (size_t i = 0; i < 4; i++) cr_expect(strstr(weights_said("{}", lengths[i], "", 0, &values), "is no safetensors file: 10 bytes") && !values);
    diag_begin(fopen("/dev/null", "w"), DIAG_TEXT, false);
    cr_expect(!weights_read("/dev/null") && error_count() == 1);
    cr_expect(!weights_read("/nowhere/w") && error_count() == 2);
    cr_expect(!weights_read("/") && error_count() == 3);          /* a folder opens, and cannot be read */
}
