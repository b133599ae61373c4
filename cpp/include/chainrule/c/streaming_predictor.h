/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences whose frames come one by one. */
#ifndef CHAINRULE_C_STREAMING_PREDICTOR_H
#define CHAINRULE_C_STREAMING_PREDICTOR_H

#include <stddef.h>

#include "chainrule/c/network.h"
#include "chainrule/c/predictor.h"
#include "chainrule/c/status.h"
#include "chainrule/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A copy of the weights of a network whose inputs have shape (time, features), which goes through
 * sequences without an end frame by frame: recurrent layers that go forward, convolutions with
 * causal padding, and layers that work on each position by itself; or inputs of tokens, of shape
 * (time) in front of an embedding of one table and a reshape. Outputs have the bits of
 * chainrule_network_predict's at that position; behind a layer that gives its last state alone they
 * are those of a sequence that ends with the frame. Any number of threads may use it at once. */
typedef struct chainrule_streaming_predictor chainrule_streaming_predictor;
/* One sequence: what is remembered of its frames. It must be used by one thread at a time. */
typedef struct chainrule_stream_state chainrule_stream_state;

/* Copies the weights; `options` may be NULL. The error for a network that cannot go from frame to
 * frame names the layer. */
CHAINRULE_API chainrule_status chainrule_streaming_predictor_create(
    const chainrule_network* network, const chainrule_predictor_options* options,
    chainrule_streaming_predictor** predictor);
CHAINRULE_API chainrule_status
chainrule_streaming_predictor_destroy(chainrule_streaming_predictor* predictor);

/* Takes over the present weights of a network with the same layers, as
 * chainrule_predictor_update does; states remember what they did. */
CHAINRULE_API chainrule_status chainrule_streaming_predictor_update(
    chainrule_streaming_predictor* predictor, const chainrule_network* network);

CHAINRULE_API chainrule_status chainrule_stream_state_create(
    const chainrule_streaming_predictor* predictor, chainrule_stream_state** state);
CHAINRULE_API chainrule_status chainrule_stream_state_destroy(chainrule_stream_state* state);

/* The next frame of a sequence, or several, one behind the other: `frames` is (frames, features),
 * and `out` becomes (frames, outputs), both of the network's type, their sizes in bytes. Those of
 * several inputs or outputs lie side by side. Without an error it calls no allocator, takes no lock
 * and makes no system call; with one, nothing is remembered. */
CHAINRULE_API chainrule_status chainrule_streaming_predictor_step(
    const chainrule_streaming_predictor* predictor, chainrule_stream_state* state,
    const void* frames, size_t frames_size, void* out, size_t out_size);

/* The next frame begins another sequence. */
CHAINRULE_API chainrule_status chainrule_stream_state_reset(chainrule_stream_state* state);
/* Goes on where another state of the same predictor is, which stays as it is. */
CHAINRULE_API chainrule_status chainrule_stream_state_copy_from(
    chainrule_stream_state* state, const chainrule_stream_state* other);

#ifdef __cplusplus
}
#endif

#endif /* CHAINRULE_C_STREAMING_PREDICTOR_H */
