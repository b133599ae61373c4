/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHAINRULE_CHAINRULE_H
#define CHAINRULE_CHAINRULE_H

/* The core for C11 and for every language that can call C.
 *
 * Objects are handles: made by the _create functions and by _load, _read and _copy, freed by
 * _destroy, which takes NULL too. A handle keeps alive what it uses of others, so the order of
 * destruction is free. NULL, a handle of another kind and, as a rule, a destroyed handle are
 * errors; destroying a handle that another thread is using is not noticed.
 *
 * Every function that can fail returns a chainrule_status. After anything but CHAINRULE_OK nothing
 * has changed but chainrule_last_error() of the calling thread, and no result has been written. No
 * exception leaves the library, and none may enter it from a callback.
 *
 * Threads: any number may use a predictor at once, and a network by the functions that take it as
 * const, such as chainrule_network_predict. What changes a network, and every step of its trainer
 * does, waits for those; until it has ended, other threads get CHAINRULE_ERROR_STATE. A trainer is
 * for one thread at a time, and a second one gets CHAINRULE_ERROR_STATE.
 *
 * Structures begin with struct_size, which the caller sets to the sizeof of its own header. Later
 * versions append members only, and a member that is 0 means its default, so a program and a
 * library of different versions understand each other. What else is unused must be 0:
 *
 *     chainrule_fit_options options = {.struct_size = sizeof options, .epochs = 5};
 *
 * Text is UTF-8 and ends with a 0 byte. */

#include <stddef.h>
#include <stdint.h>

#include "chainrule/export.h"
#include "chainrule/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a program that was compiled with an older header would no longer work. */
#define CHAINRULE_ABI_VERSION 1

/* CHAINRULE_ABI_VERSION of the library in use. */
CHAINRULE_API uint32_t chainrule_abi_version(void);

/* Version of the library in use, such as "0.1.0"; static. */
CHAINRULE_API const char* chainrule_version(void);

typedef int32_t chainrule_status;
enum {
  CHAINRULE_OK = 0,
  CHAINRULE_ERROR_ARGUMENT = 1,   /* an argument does not fit */
  CHAINRULE_ERROR_STATE = 2,      /* a call at the wrong moment, or from two threads at once */
  CHAINRULE_ERROR_DIVERGENCE = 3, /* a loss or a parameter became NaN or infinite */
  CHAINRULE_ERROR_MODEL_FILE = 4, /* no model file, or one that is damaged or of a newer version */
  CHAINRULE_ERROR_FILE = 5,       /* a file cannot be opened, read or written */
  CHAINRULE_ERROR_MEMORY = 6,     /* not enough memory */
  CHAINRULE_ERROR_INTERNAL = 7,   /* anything else */
  CHAINRULE_ERROR_CALLBACK = 8    /* a function of the caller's said that it failed */
};

/* What went wrong in this thread's last call that did not return CHAINRULE_OK: which argument, what
 * was given and what was expected. Never NULL; valid until this thread's next such call. At most
 * 1023 bytes. */
CHAINRULE_API const char* chainrule_last_error(void);

/* "CHAINRULE_ERROR_STATE" and so on; static, "unknown status" for any other number. */
CHAINRULE_API const char* chainrule_status_name(chainrule_status status);

typedef int64_t chainrule_type;
enum {
  CHAINRULE_FLOAT32 = 1,
  CHAINRULE_FLOAT64 = 2,
  CHAINRULE_UINT8 = 3,
  CHAINRULE_INT32 = 4, /* of categories, offsets and indices */
  CHAINRULE_INT64 = 5  /* likewise */
};

/* A table in the caller's memory, read in place during the call and never copied as a whole; or,
 * with `data` NULL, one whose rows chainrule_fit_options.read reads.
 *
 * Compressed sparse rows where `offsets` is given: `data` then holds the `stored` values one behind
 * the other, those of row i from offsets[i] to before offsets[i + 1], and `indices` their columns,
 * which rise within a row. */
