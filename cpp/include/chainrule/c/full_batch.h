/* SPDX-License-Identifier: Apache-2.0 */
/* Training on all rows at once. */
#ifndef CHAINRULE_C_FULL_BATCH_H
#define CHAINRULE_C_FULL_BATCH_H

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

/* Trains one network on all rows at once, one iteration after the other, by L-BFGS or by Levenberg
 * and Marquardt's steps. */
typedef struct chainrule_full_batch_trainer chainrule_full_batch_trainer;

typedef struct chainrule_full_batch_options {
  size_t struct_size;
  /* JSON, such as CHAINRULE_JSON({"kind": "levenberg_marquardt", "max_iterations": 50}), or a
   * kind's name for its defaults. Options of lbfgs: memory, max_iterations, tolerance,
   * max_evaluations; of levenberg_marquardt, for the loss mse: damping, decrease, increase,
   * max_damping, max_iterations, tolerance, goal, acceleration, bayesian. NULL: lbfgs */
  const char* optimizer;
  const char* loss; /* as in chainrule_trainer_options, and so the next */
  const double* loss_weights;
  int64_t batch_size;  /* rows worked on at a time; 0: 1024 */
  int64_t num_threads; /* at most; 0: as many as the process may use. No result depends on it */
  chainrule_sparsity input_sparsity;
  /* Called by the thread in chainrule_full_batch_trainer_step about every 50 ms of an iteration
   * that takes longer; other than 0 ends the call with ERROR_CALLBACK and the weights of the
   * iteration before. Nothing may be used from within. NULL: not called. */
  int (*poll)(void* context);
  void* context;
} chainrule_full_batch_options;

typedef int64_t chainrule_training_end;
/* Why a full-batch training ended. */
enum {
  CHAINRULE_END_NONE = 0,           /* it has not */
  CHAINRULE_END_GRADIENT = 1,       /* the gradient is within the tolerance */
  CHAINRULE_END_GOAL = 2,           /* the loss is within the goal */
  CHAINRULE_END_NO_PROGRESS = 3,    /* the loss changes by no more than rounding */
  CHAINRULE_END_LINE_SEARCH = 4,    /* no step along the gradient makes the loss smaller */
  CHAINRULE_END_DAMPING = 5,        /* nor does any with the greatest damping */
  CHAINRULE_END_MAX_ITERATIONS = 6, /* of the options */
  CHAINRULE_END_MAX_EVALUATIONS = 7 /* likewise */
};

/* What an iteration gave, all at the weights behind it. */
typedef struct chainrule_iteration_report {
  size_t struct_size;               /* the only member to set */
  int64_t made;                     /* 1; 0: the training had ended, and there was no iteration */
  chainrule_training_end end;       /* of the training, where it ended with this iteration */
  int64_t epoch;                    /* of the network: an iteration is one */
  int64_t iteration;                /* of this trainer, counted from 1 */
  double loss;                      /* weighted mean over all rows, without penalties */
  const chainrule_loss_sum* losses; /* of each output, as chainrule_fit_options.iterate gives them;
                                       until the trainer's next step */
  double gradient_norm;             /* largest entry; of levenberg_marquardt the 2-norm */
  double step_length;               /* of lbfgs, as a multiple of the quasi-Newton step */
  int64_t evaluations;              /* of the loss, by this trainer so far */
  double damping;                   /* of levenberg_marquardt, for the next iteration */
  double effective_parameters;      /* that the data determine, where it is bayesian */
  double alpha;                     /* there: the weight of the sum of the squared parameters, */
  double beta;                      /* and that of the squared errors */
} chainrule_iteration_report;

/* Makes a trainer for rows that are read in place by every step, and must stay until it is
 * destroyed. ERROR_ARGUMENT for what does not fit, and for layers whose outputs are not a function
 * of their row and the weights alone, such as dropout. */
CHAINRULE_API chainrule_status chainrule_full_batch_trainer_create(
    chainrule_network* network, const chainrule_rows* x, const chainrule_targets* y,
    const chainrule_full_batch_options* options, chainrule_full_batch_trainer** trainer);
CHAINRULE_API chainrule_status
chainrule_full_batch_trainer_destroy(chainrule_full_batch_trainer* trainer);

/* The next iteration, unless the training has ended; the network counts it as an epoch and a step,
 * and is free for any use between iterations. Normalization layers that have not been adapted are
 * adapted to x first. `outputs`, which may be NULL with a size of 0, gets the raw outputs behind
 * it, (rows, outputs) row-major of the network's type, `size` being that of the array in bytes. */
CHAINRULE_API chainrule_status
chainrule_full_batch_trainer_step(chainrule_full_batch_trainer* trainer, void* outputs, size_t size,
                                  chainrule_iteration_report* report);

#ifdef __cplusplus
}
#endif

#endif /* CHAINRULE_C_FULL_BATCH_H */
