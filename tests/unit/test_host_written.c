/* test_host_written.c: what the program writes for others to read: curves (--plot) and what --resume takes out of them,
 * predictions as JSON, weights as .npz and as constants in C; with numbers that are not finite, names that need care,
 * and files that cannot be written. SPDX-License-Identifier: 0BSD */
#include <math.h>
#include <unistd.h>
#include "host/run.h"
#include "unit/fake_model.c"
#include "unit/host_block.h"
#include "unit/host_program.h"

TestSuite(written, .init = folder_make, .fini = folder_remove);

/* ---- curves ---- */
typedef struct Curves {
    Plot plot;
    char *text;
} Curves;

static int count_of(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word)) n++;
    return n;
}

/* Draws `rounds` rounds of loss and accuracy; validation NULL: none. */
static Curves drawn(dln_model *m, bool in_steps, const double *loss, const double *validation, int rounds)
{
    Curves c;
    Problem p = { 0 };
    Run r = { .model = m, .value_count = 2, .options = { .plot = in_folder("c.svg") } };
    cr_assert(plot_begin(&c.plot, &r, in_steps, validation != NULL, &p));
    cr_assert(plot_write(&c.plot, &p) && access(in_folder("c.svg"), F_OK)); /* nothing yet */
    for (int i = 0; i < rounds; i++) {
        const double values[] = { loss[i], 0.5 }, val[] = { validation ? validation[i] : 0, 0.25 };
        cr_assert(plot_round(&c.plot, i + 1, values, validation ? val : NULL, &p), "%s", p.text);
    }
    cr_assert(plot_write(&c.plot, &p), "%s", p.text);
    c.text = (char *)file_bytes(in_folder("c.svg")).at;
    return c;
}

static void curves_free(Curves *c)
{
    plot_end(&c->plot);
    free(c->text);
    unlink(in_folder("c.svg"));
}

