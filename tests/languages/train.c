/* SPDX-License-Identifier: Apache-2.0 */
/* Does what train.cpp does, through the C interface. */
#include <stdio.h>
#include <stdlib.h>

#include "chainrule/chainrule.h"

static void check(chainrule_status status) {
  if (status == CHAINRULE_OK) return;
  fprintf(stderr, "%s: %s\n", chainrule_status_name(status), chainrule_last_error());
  exit(1);
}

static void* content(const char* path, size_t size) {
  void* values = malloc(size);
  FILE* file = fopen(path, "rb");
  if (!values || !file || fread(values, 1, size, file) != size) exit(3);
  fclose(file);
  return values;
}

static int print(void* context, const chainrule_epoch_report* report) {
  (void)context;
  printf("%a %a\n", report->loss, report->validation_loss);
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  chainrule_network* network = NULL;
  check(chainrule_network_load(argv[1], &network));
  chainrule_network_info info = {.struct_size = sizeof info};
  check(chainrule_network_get_info(network, &info));
  const int64_t rows = atol(argv[4]);
  double* values = content(argv[2], (size_t)(rows * info.inputs) * sizeof(double));
  int64_t* labels = content(argv[3], (size_t)rows * sizeof(int64_t));
  const chainrule_rows x = {.struct_size = sizeof x,
                            .data = values,
                            .type = CHAINRULE_FLOAT64,
                            .rows = rows,
                            .columns = info.inputs};
  const chainrule_targets y = {.struct_size = sizeof y, .labels = labels, .rows = rows};
  chainrule_trainer* trainer = NULL;
  check(chainrule_trainer_create(network, NULL, &trainer));
  const chainrule_fit_options options = {.struct_size = sizeof options,
                                         .epochs = atol(argv[5]),
                                         .batch_size = 16,
                                         .validation_x = &x,
                                         .validation_y = &y,
                                         .on_epoch = print};
  check(chainrule_trainer_fit(trainer, &x, &y, &options, NULL));
  check(chainrule_trainer_save(trainer, argv[6]));
  check(chainrule_trainer_destroy(trainer));
  check(chainrule_network_destroy(network));
  free(values);
  free(labels);
  return 0;
}