typedef struct chainrule_rows {
  size_t struct_size;
  const void* data;
  chainrule_type type; /* FLOAT32, FLOAT64 or UINT8; if not compressed, INT32 or INT64 too */
  int64_t rows;
  int64_t columns;
  int64_t row_stride;          /* bytes; 0: rows are adjacent */
  int64_t column_stride;       /* bytes; 0: values of a row are adjacent */
  const void* offsets;         /* rows + 1 of them; NULL: not compressed */
  const void* indices;         /* `stored` of them */
  chainrule_type offsets_type; /* INT32 or INT64; 0: INT32 */
  chainrule_type indices_type; /* INT32 or INT64; 0: INT32 */
  int64_t stored;
} chainrule_rows;

/* What each row should give: `labels`, or `values` with a row for each, but not both. What takes
 * some refuses labels that are no class and numbers that the loss cannot compare: NaN and infinity,
 * for binary_cross_entropy what is not in [0, 1], for poisson what is negative, for hinge anything
 * but -1 and 1 or 0 and 1, for cross_entropy rows that are no probabilities. */
typedef struct chainrule_targets {
  size_t struct_size;
  const int64_t* labels;        /* `rows` class indices, for cross_entropy */
  const chainrule_rows* values; /* (rows, outputs), compressed or not */
  const double* sample_weights; /* `rows` of them, finite and >= 0; NULL: all 1 */
  const double* class_weights;  /* `classes` of them, finite and >= 0; NULL: all 1 */
  int64_t classes;
  int64_t rows;
  /* For outputs of several positions, as of shape (time, classes): labels of a row, one for each
   * position, and weights of a row, one or as many; 0: 1. `values` has all columns side by side. */
  int64_t label_positions;
  int64_t weight_positions;
} chainrule_targets;

typedef int64_t chainrule_sparsity;
/* Whether a first dense layer leaves out zeros of its input, which changes no result. */
enum { CHAINRULE_SPARSITY_AUTO = 0, CHAINRULE_SPARSITY_DENSE = 1, CHAINRULE_SPARSITY_SPARSE = 2 };

/* Layers with their parameters, and the state of their training. */
typedef struct chainrule_network chainrule_network;

typedef struct chainrule_network_options {
  size_t struct_size;
  chainrule_type type; /* of parameters and arithmetic: FLOAT32 or FLOAT64; 0: FLOAT32 */
  uint64_t seed;       /* decides initial parameters, the order of rows and dropout */
} chainrule_network_options;

/* JSON as C source: CHAINRULE_JSON([{"kind": "dense", "units": 3}]) is its text. Names that are
 * macros elsewhere stay as they are. */
#define CHAINRULE_JSON(...) #__VA_ARGS__

/* Makes a network for rows of `inputs` values. `layers` is a JSON list; each layer is
 * {"kind": ..., options ...} as in model files (docs/model-format.md lists kinds and options), or
 * its kind's name where no option is needed:
 *
 *     CHAINRULE_JSON([{"kind": "rescaling", "scale": 0.00392156862745098},
 *                     {"kind": "dense", "units": 64, "activation": "relu"},
 *                     {"kind": "dropout", "rate": 0.2},
 *                     {"kind": "dense", "units": 10}])
 *
 * Or it is a graph of nodes in topological order, with `inputs` 0 or the columns of all its inputs:
 *
 *     CHAINRULE_JSON({"nodes": [{"name": "x", "shape": [64]},
 *                               {"name": "h", "layer": {"kind": "dense", "units": 64}, "inputs":
 * ["x"]},
 *                               {"name": "sum", "layer": "add", "inputs": ["x", "h"]}],
 *                     "outputs": ["sum"]})
 *
 * Rows of such a network have the columns of all inputs side by side, and its outputs those of all
 * outputs.
 *
 * `options` may be NULL. ERROR_ARGUMENT for an unknown or missing option, one out of range, and
 * layers that do not fit each other. */
CHAINRULE_API chainrule_status chainrule_network_create(const char* layers, int64_t inputs,
                                                        const chainrule_network_options* options,
                                                        chainrule_network** network);