Test(written, curves_of_numbers_of_every_kind)
{
    static const double falls[] = { 3, 2, 1.5, 1.25 }, decades[] = { 1e-6, 2e-3, 0.5, 40 },
                        nothing[] = { NAN, INFINITY };
    static const double gap[] = { 1, NAN, 3, 4, -INFINITY }, zero[] = { 0, 0 }, same[] = { 7, 7 },
                        far[] = { 1e-200, 1e200 };
    static const double below[] = { -2, -0.001 }, one[] = { 0.75 };
    static const double most[] = { 1.7e308, 1, -1.7e308, 2 };
    static const struct {
        const double *loss;
        int rounds, curves, dots; /* of the loss */
        const char *words;
    } cases[] = {
        { falls, 4, 1, 4, ">1.5</text>" }, { decades, 4, 1, 4, ">1e-06</text>" },
        { gap, 5, 2, 3, "null" },          { zero, 2, 1, 2, ">-1</text>" },
        { same, 2, 1, 2, ">7</text>" },    { below, 2, 1, 2, ">-2</text>" },
        { one, 1, 1, 1, "epoch 1: 0.75" }, { far, 2, 1, 2, ">1e-200</text>" },
        { most, 4, 2, 2, ">1.2</text>" },  { nothing, 2, 0, 0, "no finite figure yet" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Curves c = drawn(fake_model("x", 2, 2), false, cases[i].loss, NULL, cases[i].rounds);
        cr_expect(count_of(c.text, "<polyline class=\"train\"") == cases[i].curves + 1, "%zu: %s", i, c.text);
        cr_expect(count_of(c.text, "<circle class=\"dot train\"") == cases[i].dots + cases[i].rounds, "%zu: %s", i,
                  c.text);
        cr_expect(strstr(c.text, cases[i].words) && !strstr(c.text, "polyline class=\"val\""), "%zu: %s", i, c.text);
        cr_expect(!strstr(c.text, "nan") && !strstr(c.text, ">inf") && strstr(c.text, "</svg>\n"), "%zu: %s", i,
                  c.text);
        curves_free(&c);
    }
}

Test(written, curves_of_models_of_every_kind)
{
    static const dln_metric odd[] = { { "loss", 1 }, { "table", 4 } }, only[] = { { "loss", 1 }, { "accuracy", 1 } };
    static double many[60];
    dln_model *m = fake_model("x", 2, 2);
    for (int i = 0; i < 60; i++) many[i] = 1.0 / (i + 1);
    m->name = "a <b> & c\n";
    m->metric = only;
    Curves c = drawn(m, true, many, many + 1, 59);
    cr_expect(strstr(c.text, "a &#60;b&#62; &#38; c : training") && strstr(c.text, ">round</text>"), "%.800s", c.text);
    cr_expect(count_of(c.text, "<polyline class=\"val\"") == 2 && !strstr(c.text, "<circle")); /* too many for dots */
    cr_expect(strstr(c.text, "width=\"920\""));
    curves_free(&c);
    m->metric = odd; /* only what is one number has a panel */
    c = drawn(m, true, many, NULL, 3);
    cr_expect(strstr(c.text, "width=\"460\"") && count_of(c.text, "<g transform") == 1 &&
                  strstr(c.text, "<title>round 1: 1"),
              "%s", c.text);
    curves_free(&c);
}

Test(written, curves_go_on_from_a_picture)
{
    static const struct {
        const char *text;
        size_t points;
    } cases[] = {
        { "<metadata>[[1,0.5,0.25,null,null],\n[2,0.4,null,0.5,0.125]]</metadata>", 2 },
        { "<metadata>[[1,1,1,1,1],[1,2,2,2,2],[3,3,3,3,3],[2,1,1,1,1]]</metadata>", 2 }, /* rounds that come again */
        { "<metadata>[[1,1,1,1,1],[9,1,1,1,1]]</metadata>", 1 },                         /* after those that count */
        { "<metadata>[[0,1,1,1,1],[\"1\",1,1,1,1],[-1,1,1,1,1]]</metadata>", 0 },
        { "<metadata>[[1,1,1],[2,1,1,1,1,1,1],3,\"x\",{}]</metadata>", 0 }, /* of other figures */
        { "<metadata>[[1,\"a\",true,{},[]]]</metadata>", 1 },
        { "<metadata>[[1,1,1,1,1]", 0 },
        { "<metadata>[[1,1,1,1,1]]]</metadata>", 0 },
        { "<metadata>", 0 },
        { "no picture", 0 },
        { "", 0 },
    };
    dln_model *m = fake_model("x", 2, 2);
    Run r = { .model = m, .value_count = 2, .options = { .plot = in_folder("r.svg") } };
    Plot plot;
    Problem p = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        file_make("r.svg", cases[i].text, strlen(cases[i].text));
        cr_assert(plot_begin(&plot, &r, false, true, &p));
        cr_expect(plot_resume(&plot, 5, &p) && plot.points == cases[i].points, "%s: %zu", cases[i].text, plot.points);
        if (!i)
            cr_expect(plot.point[1] == 0.5 && isnan(plot.point[3]) && isnan(plot.point[7]) && plot.point[9] == 0.125);
        plot_end(&plot);
    }
    unlink(in_folder("r.svg"));
    cr_assert(plot_begin(&plot, &r, false, true, &p) && plot_resume(&plot, 5, &p) && !plot.points);
    plot_end(&plot);
    r.options.plot = in_folder("none/r.svg");
    cr_assert(plot_begin(&plot, &r, false, true, &p));
    const double values[2] = { 1, 2 };
    cr_assert(!plot_round(&plot, 1, values, NULL, &p)); /* drawn at once, as the last was long ago */
    EXPECT_PROBLEM(p, EXIT_IO, "none/r.svg");
    plot_end(&plot);
    r.options.plot = NULL;
    cr_assert(plot_begin(&plot, &r, false, true, &p) && plot_round(&plot, 1, values, NULL, &p) && !plot.points);
    cr_assert(plot_resume(&plot, 5, &p) && plot_write(&plot, &p));
}

