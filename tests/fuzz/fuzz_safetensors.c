/* fuzz_safetensors.c: any bytes as a safetensors file: what its header promises must be there, and it is a checkpoint of
 * a model that fits or one that is refused. SPDX-License-Identifier: MIT */
#include <math.h>
#include "reader.h"
#include "unit/fake_model.c"

static bool values_look(const char *path, Problem *p)
{
    StoredFile f;
    if (!stored_open(&f, path, p)) return false;
    for (int i = 0; i < f.tensors; i++) {
        size_t count = (size_t)(f.tensor[i].end - f.tensor[i].begin);
        double *values = memory_new(count + 1, sizeof *values, p);
        bool good = values && stored_values(&f, &f.tensor[i], true, values, p);
        free(values);
        if (!good && f.tensor[i].kind != STORED_OTHER) abort(); /* what was checked must be there */
    }
    stored_close(&f);
    return true;
}

/* As train --resume takes it, then as eval does. */
static bool checkpoint_look(const char *path, Problem *p)
{
    static double last[3];
    const dln_model *m = fake_model("image", 4, 3);
    Run r = { .options = { .quiet = true } };
    Progress at = { .last = last };
    uint64_t seed = 0;
    r.options.setting = memory_new((size_t)m->settings, sizeof *r.options.setting, p);
    for (int i = 0; r.options.setting && i < m->settings; i++) r.options.setting[i] = (double)NAN;
    bool good = r.options.setting && run_begin(&r, m, p) && checkpoint_classes(&r, path, p) && run_init(&r, 1, p);
    if (good && checkpoint_load(&r, path, &at, &seed, p) && (at.epoch < 0 || at.batch_in_epoch < 0 || at.step < 0)) abort();
    if (good) good = checkpoint_load(&r, path, NULL, NULL, p);
    run_end(&r);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Problem p = { .code = 0 };
    Table none = { 0 };
    const char *path = file_with(data, size);
    bool good = values_look(path, &p) && checkpoint_look(path, &p);
    reader_judge(good, &none, &p);
    return 0;
}