/* Reads a model file, from Python or C++ or C, with all that is needed to train on. Nothing in it
 * is trusted. ERROR_FILE, ERROR_MODEL_FILE. */
CHAINRULE_API chainrule_status chainrule_network_load(const char* path,
                                                      chainrule_network** network);
/* The same from a file's content in memory, which may be freed afterwards. */
CHAINRULE_API chainrule_status chainrule_network_read(const void* content, size_t size,
                                                      chainrule_network** network);

/* Writes a model file; at any instant there is the old file or the new one. Of its training the
 * file says what the one said that the network came from; see chainrule_trainer_save. ERROR_FILE.
 */
CHAINRULE_API chainrule_status chainrule_network_save(const chainrule_network* network,
                                                      const char* path);

/* An independent network with the same parameters and state of training. */
CHAINRULE_API chainrule_status chainrule_network_copy(const chainrule_network* network,
                                                      chainrule_network** copy);

CHAINRULE_API chainrule_status chainrule_network_destroy(chainrule_network* network);

typedef struct chainrule_network_info {
  size_t struct_size; /* the only member to set */
  chainrule_type type;
  int64_t inputs;  /* columns of all of them */
  int64_t outputs; /* likewise */
  int64_t layers;
  int64_t parameters; /* arrays, not numbers */
  uint64_t seed;
  int64_t input_nodes;  /* inputs, of one or more columns each */
  int64_t output_nodes; /* likewise */
} chainrule_network_info;

/* What never changes about a network; may be asked at any time, as may the next two. */
CHAINRULE_API chainrule_status chainrule_network_get_info(const chainrule_network* network,
                                                          chainrule_network_info* info);

/* Its layers in the form that chainrule_network_create takes, with every option; the text is the
 * network's and lives as long. */
CHAINRULE_API chainrule_status chainrule_network_get_layers(const chainrule_network* network,
                                                            const char** layers);

typedef struct chainrule_parameter_info {
  size_t struct_size; /* the only member to set */
  const char* name;   /* "<layer>.<array>", such as "1.weight"; lives as long as the network */
  int64_t layer;      /* counted from 0 */
  int64_t dimensions; /* 1 or 2 */
  int64_t rows;       /* of a dense layer's weight: its inputs; 1 for one dimension */
  int64_t columns;    /* of a dense layer's weight: its units */
  int64_t trainable;  /* 0 for running statistics and the like, else 1 */
} chainrule_parameter_info;

/* The parameter array number `index`, counted from 0, in the order of the layers. */
CHAINRULE_API chainrule_status chainrule_network_get_parameter_info(
    const chainrule_network* network, int64_t index, chainrule_parameter_info* info);

/* Copies a parameter array out or in, (rows, columns) row-major, of the network's type. `size` is
 * that of `values` in bytes and must be the array's. NaN and infinities are refused. */
CHAINRULE_API chainrule_status chainrule_network_get_parameter(const chainrule_network* network,
                                                               const char* name, void* values,
                                                               size_t size);
CHAINRULE_API chainrule_status chainrule_network_set_parameter(chainrule_network* network,
                                                               const char* name, const void* values,
                                                               size_t size);

/* What column number `index` of input number `input` is called, both counted from 0, and class
 * number `index` of output number `output`; of these there are 2 for an output of one column, else
 * as many as its columns. `name` becomes NULL where there are no names; else the text is the
 * network's and lives until names are set again. */
CHAINRULE_API chainrule_status chainrule_network_get_feature_name(const chainrule_network* network,
                                                                  int64_t input, int64_t index,
                                                                  const char** name);
CHAINRULE_API chainrule_status chainrule_network_get_class_name(const chainrule_network* network,
                                                                int64_t output, int64_t index,
                                                                const char** name);

/* How many names the categories of a column of x have, 0 where they have none; the name of the one
 * with this code, which lives as above; and the code of a name, -1, which is that of no known
 * category, for another name. */
CHAINRULE_API chainrule_status chainrule_network_get_category_count(
    const chainrule_network* network, int64_t column, int64_t* count);
