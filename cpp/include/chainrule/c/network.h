/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: made, read and written, asked and set, used for predictions. */
#ifndef CHAINRULE_C_NETWORK_H
#define CHAINRULE_C_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "chainrule/c/data.h"
#include "chainrule/c/status.h"
#include "chainrule/export.h"

#ifdef __cplusplus
extern "C" {
#endif

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

#ifdef __cplusplus
}
#endif

#endif /* CHAINRULE_C_NETWORK_H */
