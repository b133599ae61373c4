// SPDX-License-Identifier: Apache-2.0
// Trains as the model file MODEL says, on N rows of X and Y (doubles and 64-bit labels, as they lie
// in memory), and saves to RESULT: train MODEL X Y N EPOCHS RESULT. Prints the losses exactly.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <variant>
#include <vector>

#include "chainrule/any_model.hpp"
#include "chainrule/trainer.hpp"

namespace {

template <class V>
std::vector<V> content(const char* path, std::size_t count) {
  std::vector<V> values(count);
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(count * sizeof(V)));
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  chainrule::AnyModel model = chainrule::load_any_model(argv[1]);
  std::visit(
      [&](auto& typed) {
        auto& network = typed.network;
        const auto rows = static_cast<std::size_t>(std::atol(argv[4]));
        const auto x = content<double>(argv[2], rows * static_cast<std::size_t>(network.inputs()));
        const auto y = content<std::int64_t>(argv[3], rows);
        const chainrule::RowsView table = chainrule::view(x, network.inputs());
        auto trainer = chainrule::resume_training(network, typed.training);
        chainrule::FitOptions options;
        options.epochs = std::atol(argv[5]);
        options.batch_size = 16;
        options.validation_x = table;
        options.validation_y = chainrule::labels(y);
        for (const chainrule::EpochReport& report :
             trainer.fit(table, chainrule::labels(y), options))
          std::printf("%a %a\n", report.loss, report.validation_loss);
        chainrule::save_model(argv[6], network, chainrule::training_state(trainer));
      },
      model);
}