CHAINRULE_API chainrule_status chainrule_network_get_category_name(const chainrule_network* network,
                                                                   int64_t column, int64_t code,
                                                                   const char** name);
CHAINRULE_API chainrule_status chainrule_network_get_category_code(const chainrule_network* network,
                                                                   int64_t column, const char* name,
                                                                   int64_t* code);

/* Sets those of one column as the next set theirs. */
CHAINRULE_API chainrule_status chainrule_network_set_category_names(chainrule_network* network,
                                                                    int64_t column,
                                                                    const char* const* names,
                                                                    int64_t count);

/* Sets all of an input's or output's, which model files keep: `count` different names, copied; or
 * NULL and 0, for no names. */
CHAINRULE_API chainrule_status chainrule_network_set_feature_names(chainrule_network* network,
                                                                   int64_t input,
                                                                   const char* const* names,
                                                                   int64_t count);
CHAINRULE_API chainrule_status chainrule_network_set_class_names(chainrule_network* network,
                                                                 int64_t output,
                                                                 const char* const* names,
                                                                 int64_t count);

/* Sets the mean and variance of every normalization layer from x, (rows, inputs), in their order,
 * each from the data as it arrives there. The first chainrule_trainer_fit does so with its x unless
 * this was called before; without such a layer it does nothing. */
CHAINRULE_API chainrule_status chainrule_network_adapt(chainrule_network* network,
                                                       const chainrule_rows* x);

/* Moves all parameters, running statistics too, towards those of `source`, a network with the same
 * layers and type: each p becomes p + tau (q - p), for tau = 1 exactly q. `tau` lies in 0..1. */
CHAINRULE_API chainrule_status chainrule_network_interpolate(chainrule_network* network,
                                                             const chainrule_network* source,
                                                             double tau);

typedef struct chainrule_predict_options {
  size_t struct_size;
  int64_t batch_size;  /* rows worked on at a time; 0: 256 */
  int64_t num_threads; /* at most; 0: as many as the process may use */
  chainrule_sparsity input_sparsity;
} chainrule_predict_options;

/* Outputs of the last layer for all rows of x, in any number of threads at once: `outputs` becomes
 * (rows, outputs) row-major, of the network's type, in memory that is none of x's, and `size` is
 * that of the array in bytes. `options` may be NULL. NaN and infinities in x are not looked for,
 * here and by a predictor: they give outputs that may be such, in their rows alone. For single rows
 * in little time see chainrule_predictor. */
CHAINRULE_API chainrule_status chainrule_network_predict(const chainrule_network* network,
                                                         const chainrule_rows* x,
                                                         const chainrule_predict_options* options,
                                                         void* outputs, size_t size);

/* The range of what enters each dense layer, for a predictor with int8 weights, from rows like
 * those that will be predicted, not compressed: a smallest and a largest number each, but for one
 * value of 10,000 at either end. They go to `ranges`, which has room for `capacity` numbers, two
 * for each dense layer; `count` becomes how many there are. */
CHAINRULE_API chainrule_status chainrule_network_calibrate(const chainrule_network* network,
                                                           const chainrule_rows* x, float* ranges,
                                                           int64_t capacity, int64_t* count);

/* Trains one network for a loss by an optimizer. */
typedef struct chainrule_trainer chainrule_trainer;

/* Descriptions as JSON objects, or a kind's name for its defaults: "adam", or
 * CHAINRULE_JSON({"kind": "adam", "learning_rate": 0.01}). docs/model-format.md lists them. */
typedef struct chainrule_trainer_options {
  size_t struct_size;
  const char* loss;      /* NULL: that of the file which the network came from. Of several outputs
                            one for all, or an array with one for each */
  const char* optimizer; /* NULL: that of the file */
  const char* schedule;  /* of the learning rate, in the place of the optimizer's; NULL: that of the
                            file if `optimizer` is NULL, else none */
  const double* loss_weights; /* one for each output, finite and >= 0; NULL: all 1 */
} chainrule_trainer_options;

