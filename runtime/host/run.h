/* run.h: what the commands share: options, the instance of the model, weights, progress and logs.
 *
 *     main.c: options.c -> Run -> train.c | eval.c | predict.c | info.c | checkpoint.c (export)
 * SPDX-License-Identifier: 0BSD */
#ifndef HOST_RUN_H
#define HOST_RUN_H
#include <pthread.h>
#include "data.h"

/* options.c */
typedef enum {
    COMMAND_NONE, COMMAND_HELP, COMMAND_VERSION,
    COMMAND_TRAIN, COMMAND_EVAL, COMMAND_PREDICT, COMMAND_INFO, COMMAND_EXPORT
} Command;
typedef enum { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_NONE } ProgressKind;
typedef struct Options {
    Command command;
    int64_t epochs, steps, batch, seed, threads, limit, memory;  /* -1: not given */
    const char *folder, *weights, *log, *plot, *input, *output, *part, *class_weights;
    ProgressKind progress;
    bool quiet, resume, save, has_validate, validate, has_layout, torch, has_format, json;
    double *setting;                                             /* for each of the model; NAN: not given */
} Options;
bool options_read(Options *o, int argc, char **argv, const dln_model *m, Problem *p);
void options_help(FILE *to, const dln_model *m, const char *program);
void options_free(Options *o);
bool ends_in(const char *text, const char *ending);

/* instance.c: the model's memory. */
typedef struct Run {
    const dln_model *model;
    Options options;
    Data data;
    void *object, *memory;
    double *values;                              /* room for a report */
    int value_count;
    char *weights;                               /* the file */
    bool *measured;                              /* for each tensor: a total of the training data, kept with weights */
} Run;
bool run_begin(Run *r, const dln_model *m, Problem *p);          /* keeps r->options */
bool run_init(Run *r, uint64_t seed, Problem *p);                /* memory, parameters, settings of the command line */
bool run_check(const Run *r, int status, const char *what, Problem *p);
int run_batch(const Run *r);                     /* samples a call: --batch, or what the model was compiled for */
size_t tensor_elements(const dln_tensor *t);
bool tensor_get(const Run *r, int tensor, void **values, Problem *p);           /* into a new block; frees the old one */
bool tensor_read(const Run *r, int tensor, void *values, Problem *p);             /* what tensor_put() takes */
bool tensor_put(const Run *r, int tensor, const void *values, Problem *p);      /* doubles if tensor_twice() */
bool values_finite(const void *values, bool twice, size_t count);
/* Totals are added up in double, also in a model of floats. */
bool tensor_twice(const dln_model *m, const dln_tensor *t);
/* The tensor that stands for a parameter wherever the model is used, if the optimizer keeps one; -1: none. */
int tensor_average(const dln_model *m, int parameter);
/* Is this tensor part of the trained model, as opposed to what training alone needs? An average is written in the place
 * of its parameter then. */
bool tensor_is_weight(const Run *r, int tensor);
int metric_place(const dln_model *m, const char *name);          /* in a report, by name; -1: no such */
const char *metric_label(const dln_metric *metric, char *label, size_t room);   /* without its arguments */
void run_end(Run *r);

/* safetensors.c: the format alone. Values that are read are floats of any width; F32 and F64 are written. */
typedef enum { STORED_FLOAT, STORED_HALF, STORED_BRAIN, STORED_OTHER } StoredKind;
typedef struct StoredTensor {
    const char *name;
    StoredKind kind;
    bool twice;                                  /* FLOAT: F64, else F32 */
    const char *type;                            /* as a file that was read calls it: "I64" */
    int rank;
    int64_t extent[DLN_MAX_RANK];
    uint64_t begin, end;                         /* bytes, from the begin of the values */
} StoredTensor;
typedef struct StoredFile {
    int fd;
    char *path, *header;
    uint64_t data_begin;                         /* in the file */
    int tensors; StoredTensor *tensor;
    struct json_t *json;
} StoredFile;
bool stored_open(StoredFile *f, const char *path, Problem *p);   /* checks all of the file's structure */
struct json_t *stored_json(const char *path, const char *text, size_t length, Problem *p);       /* JSON, or NULL */
const char *stored_note(const StoredFile *f, const char *key);   /* a text of __metadata__, or NULL */
const StoredTensor *stored_find(const StoredFile *f, const char *name);
bool stored_values(const StoredFile *f, const StoredTensor *t, bool twice, void *values, Problem *p);   /* converts */
const char *stored_shape_words(const StoredTensor *t, char *words, size_t room);                        /* "[10, 3]" */
void stored_close(StoredFile *f);
/* Header first, then the values in the order of the tensors; `values` is asked for each. */
typedef bool StoredSource(void *context, int tensor, const void **values, Problem *p);
bool stored_write(const char *path, int tensors, const StoredTensor *tensor, int notes, const char *const (*note)[2],
                  StoredSource *values, void *context, Problem *p);

