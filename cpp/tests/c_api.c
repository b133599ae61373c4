/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface as a C program uses it: every function, with results that must agree with each
 * other to the last bit. usage: c_api GOLDEN_FOLDER */
#include <chainrule/chainrule.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                             \
    }                                                                         \
  } while (0)

#define CHECK_OK(call)                                                                       \
  do {                                                                                       \
    const chainrule_status status_ = (call);                                                 \
    if (status_ != CHAINRULE_OK) {                                                           \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, chainrule_status_name(status_), \
              chainrule_last_error());                                                       \
      ++failures;                                                                            \
    }                                                                                        \
  } while (0)

enum { ROWS = 60, INPUTS = 3, CLASSES = 2 };

static uint8_t pixels[ROWS][INPUTS + 1]; /* with a column that is not the network's */
static int64_t classes[ROWS];

static const char layers[] =
    CHAINRULE_JSON([{"kind": "rescaling", "scale": 0.00392156862745098},
                    {"kind": "dense", "units": 16, "activation": "relu"},
                    {"kind": "dropout", "rate": 0.1},
                    {"kind": "dense", "units": 2}]);

static void make_data(void) {
  for (int i = 0; i < ROWS; ++i) {
    for (int j = 0; j <= INPUTS; ++j)
      pixels[i][j] = (uint8_t)((i * 37 + j * 101 + i * j * 13) % 256);
    classes[i] = pixels[i][0] > pixels[i][2];
  }
}

static chainrule_rows pixel_rows(void) {
  chainrule_rows x = {.struct_size = sizeof x,
                      .data = pixels,
                      .type = CHAINRULE_UINT8,
                      .rows = ROWS,
                      .columns = INPUTS,
                      .row_stride = INPUTS + 1};
  return x;
}

static chainrule_targets class_labels(void) {
  chainrule_targets y = {.struct_size = sizeof y, .labels = classes, .rows = ROWS};
  return y;
}

static chainrule_network* new_network(chainrule_type type, uint64_t seed) {
  const chainrule_network_options options = {
      .struct_size = sizeof options, .type = type, .seed = seed};
  chainrule_network* network = NULL;
  CHECK_OK(chainrule_network_create(layers, INPUTS, &options, &network));
  return network;
}

static chainrule_trainer* new_trainer(chainrule_network* network) {
  const chainrule_trainer_options options = {
      .struct_size = sizeof options,
      .loss = "cross_entropy",
      .optimizer = CHAINRULE_JSON({"kind": "adam", "learning_rate": 0.01})};
  chainrule_trainer* trainer = NULL;
  CHECK_OK(chainrule_trainer_create(network, &options, &trainer));
  return trainer;
}

static void predict(chainrule_network* network, void* outputs, size_t size) {
  const chainrule_rows x = pixel_rows();
  CHECK_OK(chainrule_network_predict(network, &x, NULL, outputs, size));
}

struct seen {
  int epochs;
  double first_loss;
  double last_loss;
};

static int note(void* context, const chainrule_epoch_report* report) {
  struct seen* seen = context;
  CHECK(report->struct_size == sizeof *report);
  CHECK(report->epoch == seen->epochs + 1);
  CHECK(report->learning_rate == 0.01);
  CHECK(!isnan(report->validation_loss));
  if (seen->epochs == 0) seen->first_loss = report->loss;
  seen->last_loss = report->loss;
  return ++seen->epochs == 60;
}

