/* test_host_threads.c: the host program in a model that was compiled with -fopenmp (its functions are here): threads are
 * set as asked, and the program starts itself once more to bind them where that is good. */
#include <sys/wait.h>
#include "host/run.h"
#include "unit/fake_model.c"
#include "unit/host_block.h"
#include "unit/host_program.h"

TestSuite(threads, .init = folder_make, .fini = folder_remove);

static int threads_set_to, processors = 2;
void omp_set_num_threads(int n);
int omp_get_num_procs(void);
void omp_set_num_threads(int n) { threads_set_to = n; }
int omp_get_num_procs(void) { return processors; }

/* This program once more: it says with which variables, and ends. */
__attribute__((constructor)) static void started_again(void)
{
    if (getenv("DLN_TEST_AGAIN")) exit(getenv("OMP_PROC_BIND") ? 77 : 78);
}

static int status_of(const dln_model *m, const char *words)
{
    int status;
    pid_t child = fork();
    if (!child) {
        setenv("DLN_TEST_AGAIN", "1", 1);
        exit(run_model(m, words, "out", "err"));
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static dln_model *small_model(void)
{
    dln_model *m = fake_model("features", 2, 2);
    m->batch = 4;
    file_make("t.csv", "9,1,a\n-9,2,b\n8,3,a\n-8,4,b\n", 26);
    block_of(m, "train = csv(\"t.csv\", target = last); test = train");
    return m;
}

Test(threads, the_program_starts_itself_to_bind_them)
{
    dln_model *m = small_model();
    unsetenv("OMP_PROC_BIND");
    cr_expect(status_of(m, "train -q --epochs 1") == 77);
    cr_expect(status_of(m, "train -q --epochs 1 --threads 2") == 77);
    cr_expect(status_of(m, "eval") == 77 && status_of(m, "predict") == 77);
    cr_expect(status_of(m, "train -q --epochs 1 --threads 1") == 0); /* fewer than processors */
    cr_expect(status_of(m, "eval --threads 1") == 0 && status_of(m, "info") == 0);
    processors = 1;
    cr_expect(status_of(m, "train -q --epochs 1") == 0);
    processors = 2;
    setenv("OMP_PROC_BIND", "false", 1);
    cr_expect(status_of(m, "train -q --epochs 1") == 0); /* who has set it is obeyed */
}

Test(threads, are_as_many_as_asked)
{
    dln_model *m = small_model();
    setenv("OMP_PROC_BIND", "false", 1);
    cr_assert(run_model(m, "train -q --epochs 1 --threads 3", "out", "err") == 0 && threads_set_to == 3);
    threads_set_to = 0;
    cr_assert(run_model(m, "train -q --epochs 1", "out", "err") == 0 && threads_set_to == 0);
}