/* checkpoint.c: a model in a file. */
typedef struct Progress {                        /* where training stands; all of it is in a checkpoint */
    int64_t epoch, batch_in_epoch;               /* the next step to be done */
    int64_t step, waited;                        /* steps done; rounds since the monitored metric was best */
    int64_t batch;                               /* samples a step */
    uint64_t rows;                               /* of the training data */
    double best, watched;                        /* the best yet for checkpoint = best(..), for early_stop; NAN: none */
    double *last;                                /* the newest clocks, one for each of the model */
} Progress;
typedef enum { KEEP_ALL, KEEP_WEIGHTS, KEEP_WEIGHTS_TORCH } KeepKind;
const dln_foreign *foreign_of(const dln_model *m, int tensor);   /* NULL: PyTorch has no name for it */
/* How a tensor is called in a file, with PyTorch's layout or ours; fills in its shape there. */
char *file_name(const Run *r, int tensor, bool torch, StoredTensor *shape, Problem *p);
bool shape_equal(const StoredTensor *a, const StoredTensor *b);
/* The weights as `export` gives them away: names, shapes, and values for who asks. */
typedef struct Weights {
    const dln_model *model;
    int tensors; const StoredTensor *tensor;
    StoredSource *values;
    void *context;                               /* of values */
    const Data *data;                            /* has the names of classes */
} Weights;
typedef bool WeightsWriter(const char *path, const Weights *all, Problem *p);
bool weights_export(Run *r, const char *path, bool torch, WeightsWriter *write, Problem *p);
bool onnx_write(const char *path, const Weights *all, Problem *p);       /* onnx.c: a WeightsWriter */
bool checkpoint_save(Run *r, const char *path, const Progress *at, uint64_t seed, KeepKind keep, Problem *p);
/* at NULL: weights alone will do. */
bool checkpoint_load(Run *r, const char *path, Progress *at, uint64_t *seed, Problem *p);
/* Puts the names of classes into the data, before they are read. */
bool checkpoint_classes(Run *r, const char *path, Problem *p);

bool trained_load(Run *r, Problem *p);           /* the instance as eval, predict and export want it */

/* sources.c: weights = safetensors("file", layout = torch) of the model's layers. */
typedef enum { SOURCES_ALL, SOURCES_TOTALS } SourcesPart;        /* TOTALS: again, what measuring has changed */
bool sources_load(Run *r, SourcesPart part, Problem *p);
bool sources_cover(const Run *r);                /* is there one for every weight of the model? */

/* progress.c: what a person sees; on stderr. Figures at the end go to stdout. */
typedef struct Display {
    const dln_model *model;
    ProgressKind kind;
    bool quiet;
    double begun, drawn;                         /* seconds */
    int64_t round, rounds, steps;                /* of this round */
    bool in_steps;                               /* rounds are shares of `steps`, not epochs */
    bool line_open;
} Display;
double seconds_now(void);
void display_begin(Display *d, const Run *r, bool in_steps, int64_t rounds);
void display_round(Display *d, int64_t round, int64_t steps);    /* round counts from 1 */
bool display_due(const Display *d);                              /* is a redraw worth a report? */
/* own: of the steps done, those since display_round */
void display_step(Display *d, int64_t done, int64_t own, const double *values);
bool display_round_end(Display *d, int64_t done, int64_t own, const double *values, const double *validation,
                       Problem *p);
void display_break(Display *d);                                  /* ends a line that is still being redrawn */
bool display_figures(const Display *d, const char *part, const double *values, Problem *p);     /* Test loss: .. */

/* log.c: --log */
typedef struct Log { FILE *file; const dln_model *model; bool json, validated; char *path; } Log;
bool log_open(Log *l, const char *path, const dln_model *m, bool validated, bool append, Problem *p);
bool log_round(Log *l, int64_t epoch, int64_t iteration, double seconds, const double *values, const double *validation,
               Problem *p);
bool log_close(Log *l, Problem *p);
void write_record(Writer *w, const dln_model *m, const double *values, const char *prefix, bool json);

/* plot.c: --plot */
typedef struct Plot {
    const dln_model *model;
    char *path;                                  /* NULL: nobody wants a plot */
    bool in_steps, validated;
    int count;                                   /* numbers in a report */
    size_t points, room;
    double *point, drawn;                        /* drawn: when, in seconds */
} Plot;
bool plot_begin(Plot *plot, const Run *r, bool in_steps, bool validated, Problem *p);
bool plot_resume(Plot *plot, int64_t before, Problem *p);        /* takes over the rounds up to `before` */
bool plot_round(Plot *plot, int64_t round, const double *values, const double *validation, Problem *p);
bool plot_write(Plot *plot, Problem *p);
void plot_end(Plot *plot);