static void check_description(const chainrule_network* network) {
  chainrule_network_info info = {.struct_size = sizeof info};
  CHECK_OK(chainrule_network_get_info(network, &info));
  CHECK(info.type == CHAINRULE_FLOAT32);
  CHECK(info.inputs == INPUTS);
  CHECK(info.outputs == CLASSES);
  CHECK(info.layers == 4);
  CHECK(info.parameters == 4);
  CHECK(info.seed == 7);
  const char* described = NULL;
  CHECK_OK(chainrule_network_get_layers(network, &described));
  const chainrule_network_options options = {.struct_size = sizeof options, .seed = 7};
  chainrule_network* same = NULL;
  CHECK_OK(chainrule_network_create(described, INPUTS, &options, &same));

  static const char* const names[] = {"1.weight", "1.bias", "3.weight", "3.bias"};
  static const int64_t shapes[][2] = {{INPUTS, 16}, {1, 16}, {16, CLASSES}, {1, CLASSES}};
  for (int64_t i = 0; i < info.parameters; ++i) {
    chainrule_parameter_info parameter = {.struct_size = sizeof parameter};
    CHECK_OK(chainrule_network_get_parameter_info(network, i, &parameter));
    CHECK(strcmp(parameter.name, names[i]) == 0);
    CHECK(parameter.layer == (i < 2 ? 1 : 3));
    CHECK(parameter.dimensions == (i % 2 == 0 ? 2 : 1));
    CHECK(parameter.rows == shapes[i][0] && parameter.columns == shapes[i][1]);
    CHECK(parameter.trainable == 1);
    float here[INPUTS * 16], there[INPUTS * 16];
    const size_t size = (size_t)(parameter.rows * parameter.columns) * sizeof(float);
    CHECK_OK(chainrule_network_get_parameter(network, parameter.name, here, size));
    CHECK_OK(chainrule_network_get_parameter(same, parameter.name, there, size));
    CHECK(memcmp(here, there, size) == 0);
  }
  CHECK_OK(chainrule_network_destroy(same));
}

static void check_training_and_prediction(void) {
  chainrule_network* network = new_network(0, 7);
  check_description(network);
  chainrule_trainer* trainer = new_trainer(network);
  const chainrule_rows x = pixel_rows();
  const chainrule_targets y = class_labels();
  struct seen seen = {0, 0, 0};
  const chainrule_fit_options options = {.struct_size = sizeof options,
                                         .epochs = 100,
                                         .batch_size = 8,
                                         .validation_x = &x,
                                         .validation_y = &y,
                                         .on_epoch = note,
                                         .context = &seen};
  chainrule_epoch_report last = {.struct_size = sizeof last};
  CHECK_OK(chainrule_trainer_fit(trainer, &x, &y, &options, &last));
  CHECK(seen.epochs == 60);
  CHECK(last.epoch == 60);
  CHECK(last.loss == seen.last_loss);
  CHECK(seen.last_loss < 0.5 * seen.first_loss);
  double loss = 0.0;
  CHECK_OK(chainrule_trainer_evaluate(trainer, &x, &y, 1, &loss));
  CHECK(loss == last.validation_loss);

  /* All rows at once, one at a time, and by strides: the same bits. */
  float all[ROWS][CLASSES];
  predict(network, all, sizeof all);
  chainrule_predictor* predictor = NULL;
  chainrule_scratch* scratch = NULL;
  CHECK_OK(chainrule_predictor_create(network, NULL, &predictor));
  CHECK_OK(chainrule_scratch_create(predictor, 4, &scratch));
  float in[ROWS][INPUTS], out[ROWS][CLASSES], strided[ROWS][CLASSES + 1];
  for (int i = 0; i < ROWS; ++i)
    for (int j = 0; j < INPUTS; ++j) in[i][j] = pixels[i][j];
  for (int i = 0; i < ROWS; ++i)
    CHECK_OK(chainrule_predictor_predict(predictor, scratch, in[i], sizeof in[i], out[i],
                                         sizeof out[i]));
  CHECK(memcmp(all, out, sizeof all) == 0);
  memset(out, 0, sizeof out);
  CHECK_OK(chainrule_predictor_predict(predictor, scratch, in, sizeof in, out, sizeof out));
  CHECK(memcmp(all, out, sizeof all) == 0);
  CHECK_OK(chainrule_predictor_predict_strided(predictor, scratch, in, INPUTS, strided, CLASSES + 1,
                                               ROWS));
  int right = 0;
  for (int i = 0; i < ROWS; ++i) {
    CHECK(memcmp(all[i], strided[i], sizeof all[i]) == 0);
    right += (all[i][1] > all[i][0]) == classes[i];
  }
  CHECK(right > ROWS * 9 / 10);

  /* New weights arrive when they are handed over, and not before. */
  CHECK_OK(chainrule_trainer_step(trainer, &x, &y, &loss));
  CHECK(loss > 0.0);
  CHECK_OK(chainrule_predictor_predict(predictor, scratch, in, sizeof in, out, sizeof out));
  CHECK(memcmp(all, out, sizeof all) == 0);
  CHECK_OK(chainrule_predictor_update(predictor, network));
  CHECK_OK(chainrule_predictor_predict(predictor, scratch, in, sizeof in, out, sizeof out));
  CHECK(memcmp(all, out, sizeof all) != 0);
  predict(network, all, sizeof all);
  CHECK(memcmp(all, out, sizeof all) == 0);

  /* Probabilities. */
  chainrule_predictor* likely = NULL;
  chainrule_scratch* likely_scratch = NULL;
  const chainrule_predictor_options softmax = {.struct_size = sizeof softmax,
                                               .link = CHAINRULE_LINK_SOFTMAX};
  CHECK_OK(chainrule_predictor_create(network, &softmax, &likely));
  CHECK_OK(chainrule_scratch_create(likely, 1, &likely_scratch));
  CHECK_OK(chainrule_predictor_predict(likely, likely_scratch, in[0], sizeof in[0], out[0],
                                       sizeof out[0]));
  CHECK(fabsf(out[0][0] + out[0][1] - 1.0f) < 1e-6f);
  CHECK(fabs(out[0][0] - 1.0 / (1.0 + exp((double)all[0][1] - all[0][0]))) < 1e-6);

  /* What uses a handle may outlive it. */
  CHECK_OK(chainrule_network_destroy(network));
  CHECK_OK(chainrule_trainer_step(trainer, &x, &y, NULL));
  CHECK_OK(chainrule_predictor_destroy(predictor));
  CHECK_OK(chainrule_scratch_destroy(scratch));
  CHECK_OK(chainrule_predictor_destroy(likely));
  CHECK_OK(chainrule_scratch_destroy(likely_scratch));
  CHECK_OK(chainrule_trainer_destroy(trainer));
}

