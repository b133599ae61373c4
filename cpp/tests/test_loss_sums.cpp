// SPDX-License-Identifier: Apache-2.0
// Losses added up over several calls.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Opt = Optimizer::Kind;

}  // namespace

TEST_CASE("the mean loss of rows that come in several calls has the bits of that of one call") {
  const DataSet data(23, 4, 3);
  for (const bool weighted : {false, true}) {
    CAPTURE(weighted);
    TargetsView y = data.by_label();
    std::vector<double> weights = data.weights;
    // So that the pieces differ in their largest weight.
    for (size_t i = 0; i < weights.size(); ++i) weights[i] *= i < 10 ? 1.0 : 1e9;
    if (weighted) y.sample_weights = weights.data();
    Network<double> whole({dense(3)}, 4, 2), pieces({dense(3)}, 4, 2);
    EpochOptions o = options(5);
    o.shuffle = false;
    const EpochResult expected =
        whole.run_epoch(data.inputs_view(), y, cross_entropy(), optimizer(Opt::sgd, 0.1), o);
    o.losses_before = LossSums();
    EpochResult result;
    for (const int64_t first : {0, 10, 20}) {
      const int64_t rows = first < 20 ? 10 : 3;
      const RowsView x = view(data.x.data() + first * 4, rows, 4);
      TargetsView part = y;
      part.rows = rows;
      part.labels += first;
      if (weighted) part.sample_weights += first;
      o.whole_epoch = first == 20;
      result = pieces.run_epoch(x, part, cross_entropy(), optimizer(Opt::sgd, 0.1), o);
      o.losses_before = result.epoch_losses;
    }
    CHECK(result.epoch_loss == expected.epoch_loss);
    CHECK(result.epoch_loss != result.loss);
    CHECK(Snapshot<double>(pieces) == Snapshot<double>(whole));
  }
}
