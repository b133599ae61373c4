/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions in real time. */
#ifndef CHAINRULE_C_PREDICTOR_H
#define CHAINRULE_C_PREDICTOR_H

#include <stddef.h>
#include <stdint.h>

#include "chainrule/c/network.h"
#include "chainrule/c/status.h"
#include "chainrule/export.h"

#ifdef __cplusplus
extern "C" {
#endif

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

#endif /* CHAINRULE_C_PREDICTOR_H */
