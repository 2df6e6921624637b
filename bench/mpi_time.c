/* mpi_time.c: what a program of several processes exchanges, and how long that takes. Linked before the MPI library, it stands
 * between the program and its calls (MPI's profiling interface). At the end rank 0 says, as a line of numbers:
 *
 *     ranks  exchanges of the gradients  bytes sent by a rank in one  ms in one  ms between two  ms in the small ones
 *
 * Exchanges of the gradients are the largest; the small ones beside them carry loss and metrics. Times are those of rank 0,
 * the middle of all, the wait for slower ranks included.
 * SPDX-License-Identifier: MIT */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1 << 16 };
static struct Exchange { double begin, end; long bytes; } list[MOST];
static int count;

static void begin(const int *counts, const int *received, MPI_Datatype type)
{
    int ranks, rank, size;
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Type_size(type, &size);
    (void)received;
    if (count == MOST) return;
    long bytes = 0;                              /* its pieces to the others, then its own sum to the others */
    for (int k = 0; k < ranks; k++) if (k != rank) bytes += (long)counts[k] * size;
    bytes += (long)counts[rank] * size * (ranks - 1);
    list[count].bytes = bytes;
    list[count].begin = MPI_Wtime();
}

int MPI_Alltoallv(const void *from, const int *counts, const int *places, MPI_Datatype type, void *to, const int *received,
                  const int *begins, MPI_Datatype as, MPI_Comm comm)
{
    begin(counts, received, type);
    return PMPI_Alltoallv(from, counts, places, type, to, received, begins, as, comm);
}

int MPI_Allgatherv(const void *from, int n, MPI_Datatype type, void *to, const int *counts, const int *places, MPI_Datatype as,
                   MPI_Comm comm)
{
    int status = PMPI_Allgatherv(from, n, type, to, counts, places, as, comm);
    if (count < MOST) list[count++].end = MPI_Wtime();
    return status;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return n ? values[n / 2] : 0;
}

int MPI_Finalize(void)
{
    static double large[MOST], small[MOST], between[MOST];
    int rank, ranks, larges = 0, smalls = 0, betweens = 0, last = -1;
    long most = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    for (int i = 0; i < count; i++) if (list[i].bytes > most) most = list[i].bytes;
    for (int i = 0; i < count; i++) {
        double time = 1e3 * (list[i].end - list[i].begin);
        if (list[i].bytes < most) { small[smalls++] = time; continue; }
        large[larges++] = time;
        if (last >= 0) between[betweens++] = 1e3 * (list[i].begin - list[last].begin);
        last = i;
    }
    if (!rank)
        fprintf(stderr, "exchanges %d %d %ld %.4f %.4f %.4f\n", ranks, larges, most, middle(large, larges), middle(between, betweens),
                middle(small, smalls));
    return PMPI_Finalize();
}
