/* test_emit.c: SHA-256, numbers and texts as C, and which values a field may have. */
#include "base/sha256.h"
#include "emit/emit.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

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
