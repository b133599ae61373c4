/* $name: a neural network, $widths. Written by chainrule $version.

   It goes through sequences frame by frame. Nothing is allocated: each sequence has a state, and
   calls at the same time need states of their own, and nothing else. */
#ifndef ${macro}_H
#define ${macro}_H

$includes#ifdef __cplusplus
extern "C" {
#endif

$sizes
#define ${macro}_STATE_BYTES $scratch_bytes /* sizeof(${name}_state) */

/* What later frames of a sequence need, and memory for a call. A copy goes on by itself. */
typedef struct ${name}_state {
$fields
} ${name}_state;

/* Begins a sequence; before the first call of ${name}_step too. */
void ${name}_reset(${name}_state* state);

/* Computes the outputs of the last layer for the next frame of a sequence.

   state    reset once, and of the sequence's earlier frames.
$arguments */
$call;

#ifdef __cplusplus
}
#endif

#endif
