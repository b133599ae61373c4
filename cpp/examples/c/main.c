/* SPDX-License-Identifier: Apache-2.0 */
/* A network in C: it learns which points lie between two circles, is saved, comes back from its
 * file, and predicts one point at a time. */
#include <chainrule/chainrule.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { POINTS = 2000, NEW_POINTS = 500 };

static const char layers[] =
    CHAINRULE_JSON([{"kind": "dense", "units": 32, "activation": "relu"},
                    {"kind": "dense", "units": 32, "activation": "relu"},
                    {"kind": "dense", "units": 2}]);

struct point {
  float x, y;
};

/* Leaves the program where a call of chainrule fails. */
static void check(chainrule_status status) {
  if (status == CHAINRULE_OK) return;
  fprintf(stderr, "c: %s: %s\n", chainrule_status_name(status), chainrule_last_error());
  exit(EXIT_FAILURE);
}

/* Uniform in [-1, 1): the same numbers on every machine. */
static float next_number(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (float)(*state >> 40) / (float)(1 << 23) - 1.0f;
}

static int64_t class_of(struct point p) {
  const float radius = sqrtf(p.x * p.x + p.y * p.y);
  return radius > 0.4f && radius < 0.8f;
}

static int report(void* context, const chainrule_epoch_report* epoch) {
  (void)context;
  if (epoch->epoch % 10 == 0) printf("epoch %2d: loss %.4f\n", (int)epoch->epoch, epoch->loss);
  return 0;
}

static void train(const char* path) {
  static struct point points[POINTS];
  static int64_t classes[POINTS];
  uint64_t state = 1;
  for (int i = 0; i < POINTS; ++i) {
    points[i].x = next_number(&state);
    points[i].y = next_number(&state);
    classes[i] = class_of(points[i]);
  }

  chainrule_network* network = NULL;
  const chainrule_network_options network_options = {.struct_size = sizeof network_options,
                                                     .seed = 1};
  check(chainrule_network_create(layers, 2, &network_options, &network));

  chainrule_trainer* trainer = NULL;
  const chainrule_trainer_options trainer_options = {
      .struct_size = sizeof trainer_options,
      .loss = "cross_entropy",
      .optimizer = CHAINRULE_JSON({"kind": "adam", "learning_rate": 0.01})};
  check(chainrule_trainer_create(network, &trainer_options, &trainer));

  /* Read where they are; strides would find them inside larger structures too. */
  const chainrule_rows x = {.struct_size = sizeof x,
                            .data = points,
                            .type = CHAINRULE_FLOAT32,
                            .rows = POINTS,
                            .columns = 2};
  const chainrule_targets y = {.struct_size = sizeof y, .labels = classes, .rows = POINTS};
  const chainrule_fit_options fit_options = {
      .struct_size = sizeof fit_options,
      .epochs = 50,
      .on_epoch = report,
      .early_stopping = CHAINRULE_JSON({"kind": "early_stopping", "monitor": "loss", "patience": 20})};
  check(chainrule_trainer_fit(trainer, &x, &y, &fit_options, NULL));
  chainrule_early_stopping_info stopping = {.struct_size = sizeof stopping};
  check(chainrule_trainer_get_early_stopping(trainer, &stopping));
  printf("the weights are those of epoch %d, loss %.4f\n", (int)stopping.best_epoch, stopping.best);

  check(chainrule_trainer_save(trainer, path));
  check(chainrule_trainer_destroy(trainer));
  check(chainrule_network_destroy(network));
}

static int count_right(const char* path) {
  chainrule_network* network = NULL;
  chainrule_predictor* predictor = NULL;
  chainrule_scratch* scratch = NULL;
  const chainrule_predictor_options options = {.struct_size = sizeof options,
                                               .link = CHAINRULE_LINK_SOFTMAX};
  check(chainrule_network_load(path, &network));
  check(chainrule_predictor_create(network, &options, &predictor));
  check(chainrule_scratch_create(predictor, 1, &scratch));
  check(chainrule_network_destroy(network)); /* the predictor has the weights */

  int right = 0;
  uint64_t state = 2;
  for (int i = 0; i < NEW_POINTS; ++i) {
    struct point p;
    float probabilities[2];
    p.x = next_number(&state);
    p.y = next_number(&state);
    check(chainrule_predictor_predict(predictor, scratch, &p, sizeof p, probabilities,
                                      sizeof probabilities));
    right += (probabilities[1] > 0.5f) == class_of(p);
    if (i < 3) printf("(%+.2f, %+.2f): %.3f\n", p.x, p.y, probabilities[1]);
  }
  check(chainrule_scratch_destroy(scratch));
  check(chainrule_predictor_destroy(predictor));
  return right;
}

int main(void) {
  const char* path = "circles.safetensors";
  train(path);
  const int right = count_right(path);
  printf("%d of %d new points are right\n", right, NEW_POINTS);
  return right > NEW_POINTS * 95 / 100 ? EXIT_SUCCESS : EXIT_FAILURE;
}