/* Makes a trainer, which goes on from the network's present parameters and its optimizer's memory.
 * With `options` NULL, training goes on where the file says it stopped, to the same bits.
 * ERROR_ARGUMENT for descriptions that are wrong or missing. */
CHAINRULE_API chainrule_status chainrule_trainer_create(chainrule_network* network,
                                                        const chainrule_trainer_options* options,
                                                        chainrule_trainer** trainer);
CHAINRULE_API chainrule_status chainrule_trainer_destroy(chainrule_trainer* trainer);

/* Takes the place of optimizer and schedule, from the next step on, also from within on_batch and
 * on_epoch: to change the learning rate in the midst of a training. Descriptions as above;
 * `schedule` may be NULL for the optimizer's own rate. What the network remembers of an optimizer
 * stays as long as its kind stays the same, and a schedule that is not equal to the one before
 * begins with that step. */
CHAINRULE_API chainrule_status chainrule_trainer_set_optimizer(chainrule_trainer* trainer,
                                                               const char* optimizer,
                                                               const char* schedule);

/* Takes the place of the losses and their weights, from the next epoch on. `loss` as in
 * chainrule_trainer_options; `loss_weights`, one for each output, may be NULL. ERROR_STATE within
 * an epoch. */
CHAINRULE_API chainrule_status chainrule_trainer_set_losses(chainrule_trainer* trainer,
                                                            const char* loss,
                                                            const double* loss_weights);

/* What the trainer has been set to, with every option, as JSON that chainrule_trainer_create takes:
 * an array of losses where there are several outputs. `schedule` becomes NULL where there is none.
 * The text is the trainer's and lives until it is set again. `loss_weights` becomes the weights of
 * the losses, `count` of them: one for each output. */
CHAINRULE_API chainrule_status chainrule_trainer_get_losses(const chainrule_trainer* trainer,
                                                            const char** losses);
CHAINRULE_API chainrule_status chainrule_trainer_get_loss_weights(const chainrule_trainer* trainer,
                                                                  double* loss_weights,
                                                                  int64_t count);
CHAINRULE_API chainrule_status chainrule_trainer_get_optimizer(const chainrule_trainer* trainer,
                                                               const char** optimizer);
CHAINRULE_API chainrule_status chainrule_trainer_get_schedule(const chainrule_trainer* trainer,
                                                              const char** schedule);

typedef struct chainrule_early_stopping_info {
  size_t struct_size;    /* the only member to set */
  double best;           /* of the value watched */
  int64_t best_epoch;    /* 0: no value yet that is a number */
  int64_t waited;        /* epochs since then */
  int64_t stopped_epoch; /* after which it ended the training; 0: it has not */
} chainrule_early_stopping_info;

/* What early stopping saw in the last fit that had one. */
CHAINRULE_API chainrule_status chainrule_trainer_get_early_stopping(
    const chainrule_trainer* trainer, chainrule_early_stopping_info* info);

/* What a reduce_on_plateau schedule remembers. */
typedef struct chainrule_plateau {
  size_t struct_size;
  double rate;           /* of the next epoch */
  double best;           /* of the value watched */
  int64_t bad_epochs;    /* without an improvement, in a row */
  int64_t cooldown_left; /* epochs that are not counted */
} chainrule_plateau;

/* Asks and sets it, the latter for a training that goes on; every member counts. ERROR_ARGUMENT
 * where the trainer has no such schedule. */
CHAINRULE_API chainrule_status chainrule_trainer_get_plateau(const chainrule_trainer* trainer,
                                                             chainrule_plateau* plateau);
CHAINRULE_API chainrule_status chainrule_trainer_set_plateau(chainrule_trainer* trainer,
                                                             const chainrule_plateau* plateau);

/* What such a schedule watches: "val_loss", which is the default and without validation data the
 * loss; "loss"; or a name that chainrule_fit_options.monitored knows. With `rises` other than 0
 * greater values are better. `rises` may be NULL where it is asked; the text lives until the
 * monitor is set again. */
CHAINRULE_API chainrule_status chainrule_trainer_set_monitor(chainrule_trainer* trainer,
                                                             const char* monitor, int64_t rises);