static void check_parameters_and_copies(void) {
  chainrule_network* network = new_network(CHAINRULE_FLOAT64, 1);
  chainrule_network* copy = NULL;
  CHECK_OK(chainrule_network_copy(network, &copy));
  double before[ROWS][CLASSES], after[ROWS][CLASSES];
  double bias[CLASSES] = {0, 0};
  predict(network, before, sizeof before);
  CHECK_OK(chainrule_network_get_parameter(network, "3.bias", bias, sizeof bias));
  bias[0] += 0.5;
  CHECK_OK(chainrule_network_set_parameter(network, "3.bias", bias, sizeof bias));
  predict(network, after, sizeof after);
  CHECK(fabs(after[0][0] - before[0][0] - 0.5) < 1e-12);
  CHECK(after[0][1] == before[0][1]);
  predict(copy, after, sizeof after);
  CHECK(memcmp(before, after, sizeof before) == 0);
  CHECK_OK(chainrule_network_destroy(copy));
  CHECK_OK(chainrule_network_destroy(network));
}

static void check_normalization_and_sparse_rows(void) {
  static const float table[4][2] = {{1, 0}, {0, 2}, {3, 0}, {0, 0}};
  static const float values[] = {1, 2, 3};
  static const int32_t offsets[] = {0, 1, 2, 3, 3};
  static const int32_t indices[] = {0, 1, 0};
  const chainrule_rows x = {
      .struct_size = sizeof x, .data = table, .type = CHAINRULE_FLOAT32, .rows = 4, .columns = 2};
  const chainrule_rows compressed = {.struct_size = sizeof compressed,
                                     .data = values,
                                     .type = CHAINRULE_FLOAT32,
                                     .rows = 4,
                                     .columns = 2,
                                     .offsets = offsets,
                                     .indices = indices,
                                     .stored = 3};
  chainrule_network* network = NULL;
  float dense[4][3], sparse[4][3];
  CHECK_OK(chainrule_network_create("[{\"kind\": \"dense\", \"units\": 3}]", 2, NULL, &network));
  CHECK_OK(chainrule_network_predict(network, &x, NULL, dense, sizeof dense));
  CHECK_OK(chainrule_network_predict(network, &compressed, NULL, sparse, sizeof sparse));
  CHECK(memcmp(dense, sparse, sizeof dense) == 0);
  CHECK_OK(chainrule_network_destroy(network));

  float mean[2] = {0, 0};
  CHECK_OK(chainrule_network_create("[\"normalization\"]", 2, NULL, &network));
  CHECK_OK(chainrule_network_adapt(network, &x));
  CHECK_OK(chainrule_network_get_parameter(network, "0.mean", mean, sizeof mean));
  CHECK(mean[0] == 1.0f && mean[1] == 0.5f);
  CHECK_OK(chainrule_network_destroy(network));
}

