/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of training: what it is told, what it calls and what it reports. */
#ifndef CHAINRULE_C_FIT_H
#define CHAINRULE_C_FIT_H

#include <stddef.h>
#include <stdint.h>

#include "chainrule/c/data.h"
#include "chainrule/c/status.h"

#ifdef __cplusplus
extern "C" {
#endif

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
  /* Called in the place of an epoch's batches, by one thread as the others: makes an epoch and has
   * the network count it, such as by chainrule_full_batch_trainer_step; writes the loss of each
   * output over its rows to `losses`, one for each, and returns more than 0. 0: there is none any
   * more, which ends the training; below 0: it failed, which ends it with ERROR_CALLBACK. Such an
   * epoch is never taken back. */
  int (*iterate)(void* context, chainrule_loss_sum* losses);
  /* Of an error behind an epoch's batches, such as one of read_validation, but for a divergence:
   * other than 0 if the epoch stays. chainrule_last_error says what happened. NULL: the epoch is
   * taken back, as it always is by an error between its batches. */
  int (*keeps)(void* context, chainrule_status status);
  /* What becomes of the images that are trained on: `augment_count` texts of JSON in their order,
   * such as CHAINRULE_JSON({"kind": "random_shift", "x": 2}). NULL and 0: nothing. */
  const char* const* augment;
  int64_t augment_count;
} chainrule_fit_options;

#ifdef __cplusplus
}
#endif

#endif /* CHAINRULE_C_FIT_H */
