// SPDX-License-Identifier: Apache-2.0
// Each column and, behind it, sums of its cosines; the waves are in kernels/periodic.hpp.
#include "chainrule/layers.hpp"
#include "engine/stages/number_embedding.hpp"

namespace chainrule::engine {
namespace {

/// All four parameters have rows for each column of x, so a thread that owns columns of x owns a
/// run of rows in each panel of them.
template <class T>
class PeriodicEmbeddingStage final : public NumberEmbeddingStage<T, kernels::PeriodicBasis> {
 public:
  explicit PeriodicEmbeddingStage(const StageContext<T>& c)
      : NumberEmbeddingStage<T, kernels::PeriodicBasis>(
            c, "periodic", 1, {"frequency", "phase"},
            {c.kernels.periodic_forward, c.kernels.periodic_backward,
             c.kernels.periodic_gradient}) {}

 private:
  kernels::PeriodicBasis<T> basis() const override {
    return {this->trained_basis(0), this->trained_basis(1)};
  }
};

}  // namespace

template <class T>
void add_periodic_embedding(const Layer&, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<PeriodicEmbeddingStage<T>>(context));
}

CHAINRULE_INSTANTIATE_FACTORY(add_periodic_embedding)

}  // namespace chainrule::engine