static void check_files(void) {
  const char* path = "c_api.safetensors";
  float saved[ROWS][CLASSES], loaded[ROWS][CLASSES];
  chainrule_network* network = new_network(0, 3);
  chainrule_network* again = NULL;
  chainrule_trainer* trainer = new_trainer(network);
  const chainrule_rows x = pixel_rows();
  const chainrule_targets y = class_labels();
  CHECK_OK(chainrule_trainer_fit(trainer, &x, &y, NULL, NULL));
  CHECK_OK(chainrule_trainer_save(trainer, path));
  CHECK_OK(chainrule_network_load(path, &again));

  /* The rest of the training, unbroken and from the file: the same bits. */
  CHECK_OK(chainrule_trainer_fit(trainer, &x, &y, NULL, NULL));
  predict(network, saved, sizeof saved);
  CHECK_OK(chainrule_trainer_destroy(trainer));
  CHECK_OK(chainrule_trainer_create(again, NULL, &trainer));
  CHECK_OK(chainrule_trainer_fit(trainer, &x, &y, NULL, NULL));
  predict(again, loaded, sizeof loaded);
  CHECK(memcmp(saved, loaded, sizeof saved) == 0);

  CHECK_OK(chainrule_network_save(again, path));
  CHECK_OK(chainrule_network_destroy(again));
  static char content[1 << 16];
  FILE* file = fopen(path, "rb");
  CHECK(file != NULL);
  const size_t size = file ? fread(content, 1, sizeof content, file) : 0;
  if (file) fclose(file);
  CHECK_OK(chainrule_network_read(content, size, &again));
  predict(again, loaded, sizeof loaded);
  CHECK(memcmp(saved, loaded, sizeof saved) == 0);
  CHECK_OK(chainrule_network_destroy(again));
  CHECK_OK(chainrule_network_destroy(network));
  CHECK_OK(chainrule_trainer_destroy(trainer));
  CHECK(remove(path) == 0);
}

static const chainrule_rows* read_rows(void* context, const int64_t* numbers, int64_t count) {
  static uint8_t piece[ROWS][INPUTS];
  static chainrule_rows rows;
  for (int64_t i = 0; i < count; ++i) memcpy(piece[i], pixels[numbers[i]], INPUTS);
  rows = (chainrule_rows){.struct_size = sizeof rows,
                          .data = piece,
                          .type = CHAINRULE_UINT8,
                          .rows = count,
                          .columns = INPUTS};
  ++*(int*)context;
  return &rows;
}