CHAINRULE_API chainrule_status chainrule_trainer_get_monitor(const chainrule_trainer* trainer,
                                                             const char** monitor, int64_t* rises);

/* The network's step at which the schedule began, counted from 0 over all its training: for a
 * training that goes on. */
CHAINRULE_API chainrule_status
chainrule_trainer_get_schedule_origin(const chainrule_trainer* trainer, int64_t* step);
CHAINRULE_API chainrule_status chainrule_trainer_set_schedule_origin(chainrule_trainer* trainer,
                                                                     int64_t step);

/* What an epoch gave. */
typedef struct chainrule_epoch_report {
  size_t struct_size;     /* the only member to set */
  int64_t epoch;          /* of the network, counted from 1; 0: none was finished */
  double loss;            /* mean over its rows, each from before its batch's update */
  double validation_loss; /* NaN without validation data */
  double learning_rate;   /* of its last step */
} chainrule_epoch_report;

/* Losses added up: three numbers that say exactly what they are, for a training that goes on. Their
 * mean is sum / weight. */
typedef struct chainrule_loss_sum {
  double sum;
  double weight;
  double unit;
} chainrule_loss_sum;

/* What a batch gave. */
typedef struct chainrule_batch_report {
  size_t struct_size;
  int64_t epoch;      /* of the network, counted from 1 */
  int64_t batch;      /* counted from 1 */
  double loss;        /* mean over its rows, from before its update */
  double loss_sum;    /* of the epoch so far: three numbers that say it exactly, for */
  double loss_weight; /* chainrule_fit_options.first_batch; of several outputs the first one's */
  double loss_unit;
  /* The same for each output, for chainrule_fit_options.losses_before; until the call is over. */
  const chainrule_loss_sum* losses;
  double mean_loss; /* of the epoch so far, over all outputs by their weights */
} chainrule_batch_report;