/* ---- predictions ---- */
static dln_model *small_model(void)
{
    dln_model *m = fake_model("features", 2, 2);
    m->batch = 4;
    block_of(m, "all = csv(\"t.csv\", target = last); train, test = split(all, 0.5)");
    train_of(m, "validate = test");
    static const char rows[] =
        "9,1,a\n-9,2,\"b\"\"\t\"\n8,3,a\n-8,4,\"b\"\"\t\"\n7,5,a\n-7,6,\"b\"\"\t\"\n6,7,a\n-6,8,\"b\"\"\t\"\n";
    file_make("t.csv", rows, sizeof rows - 1);
    file_make("f.csv", "9,1\n-9,2\n", 9);
    return m;
}

/* Two outputs: [2, 3], the second number of each sample nan, and one number, inf. */
static int odd_predict(void *m, const void *const *fields, int n, void *const *out)
{
    (void)m;
    (void)fields;
    for (int i = 0; i < n * 6; i++) ((float *)out[0])[i] = i % 6 == 1 ? NAN : (float)(i % 6) / 4;
    for (int i = 0; i < n; i++) ((float *)out[1])[i] = INFINITY;
    return 0;
}
static int odd_predict_twice(void *m, const void *const *fields, int n, void *const *out)
{
    (void)m;
    (void)fields;
    for (int i = 0; i < n * 2; i++) ((double *)out[0])[i] = i % 2 ? 0.1 : -1.0 / 3;
    return 0;
}

static void expect_run(const dln_model *m, const char *words, int code, const char *out, const char *err)
{
    int got = run_model(m, words, "out", "err");
    cr_assert(got == code, "'%s' gave %d: %s", words, got, text_of("err"));
    cr_expect(strstr(text_of("out"), out), "'%s' printed %s", words, text_of("out"));
    cr_expect(strstr(text_of("err"), err), "'%s' said %s", words, text_of("err"));
}

Test(written, predictions_as_json)
{
    static const dln_output outputs[] = { { .name = "grid \"g\"", .rank = 2, .extent = { 2, 3 } }, { .name = "one" } };
    dln_model *m = small_model();
    dln_field field[2] = { m->field[0], m->field[1] };
    expect_run(m, "train -q --epochs 3", 0, "", "");
    expect_run(m, "predict f.csv --format json", 0, "{\"class\":\"a\",\"output\":{\"a\":", "");
    cr_expect(strstr(text_of("out"), "\n{\"class\":\"b\\\"\\u0009\",\"output\":{\"a\":") &&
                  strstr(text_of("out"), ",\"b\\\"\\u0009\":"),
              "%s", text_of("out"));
    field[1].type = DLN_FLOAT; /* no classes: two numbers */
    m->field = field;
    expect_run(m, "predict f.csv --format json", 0, "{\"output\":[", "");
    m->outputs = 2;
    m->output = outputs;
    m->predict = odd_predict;
    expect_run(m, "predict f.csv --format json", 0, "{\"grid \\\"g\\\"\":[[0,null,0.5],[0.75,1,1.25]],\"one\":null}\n",
               "");
    expect_run(m, "predict f.csv", 0, "grid \"g\"[0],grid \"g\"[1],", "");
    cr_expect(strstr(text_of("out"), "[5],one\n0,nan,0.5,0.75,1,1.25,inf\n"), "%s", text_of("out"));
}

Test(written, predictions_of_classes_without_names_and_of_doubles)
{
    static const float x[6] = { 9, 1, -9, 2, 8, 3 };
    unsigned char array[300];
    const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n";
    dln_model *m = small_model();
    memcpy(array, "\x93NUMPY\x01\x00", 8);
    array[8] = sizeof header - 1;
    array[9] = 0;
    memcpy(array + 10, header, sizeof header - 1);
    memcpy(array + 9 + sizeof header, x, sizeof x);
    file_make("x.npy", array, 9 + sizeof header + sizeof x);
    expect_run(m, "train -q --epochs 3 --weights w", 0, "", "");
    block_of(m, "test = npy(features = \"x.npy\")");
    m->data_values = 0; /* nobody has told the names, and the file of weights is of a model without them */
    expect_run(m, "export -q --weights w --output v", 0, "", "");
    expect_run(m, "predict x.npy --weights w", 0, "class,", "");
    m->real_bytes = 8;
    m->predict = odd_predict_twice;
    expect_run(m, "predict x.npy --weights w --format json", 0, "-0.33333333333333331", "");
    expect_run(m, "predict x.npy --weights w", 0, ",-0.33333333333333331,0.10000000000000001\n", "");
}

