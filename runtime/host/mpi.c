/* mpi.c: the processes of an MPI program. It is compiled twice: with -DDLN_MPI (mpicc) into libdln_mpi.a, and without
 * into libdln.a, where a program is always alone; nothing else knows of MPI. A rank that fails ends the job; one that
 * dies has the job ended by mpirun. SPDX-License-Identifier: 0BSD */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run.h"

/* How many processes the launcher says it has started; 1: there is none. */
static int ranks_launched(void)
{
    static const char *const variables[] = { "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS" };
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *text = getenv(variables[i]);
        int64_t count;
        if (text && integer_parse(text, strlen(text), 1, 1 << 24, &count) == NUMBER_GOOD) return (int)count;
    }
    return 1;
}

#ifndef DLN_MPI
int team_ranks(void) { return 1; }
int team_rank(void) { return 0; }
int team_size(void) { return 1; }
const char *team_words(void) { return ""; }
void team_leave(void) {}

void team_end(int code, bool failed)
{
    (void)code;
    (void)failed;
}

bool team_begin(Options *o, Problem *p)
{
    if (o->command != COMMAND_TRAIN || ranks_launched() == 1) return true;
    return problem_set(p, EXIT_USAGE, "started by mpirun, but linked with libdln.a: link with libdln_mpi.a (mpicc)");
}

bool team_add(void *values, size_t count, bool twice, Problem *p)
{
    (void)values;
    (void)count;
    (void)twice;
    (void)p;
    return true;
}
#else
#include <limits.h>
#include <mpi.h>

/* There when the model was compiled with -fopenmp. */
extern void omp_set_num_threads(int) __attribute__((weak));
extern int omp_get_num_procs(void) __attribute__((weak));

static struct {
    bool begun;
    int rank, size;
    int *count, *place, *begin, *received; /* for each rank: its piece of a vector; where it lies in room, and its size */
    char words[32];
    char *room;
    size_t room_bytes;
} team = { .size = 1 };

int team_ranks(void) { return ranks_launched(); }
int team_rank(void) { return team.rank; }
int team_size(void) { return team.size; }
void team_leave(void) { team.size = 1; }

/* Most errors (no data, a wrong option) happen to all ranks at once: those of rank 0 are told, and end the job. */
const char *team_words(void)
{
    if (!team.rank) return "";
    sleep(1);
    snprintf(team.words, sizeof team.words, "rank %d: ", team.rank);
    return team.words;
}

/* The ranks of one machine divide its processors, unless mpirun has done so (by binding them) or the user. */
static void threads_divide(const Options *o)
{
    MPI_Comm machine;
    int ranks = 1;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, team.rank, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &ranks);
    MPI_Comm_free(&machine);
    if (!omp_set_num_threads || !omp_get_num_procs || o->threads > 0 || getenv("OMP_NUM_THREADS")) return;
    const int processors = omp_get_num_procs();
    if (processors < sysconf(_SC_NPROCESSORS_ONLN)) return;
    omp_set_num_threads(processors / ranks > 1 ? processors / ranks : 1);
}

bool team_begin(Options *o, Problem *p)
{
    int thread_support;
    if (ranks_launched() == 1) return true;
    if (o->command != COMMAND_TRAIN) return problem_set(p, EXIT_USAGE, "only train works with several ranks");
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &thread_support);
    MPI_Comm_rank(MPI_COMM_WORLD, &team.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &team.size);
    team.begun = true;
    threads_divide(o);
    team.count = memory_new((size_t)team.size * 4, sizeof *team.count, p);
    if (!team.count) return false;
    team.place = team.count + team.size;
    team.begin = team.place + team.size;
    team.received = team.begin + team.size;
    if (!team.rank) return true;
    o->save = false; /* rank 0 alone writes */
    o->quiet = true;
    o->progress = PROGRESS_NONE;
    o->log = o->plot = NULL;
    return true;
}

void team_end(int code, bool failed)
{
    if (!team.begun) return;
    free(team.count);
    free(team.room);
    if (failed) MPI_Abort(MPI_COMM_WORLD, code);
    MPI_Finalize();
}

/* In the order of the ranks, in double: to[i] = part[0][i] + part[1][i] + .. */
static void parts_add(void *to, const void *parts, size_t count, bool twice)
{
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t k = 0; k < (size_t)team.size; k++)
            sum += twice ? ((const double *)parts)[k * count + i] : (double)((const float *)parts)[k * count + i];
        if (twice)
            ((double *)to)[i] = sum;
        else
            ((float *)to)[i] = (float)sum;
    }
}

/* Each rank adds up one piece of the vector and gives it to all: as many bytes as MPI_Allreduce moves at its best, but
 * always in the same order, which MPI does not promise. */
bool team_add(void *values, size_t count, bool twice, Problem *p)
{
    const size_t size = (size_t)team.size, element = twice ? sizeof(double) : sizeof(float);
    const MPI_Datatype type = twice ? MPI_DOUBLE : MPI_FLOAT;
    if (size == 1 || !count) return true;
    if (count > INT_MAX - size) return problem_set(p, EXIT_INPUT, "%zu gradients are too many for MPI", count);
    for (size_t k = 0, at = 0; k < size; k++) {
        team.count[k] = (int)(count * (k + 1) / size - at);
        team.place[k] = (int)at;
        at += (size_t)team.count[k];
    }
    const size_t own = (size_t)team.count[team.rank];
    for (size_t k = 0; k < size; k++) team.begin[k] = (int)(k * own), team.received[k] = (int)own;
    if (!memory_grow((void **)&team.room, &team.room_bytes, size * own * element, 1, p)) return false;
    MPI_Alltoallv(values, team.count, team.place, type, team.room, team.received, team.begin, type, MPI_COMM_WORLD);
    parts_add((char *)values + (size_t)team.place[team.rank] * element, team.room, own, twice);
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, team.count, team.place, type, MPI_COMM_WORLD);
    return true;
}
#endif