typedef struct chainrule_fit_options {
  size_t struct_size;
  int64_t epochs;      /* 0: 1 */
  int64_t batch_size;  /* 0: 32 */
  int64_t num_threads; /* at most; 0: as many as the process may use. No result depends on it */
  int64_t keep_order;  /* 0: rows are shuffled in every epoch, in an order given by the seed */
  const chainrule_rows* validation_x; /* as x and y; NULL: none */
  const chainrule_targets* validation_y;
  /* Called by the calling thread after each epoch, when the network may be used, and the trainer
   * asked and set by its _get and _set functions; other than 0 ends the training. NULL: not called.
   */
  int (*on_epoch)(void* context, const chainrule_epoch_report* report);
  /* Called by the calling thread every 50 ms or less often; other than 0 stops the training after
   * the present batch. Nothing may be used from within. NULL: not called. */
  int (*poll)(void* context, int64_t batches_done, double mean_loss);
  void* context;
  chainrule_sparsity input_sparsity;
  /* JSON, such as CHAINRULE_JSON({"kind": "early_stopping", "patience": 5}), or early_stopping for
   * its defaults. Options: monitor ("val_loss" or "loss"), min_delta, patience, mode ("auto", "min"
   * or "max"), restore_best_weights. NULL: all epochs. */
  const char* early_stopping;
  /* Called by the calling thread after each batch, when the network may be used, and the trainer
   * asked and set as in on_epoch, all but its losses; other than 0 ends the training within the
   * epoch. NULL: not called. */
  int (*on_batch)(void* context, const chainrule_batch_report* report);
  /* For a training that goes on within an epoch: the batches of the first epoch that are done, and
   * what on_batch got after the last of them; NULL if first_batch is 0. Of several outputs the
   * report's `losses` are needed, copied, one for each; of one output they do as well. */
  int64_t first_batch;
  const chainrule_batch_report* batch_before;
  const chainrule_loss_sum* losses_before;
  /* Called by the calling thread, each if it is not NULL, in this order: on_begin, for each epoch
   * on_epoch_begin, learning_rates, on_batch, on_trained, on_validated, monitored, on_epoch. From
   * within all of them what on_epoch says may be used. Of on_begin, which comes when normalization
   * layers have been adapted, and on_epoch_begin, which gets the epoch's number, other than 0 ends
   * the training. */
  int (*on_begin)(void* context);
  int (*on_epoch_begin)(void* context, int64_t epoch);
  /* For the `count` steps from `step` on, counted from where the schedule began: other than 0 if it
   * has written their rates, `count` of them, which take the place of the schedule's. */
  int (*learning_rates)(void* context, int64_t step, int64_t count, int64_t steps_per_epoch,
                        double* rates);
  /* Behind an epoch's batches, and behind its validation: with the losses of each output over the
   * training or the validation rows, which last until the call is over. on_validated is called
   * without validation data too, `losses` being NULL. */
  void (*on_trained)(void* context, const chainrule_epoch_report* report,
                     const chainrule_loss_sum* losses);
  void (*on_validated)(void* context, const chainrule_epoch_report* report,
                       const chainrule_loss_sum* losses);
  /* The epoch's value of a name that a reduce_on_plateau schedule or early stopping watches, which
   * may then be any name. NULL: "loss" and "val_loss" of the report. */
  double (*monitored)(void* context, const char* name);
  /* As poll, during a validation: other than 0 ends it and with it the training, whose last epoch
   * stays and has no validation loss. */
  int (*poll_validation)(void* context);
  /* What the batches gave for the rows of x, each from before its update, and what the rows of
   * validation_x gave behind the last epoch: (rows, outputs) row-major in the rows' own places, of
   * the network's type, with the sizes in bytes. An output that is not finite is a divergence.
   * NULL and 0: not written. */
  void* outputs;
  size_t outputs_size;
  void* validation_outputs;
  size_t validation_outputs_size;
  int64_t data_checked; /* other than 0: all data are known to be finite and fit for the loss */
  /* The rows of x and y to train on, by their numbers, in any order, with repetitions, and those of
   * validation_x and validation_y to validate by: the results are those of a table of these rows,
   * and `outputs` and `validation_outputs` have their order. NULL and 0: all rows. */
  const int64_t* row_numbers;
  int64_t row_numbers_count;
  const int64_t* validation_row_numbers;
  int64_t validation_row_numbers_count;
  /* Reads rows of an x that is not in memory, whose `data` is NULL; the other does so for
   * validation_x. Called by the calling thread for the rows of some batches, as many as fit into a
   * few megabytes, and for those of each table once before training unless `data_checked`: given
   * the numbers of `count` rows, returns these rows in that order, always of one type, compressed
   * or not, in memory that stays until the next call. From within what on_epoch says may be used.
   * NULL says that they cannot be read, which ends the training with ERROR_CALLBACK and takes its
   * epoch back. */
  const chainrule_rows* (*read)(void* context, const int64_t* numbers, int64_t count);
  const chainrule_rows* (*read_validation)(void* context, const int64_t* numbers, int64_t count);
} chainrule_fit_options;

/* Trains for some epochs. x: (rows, inputs), those of several inputs side by side; y: of several
 * outputs as many structures, one behind the other; so too in the functions below and for the
 * validation. Normalization layers that have not been adapted are
 * adapted to x first, as by chainrule_network_adapt. `options` may be NULL, and so may `last`,
 * which gets the last finished epoch's report. ERROR_DIVERGENCE leaves everything as it was when
 * that epoch began. */
CHAINRULE_API chainrule_status chainrule_trainer_fit(chainrule_trainer* trainer,
                                                     const chainrule_rows* x,
                                                     const chainrule_targets* y,
                                                     const chainrule_fit_options* options,
                                                     chainrule_epoch_report* last);

/* One optimizer step with these rows as its batch, for online learning; `loss`, which may be NULL,
 * gets their mean loss from before it. */
CHAINRULE_API chainrule_status chainrule_trainer_step(chainrule_trainer* trainer,
                                                      const chainrule_rows* x,
                                                      const chainrule_targets* y, double* loss);