/* diverge.c: why a loss is not finite. */
typedef struct Snapshot {                        /* what a round of training begins with */
    void **values;                               /* of each tensor */
    double *last;                                /* of `at` */
    int64_t iteration;
    Progress at;
} Snapshot;
bool snapshot_take(Snapshot *s, const Run *r, const Progress *at, Problem *p);           /* over an older one, too */
bool snapshot_back(const Snapshot *s, const Run *r, Progress *at, uint64_t seed, Problem *p);
void snapshot_free(Snapshot *s, const Run *r);
/* The first tensor that is not finite, -1: there is none. *room is a block to use; free() it. */
int tensor_not_finite(const Run *r, void **room, size_t *element, double *value);
/* Each adds words to p. */
void tensor_describe(const Run *r, int tensor, size_t element, double value, Problem *p);
void largest_describe(const Run *r, Problem *p);
void batch_describe(const Feed *f, int n, Problem *p);

/* mpi.c: the processes of `mpirun`, called ranks; one, where there is no MPI. All ranks stand at the same place with the
 * same values at every moment between two steps. */
int team_ranks(void);                            /* as started, also before team_begin() */
bool team_begin(Options *o, Problem *p);         /* after threads_set's new start; rank 0 alone is to write */
int team_rank(void), team_size(void);
const char *team_words(void);                    /* before an error's words: "" or "rank 3: "; lets rank 0 speak first */
void team_leave(void);                           /* from here on each rank is alone: the size is 1 */
void team_end(int code, bool failed);            /* failed: the other ranks end, too */
/* Sums over the ranks, the same bits in all; floats or doubles. */
bool team_add(void *values, size_t count, bool twice, Problem *p);

/* team.c: a step, and totals, of all ranks. */
typedef struct Share { int first, count; } Share;                /* of a batch */
typedef struct Team { size_t sums, figures; char *sum; double *figure, *before; } Team;
bool team_open(Team *t, const Run *r, Problem *p);
Share team_share(int n);
/* fields hold this rank's samples of n. *signal: one that this rank was sent, then one that any was. */
bool team_step(Team *t, Run *r, const Feed *f, Share own, int n, double *loss, int *signal, Problem *p);
bool team_totals(Run *r, Problem *p);            /* adds them up over the ranks */
void team_close(Team *t);

/* policy.c: early_stop and checkpoint of the train block. */
typedef struct Monitor {
    const char *name;
    int place;                                   /* in a report */
    bool validation, rises;                      /* rises: more is better */
    double least;                                /* change that counts */
} Monitor;
typedef struct Policy {
    bool stops; int64_t patience; Monitor stop;  /* early_stop = patience(k, monitor = val_loss) */
    bool in_order;                               /* shuffle = false */
    bool keeps_best, keeps_last; int64_t every; Monitor best;    /* checkpoint = best(val_accuracy) | last | every(n) */
} Policy;
bool policy_read(Policy *policy, const dln_model *m, bool validated, Problem *p);
bool monitor_better(const Monitor *monitor, double value, double best);      /* best NAN: none yet */

/* weigh.c: --class-weights, once the names of classes are known. */
bool class_weights_set(Run *r, Problem *p);

/* prefetch.c: the next samples, while a step is computed. */
typedef enum { PREFETCH_IDLE, PREFETCH_ASKED, PREFETCH_BEGUN, PREFETCH_READY } PrefetchState;
typedef struct Prefetch {
    Feed *feed;
    void **spare;                                /* buffers of the next samples */
    FeedPlace place;                             /* theirs */
    PrefetchState state;
    bool tried, runs, ends;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
} Prefetch;
bool prefetch_has_core(void);                    /* is there one that computes nothing? */
void prefetch_begin(Prefetch *q, Feed *f);       /* once; without a thread the rest works, too */
void prefetch_fetch(Prefetch *q, Feed *f, const FeedPlace *place);       /* into the buffers of the feed */
void prefetch_ask(Prefetch *q, const FeedPlace *place);          /* what will be fetched next */
void prefetch_end(Prefetch *q);                  /* for good */

/* The commands: exit codes; 0 with nothing to say. */
int train_command(Run *r, Problem *p);
int eval_command(Run *r, Problem *p);
int predict_command(Run *r, Problem *p);
int info_command(Run *r, Problem *p);
int export_command(Run *r, Problem *p);
/* eval.c: mean metrics of a feed into values. */
bool evaluate_feed(Run *r, Feed *f, double *values, Problem *p);
const char *part_chosen(const Run *r);
/* How many classes the only output chooses among, and the target it is compared with; 0: it does not. */
int classes_predicted(const dln_model *m, int *field);
int class_of(const dln_model *m, const void *output, size_t sample, int width);         /* the largest, or above 1/2 */
#endif
