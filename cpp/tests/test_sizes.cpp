// SPDX-License-Identifier: Apache-2.0
// Sizes whose products no integer holds are errors before anything is allocated for them.
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <new>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/error.hpp"
#include "chainrule/predictor.hpp"
#include "chainrule/trainer.hpp"
#include "engine/sizes.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
const std::vector<std::int64_t> huge{
    std::int64_t{1} << 48, std::int64_t{1} << 58, std::int64_t{1} << 59, std::int64_t{1} << 60,
    std::int64_t{1} << 61, std::int64_t{1} << 62, largest - 15,          largest};

/// Whether work ends in an error or in std::bad_alloc.
template <class Work>
bool refused(const Work& work) {
  try {
    work();
  } catch (const Error&) {
    return true;
  } catch (const std::bad_alloc&) {
    return true;
  }
  return false;
}

Layers layers() {
  return {Rescaling(0.5),       dense(3, Activation::Kind::relu),
          BatchNormalization(), Dropout(0.5),
          LayerNormalization(), dense(2)};
}

}  // namespace

TEST_CASE("products of sizes that no memory holds") {
  CHECK(engine::checked_product(3, 5) == 15);
  CHECK(engine::checked_product(0, largest) == 0);
  CHECK(engine::checked_product(std::int64_t{1} << 28, std::int64_t{1} << 28) ==
        engine::kMostBytes);
  for (const std::int64_t size : huge)
    if (size > engine::kMostBytes) {
      CHECK(refused([&] { engine::checked_product(size, 1); }));
      CHECK(refused([&] { engine::checked_product(size, 16); }));
      CHECK(refused([&] { engine::check_table_size(size, 1); }));
      CHECK(refused([&] { engine::check_table_size(1, size); }));
    }
}

TEST_CASE("room for more rows than memory holds") {
  const Network<float> network(layers(), 4, 0);
  const Predictor<float> predictor(network);
  for (const std::int64_t rows : huge) {
    CAPTURE(rows);
    CHECK(refused([&] { Predictor<float>::Scratch(predictor, rows); }));
    CHECK(refused([&] { network.plan(rows, 1); }));
  }
}

TEST_CASE("layers of more units, categories and inputs than memory holds") {
  for (const std::int64_t size : huge) {
    CAPTURE(size);
    CHECK(refused([&] { Network<float>({dense(size)}, 4, 0); }));
    CHECK(refused([&] { Network<double>({dense(4)}, size, 0); }));
    CHECK(refused([&] { Network<float>({LayerNormalization(), dense(4)}, size, 0); }));
    CHECK(refused([&] { Network<float>({CategoryEncoding(size), dense(4)}, 4, 0); }));
    CHECK(refused([&] { Network<float>({CategoryEncoding(3), dense(4)}, size, 0); }));
    CHECK(refused([&] { Network<float>({Embedding(size, 4), dense(4)}, 4, 0); }));
    CHECK(refused([&] { Network<float>({Embedding(4, size), dense(4)}, 4, 0); }));
  }
}

TEST_CASE("batches of more rows than there are have those that there are") {
  const std::vector<float> x(12, 0.5f), y(6, 1.0f);
  Network<float> network(layers(), 4, 0);
  Trainer<float> trainer(network, mse(), optimizer(Optimizer::Kind::sgd, 0.1));
  std::vector<float> outputs(6), expected(6);
  for (const std::int64_t rows : huge) {
    CAPTURE(rows);
    FitOptions options;
    options.batch_size = rows;
    options.num_threads = std::numeric_limits<int>::max();
    CHECK(trainer.fit(view(x.data(), 3, 4), targets(view(y.data(), 3, 2)), options).size() == 1);
    network.predict(view(x.data(), 3, 4), 3, 1, expected.data());
    network.predict(view(x.data(), 3, 4), rows, options.num_threads, outputs.data());
    CHECK(outputs == expected);
  }
}

TEST_CASE("zeros are not looked for in batches with more numbers than are counted") {
  // One row over and over, and nothing is allocated for the batch.
  const std::int64_t columns = 1 << 17;
  const std::int64_t rows = (std::int64_t{1} << 31) / columns;
  const std::vector<float> row(static_cast<std::size_t>(columns)), y(1);
  Network<float> network({dense(1)}, columns, 0);
  const RowsView x{row.data(), DataType::float32, 2 * rows, columns, 0, 4};
  const TargetsView t = targets({y.data(), DataType::float32, x.rows, 1, 0, 4});
  EpochOptions options = testing::options(rows);
  options.input_sparsity = InputSparsity::sparse;
  const auto refuses = [](const auto& call) {
    CHECK_THROWS_WITH_AS(
        call(),
        doctest::Contains("a batch of 16384 rows has 131072 columns, more than 2^31 entries"),
        Error);
  };
  refuses([&] { network.run_epoch(x, t, mse(), optimizer(Optimizer::Kind::sgd, 0.1), options); });
  refuses([&] { network.evaluate(x, t, mse(), rows, 1, nullptr, InputSparsity::sparse); });
  refuses([&] { network.plan(rows, 1, x, InputSparsity::sparse); });
  CHECK(network.steps() == 0);
}

TEST_CASE("the C interface refuses them") {
  Rig rig;
  for (const std::int64_t size : huge) {
    CAPTURE(size);
    chainrule_scratch* scratch = untouched<chainrule_scratch>;
    CHECK(chainrule_scratch_create(rig.predictor.get(), size, &scratch) == CHAINRULE_ERROR_MEMORY);
    CHECK(scratch == untouched<chainrule_scratch>);
    chainrule_rows rows = rig.rows;
    rows.rows = size;
    std::vector<float> outputs(4);
    CHECK(chainrule_network_predict(rig.network.get(), &rows, nullptr, outputs.data(), 16) ==
          CHAINRULE_ERROR_ARGUMENT);
    rows = rig.rows;
    rows.columns = size;
    CHECK(chainrule_network_predict(rig.network.get(), &rows, nullptr, outputs.data(), 16) ==
          CHAINRULE_ERROR_ARGUMENT);
    chainrule_network* made = untouched<chainrule_network>;
    CHECK(chainrule_network_create(R"([{"kind": "dense", "units": 3}])", size, nullptr, &made) !=
          CHAINRULE_OK);
    CHECK(made == untouched<chainrule_network>);
    chainrule_predict_options options{};
    options.struct_size = sizeof options;
    options.num_threads = size;
    CHECK(chainrule_network_predict(rig.network.get(), &rig.rows, &options, outputs.data(), 16) ==
          CHAINRULE_ERROR_ARGUMENT);
  }
}
