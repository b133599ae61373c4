/* SPDX-License-Identifier: Apache-2.0 */
/* Trainers of networks. */
#ifndef CHAINRULE_C_TRAINER_H
#define CHAINRULE_C_TRAINER_H

#include <stddef.h>
#include <stdint.h>

#include "chainrule/c/data.h"
#include "chainrule/c/fit.h"
#include "chainrule/c/network.h"
#include "chainrule/c/status.h"
#include "chainrule/export.h"

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif /* CHAINRULE_C_TRAINER_H */
