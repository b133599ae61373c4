/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and targets in the caller's memory. */
#ifndef CHAINRULE_C_DATA_H
#define CHAINRULE_C_DATA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif /* CHAINRULE_C_DATA_H */