static void check_rows_that_are_read(void) {
  float expected[ROWS][CLASSES], found[ROWS][CLASSES];
  const chainrule_targets y = class_labels();
  for (int there = 0; there < 2; ++there) {
    int calls = 0;
    chainrule_network* network = new_network(0, 1);
    chainrule_trainer* trainer = new_trainer(network);
    chainrule_rows x = pixel_rows();
    chainrule_fit_options options = {
        .struct_size = sizeof options, .epochs = 2, .batch_size = 8, .context = &calls};
    if (!there) {
      x = (chainrule_rows){.struct_size = sizeof x, .rows = ROWS, .columns = INPUTS};
      options.read = read_rows;
    }
    CHECK_OK(chainrule_trainer_fit(trainer, &x, &y, &options, NULL));
    CHECK((calls == 0) == there);
    predict(network, there ? expected : found, sizeof expected);
    double weight = 0;
    CHECK_OK(chainrule_trainer_get_loss_weights(trainer, &weight, 1));
    CHECK(weight == 1);
    CHECK_OK(chainrule_trainer_destroy(trainer));
    CHECK_OK(chainrule_network_destroy(network));
  }
  CHECK(memcmp(expected, found, sizeof expected) == 0);
}

static int iterate(void* context, chainrule_loss_sum* losses) {
  chainrule_iteration_report report = {.struct_size = sizeof report};
  CHECK_OK(chainrule_full_batch_trainer_step(context, NULL, 0, &report));
  return report.made ? (losses[0] = report.losses[0], 1) : 0;
}

static void check_training_on_all_rows(chainrule_rows x, chainrule_targets y) {
  chainrule_network* network = NULL;
  static const char dense[] = CHAINRULE_JSON([{"kind": "dense", "units": 2}]);
  CHECK_OK(chainrule_network_create(dense, INPUTS, NULL, &network));
  chainrule_trainer* trainer = new_trainer(network);
  chainrule_full_batch_options options = {.struct_size = sizeof options};
  options.loss = "cross_entropy";
  chainrule_full_batch_trainer* iterations = NULL;
  CHECK_OK(chainrule_full_batch_trainer_create(network, &x, &y, &options, &iterations));
  chainrule_fit_options fit = {.struct_size = sizeof fit, .epochs = 12, .iterate = iterate};
  fit.context = iterations;
  chainrule_epoch_report last = {.struct_size = sizeof last};
  CHECK_OK(chainrule_trainer_fit(trainer, &x, &y, &fit, &last));
  CHECK(last.epoch > 0 && last.loss < 0.5);
  CHECK_OK(chainrule_full_batch_trainer_destroy(iterations));
  CHECK_OK(chainrule_trainer_destroy(trainer));
  CHECK_OK(chainrule_network_destroy(network));
}

static void check_golden_file(const char* folder) {
  char path[1024];
  snprintf(path, sizeof path, "%s/format_1.safetensors", folder);
  chainrule_network* network = NULL;
  CHECK_OK(chainrule_network_load(path, &network));
  chainrule_network_info info = {.struct_size = sizeof info};
  CHECK_OK(chainrule_network_get_info(network, &info));
  CHECK(info.seed == 7);
  CHECK_OK(chainrule_network_destroy(network));
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  CHECK(chainrule_abi_version() == CHAINRULE_ABI_VERSION);
  CHECK(strcmp(chainrule_version(), CHAINRULE_VERSION) == 0);
  CHECK(chainrule_network_create(NULL, 1, NULL, NULL) == CHAINRULE_ERROR_ARGUMENT);
  CHECK(strlen(chainrule_last_error()) > 0);
  make_data();
  check_training_and_prediction();
  check_parameters_and_copies();
  check_normalization_and_sparse_rows();
  check_files();
  check_rows_that_are_read();
  check_training_on_all_rows(pixel_rows(), class_labels());
  check_golden_file(argv[1]);
  if (failures > 0) return EXIT_FAILURE;
  printf("C interface, ABI %u: ok\n", (unsigned)chainrule_abi_version());
  return EXIT_SUCCESS;
}
