/* $name: a neural network, $widths. Written by chainrule $version.

   Nothing is allocated and nothing is kept between calls: calls at the same time need a
   scratch each, and nothing else. */
#ifndef ${macro}_H
#define ${macro}_H

$includes#ifdef __cplusplus
extern "C" {
#endif

$sizes
#define ${macro}_SCRATCH_BYTES $scratch_bytes /* sizeof(${name}_scratch) */

/* Memory for one call, static or on the stack. It needs no first value. */
typedef struct ${name}_scratch {
$fields
} ${name}_scratch;

/* Computes the outputs of the last layer.

$arguments
   scratch  any content. */
$call;
$predict_proba
#ifdef __cplusplus
}
#endif

#endif
