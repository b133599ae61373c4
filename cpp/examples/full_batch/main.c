/* SPDX-License-Identifier: Apache-2.0 */
/* A curve fitted in C by iterations of all rows at once, which a training loop takes for its
 * epochs: the measurements held back say when it stops and whose weights it keeps. */
#include <chainrule/chainrule.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEASURED = 200, HELD_BACK = 100, ON_THE_CURVE = 500 };

static const char layers[] =
    CHAINRULE_JSON([{"kind": "dense", "units": 12, "activation": "tanh"},
                    {"kind": "dense", "units": 1}]);

/* Leaves the program where a call of chainrule fails. */
static void check(chainrule_status status) {
  if (status == CHAINRULE_OK) return;
  fprintf(stderr, "full_batch: %s: %s\n", chainrule_status_name(status), chainrule_last_error());
  exit(EXIT_FAILURE);
}

/* Uniform in [-1, 1): the same numbers on every machine. */
static double next_number(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 40) / (double)(1 << 23) - 1.0;
}

static double curve(double x) { return x * x + 0.5 * sin(5.0 * x); }

struct measurements {
  double x[MEASURED], y[MEASURED];
  chainrule_rows inputs, values;
  chainrule_targets targets;
};

/* `rows` points of the curve, read up to 0.1 too high or too low. */
static void measure(struct measurements* m, int rows, uint64_t* state) {
  for (int i = 0; i < rows; ++i) {
    m->x[i] = next_number(state);
    m->y[i] = curve(m->x[i]) + 0.1 * next_number(state);
  }
  const chainrule_rows column = {
      .struct_size = sizeof column, .type = CHAINRULE_FLOAT64, .rows = rows, .columns = 1};
  m->inputs = column;
  m->inputs.data = m->x;
  m->values = column;
  m->values.data = m->y;
  m->targets =
      (chainrule_targets){.struct_size = sizeof m->targets, .values = &m->values, .rows = rows};
}

/* An epoch of the training loop. */
static int iterate(void* context, chainrule_loss_sum* losses) {
  chainrule_full_batch_trainer* iterations = context;
  chainrule_iteration_report report = {.struct_size = sizeof report};
  if (chainrule_full_batch_trainer_step(iterations, NULL, 0, &report) != CHAINRULE_OK) return -1;
  if (report.made == 0) return 0; /* nothing makes the loss smaller any more */
  losses[0] = report.losses[0];
  return 1;
}

static int tell(void* context, const chainrule_epoch_report* epoch) {
  (void)context;
  if (epoch->epoch % 10 == 0)
    printf("iteration %2d: loss %.5f, of the measurements held back %.5f\n", (int)epoch->epoch,
           epoch->loss, epoch->validation_loss);
  return 0;
}

/* The root of the mean squared distance between network and curve. */
static double distance(const chainrule_network* network) {
  double x[ON_THE_CURVE], y[ON_THE_CURVE];
  for (int i = 0; i < ON_THE_CURVE; ++i) x[i] = 2.0 * i / (ON_THE_CURVE - 1) - 1.0;
  const chainrule_rows rows = {.struct_size = sizeof rows,
                               .data = x,
                               .type = CHAINRULE_FLOAT64,
                               .rows = ON_THE_CURVE,
                               .columns = 1};
  check(chainrule_network_predict(network, &rows, NULL, y, sizeof y));
  double squares = 0.0;
  for (int i = 0; i < ON_THE_CURVE; ++i) squares += (y[i] - curve(x[i])) * (y[i] - curve(x[i]));
  return sqrt(squares / ON_THE_CURVE);
}

int main(void) {
  static struct measurements fitted, held_back;
  uint64_t state = 1;
  measure(&fitted, MEASURED, &state);
  measure(&held_back, HELD_BACK, &state);

  chainrule_network* network = NULL;
  const chainrule_network_options network_options = {
      .struct_size = sizeof network_options, .type = CHAINRULE_FLOAT64, .seed = 1};
  check(chainrule_network_create(layers, 1, &network_options, &network));

  chainrule_full_batch_trainer* iterations = NULL;
  const chainrule_full_batch_options options = {
      .struct_size = sizeof options,
      .loss = "mse",
      .optimizer = CHAINRULE_JSON({"kind": "levenberg_marquardt", "max_iterations": 100})};
  check(chainrule_full_batch_trainer_create(network, &fitted.inputs, &fitted.targets, &options,
                                            &iterations));

  /* Its own optimizer is for batches, of which there are none. */
  chainrule_trainer* trainer = NULL;
  const chainrule_trainer_options trainer_options = {
      .struct_size = sizeof trainer_options, .loss = "mse", .optimizer = "adam"};
  check(chainrule_trainer_create(network, &trainer_options, &trainer));
  const chainrule_fit_options fit_options = {
      .struct_size = sizeof fit_options,
      .epochs = 100,
      .validation_x = &held_back.inputs,
      .validation_y = &held_back.targets,
      .on_epoch = tell,
      .context = iterations,
      .early_stopping = CHAINRULE_JSON({"kind": "early_stopping", "patience": 10}),
                                       .iterate = iterate};
  check(chainrule_trainer_fit(trainer, &fitted.inputs, &fitted.targets, &fit_options, NULL));

  chainrule_early_stopping_info stopping = {.struct_size = sizeof stopping};
  check(chainrule_trainer_get_early_stopping(trainer, &stopping));
  const double off = distance(network);
  printf("the weights are those of iteration %d; they are off the curve by %.3f\n",
         (int)stopping.best_epoch, off);
  check(chainrule_trainer_destroy(trainer));
  check(chainrule_full_batch_trainer_destroy(iterations));
  check(chainrule_network_destroy(network));
  return off < 0.03 ? EXIT_SUCCESS : EXIT_FAILURE;
}