/* ---- weights ---- */
Test(written, constants_in_c_and_archives)
{
    dln_model *m = small_model();
    Problem p = { 0 };
    expect_run(m, "train -q --epochs 1 --weights w", 0, "", "");
    expect_run(m, "export --weights w --output x.h", 0, "", "x.h: the weights of fake");
    cr_expect(strstr(text_of("x.h"), "static const float w0_dense_w[4] = {") &&
              strstr(text_of("x.h"), "fake_weights_load(fake *m)"));
    m->prefix = "net";
    expect_run(m, "export -q --weights w --output x.h", 0, "", "");
    cr_expect(strstr(text_of("x.h"), "static inline int net_weights_load(net *m)"));
    expect_run(m, "export -q --weights w --output x.npz", 0, "", "");
    Bytes zip = file_bytes(in_folder("x.npz")), array;
    cr_assert(zip_read(&zip, "x.npz", "dense.w.npy", &array, &p), "%s", p.text);
    cr_expect(strstr((char *)array.at + 10, "'descr': '<f4', 'fortran_order': False, 'shape': (2, 2,), }"));
    free(array.at);
    free(zip.at);
    expect_run(m, "export --weights w --output none/x.h", 3, "", "none/x.h");
    expect_run(m, "export --weights w --output none/x.npz", 3, "", "none/x.npz");
    expect_run(m, "export --weights w --output none/x", 3, "", "none/x");
    expect_run(m, "export --weights w --layout torch --output x.onnx", 2, "", "ONNX has the whole graph");
}

/* ---- ONNX ---- */
static bool holds(const Bytes *file, const char *text)
{
    for (size_t i = 0; i + strlen(text) <= file->count; i++)
        if (!memcmp(file->at + i, text, strlen(text))) return true;
    return false;
}

Test(written, onnx_graphs)
{
    static const char *const broken[] = {
        "z = MatMul features nothing\n",
        "z =\n",
        "= Relu features\n",
        "z = Relu 1.2.3\n",
        "z = Const real 1\n",
        "z = Const real[2] 1\n",
        "z = Affine [2] x 1\n",
        "z = Affine [2,2] 0 1\n",
        "z = Transpose features axis=1x\n",
        "input x\n",
    };
    dln_model *m = small_model();
    expect_run(m, "train -q --epochs 1 --weights w", 0, "", "");
    expect_run(m, "export --weights w --output x.onnx", 1, "", "without an ONNX graph");
    m->onnx = "! fake.dln:3: it is drawn\n";
    expect_run(m, "export --weights w --output x.onnx", 1, "",
               "x.onnx: the model cannot be written as ONNX: fake.dln:3: it is drawn");
    m->onnx = "input features real[n,2]\n#1 = Transpose dense.w perm=[1,0]\n#2 = Transpose #1 perm=[1,0]\nz = MatMul "
              "features #2\n"
              "#3 = Add dense.b 0.5\nboth = Add z #3\nonce = Const int64[2] 3,4\noutput both real[n,2]\noutput once "
              "int64[2]\n";
    run_model(m, "export --weights w --output x.onnx", "out", "err");
    if (strstr(text_of("err"), "without protobuf-c")) return;
    cr_expect(strstr(text_of("err"), "x.onnx: the graph and weights of fake"), "%s", text_of("err"));
    Bytes file = file_bytes(in_folder("x.onnx"));
    cr_expect(holds(&file, "classes:"), "names of classes");
    cr_expect(holds(&file, "MatMul") && holds(&file, "batch") && holds(&file, "Identity"));
    cr_expect(!holds(&file, "Transpose") && !holds(&file, "dense.w"),
              "what is computed when it is written is left out");
    free(file.at);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        m->onnx = broken[i];
        expect_run(m, "export --weights w --output y.onnx", 70, "", "is not understood");
        cr_expect(access(in_folder("y.onnx"), F_OK), "%s", broken[i]);
    }
}