/* The mean loss of the rows, without training. */
CHAINRULE_API chainrule_status chainrule_trainer_evaluate(chainrule_trainer* trainer,
                                                          const chainrule_rows* x,
                                                          const chainrule_targets* y,
                                                          int64_t num_threads, double* loss);

/* Writes the network's model file with what this training needs to go on, in C, C++ or Python.
 * ERROR_FILE. */
CHAINRULE_API chainrule_status chainrule_trainer_save(const chainrule_trainer* trainer,
                                                      const char* path);

/* A copy of a network's weights, for predictions that must not wait: any number of threads, each
 * with a scratch of its own, while another thread trains the network and hands over new weights. */
typedef struct chainrule_predictor chainrule_predictor;
/* What one thread needs to predict. It must be used by one thread at a time. */
typedef struct chainrule_scratch chainrule_scratch;

typedef int64_t chainrule_link;
/* What is applied to raw outputs: softmax for cross_entropy, sigmoid for binary_cross_entropy and
 * exponential for poisson give probabilities and means. A network that ends with it already is left
 * as it is. */
enum {
  CHAINRULE_LINK_IDENTITY = 0,
  CHAINRULE_LINK_SOFTMAX = 1,
  CHAINRULE_LINK_SIGMOID = 2,
  CHAINRULE_LINK_EXPONENTIAL = 3
};

typedef int64_t chainrule_weights;
/* The numbers in which a predictor keeps the weights of dense layers, of float32 networks alone:
 * smaller ones make a prediction quicker. Its bits are the same on every processor. */
enum {
  CHAINRULE_WEIGHTS_UNCHANGED = 0,
  CHAINRULE_WEIGHTS_BFLOAT16 = 1,
  CHAINRULE_WEIGHTS_INT8 = 2 /* what enters the layers becomes integers too */
};

typedef struct chainrule_predictor_options {
  size_t struct_size;
  chainrule_link link;
  chainrule_weights weights;
  const float* ranges; /* for int8, from chainrule_network_calibrate: copied */
  int64_t ranges_count;
} chainrule_predictor_options;

/* Copies the weights; `options` may be NULL. */
CHAINRULE_API chainrule_status chainrule_predictor_create(
    const chainrule_network* network, const chainrule_predictor_options* options,
    chainrule_predictor** predictor);
CHAINRULE_API chainrule_status chainrule_predictor_destroy(chainrule_predictor* predictor);

/* Takes over the present weights of a network with the same layers. Any thread; predictions go on
 * meanwhile and never wait, and those that begin afterwards use these weights or newer ones. */
CHAINRULE_API chainrule_status chainrule_predictor_update(chainrule_predictor* predictor,
                                                          const chainrule_network* network);

/* For up to `rows` rows at a time, at least 1; more are predicted in pieces. */
CHAINRULE_API chainrule_status chainrule_scratch_create(const chainrule_predictor* predictor,
                                                        int64_t rows, chainrule_scratch** scratch);
CHAINRULE_API chainrule_status chainrule_scratch_destroy(chainrule_scratch* scratch);

/* Predicts adjacent rows: `in` is (rows, inputs) and `out` becomes (rows, outputs), both of the
 * network's type, row-major, their sizes in bytes; they may overlap if they hold one row. Without
 * an error it calls no allocator, takes no lock and makes no system call. */
CHAINRULE_API chainrule_status chainrule_predictor_predict(const chainrule_predictor* predictor,
                                                           chainrule_scratch* scratch,
                                                           const void* in, size_t in_size,
                                                           void* out, size_t out_size);

/* The same of rows anywhere: row i is read from in + i * in_stride and written to
 * out + i * out_stride, strides in values. Rows of `in` may overlap with each other; rows of `out`
 * must not overlap with later rows of `in`. */
CHAINRULE_API chainrule_status chainrule_predictor_predict_strided(
    const chainrule_predictor* predictor, chainrule_scratch* scratch, const void* in,
    int64_t in_stride, void* out, int64_t out_stride, int64_t rows);

#ifdef __cplusplus
}
#endif

#endif /* CHAINRULE_CHAINRULE_H */
