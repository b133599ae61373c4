// SPDX-License-Identifier: Apache-2.0
// Sums of each column's places in its bins, which are in kernels/piecewise_linear.hpp.
#include <cmath>
#include <limits>

#include "chainrule/layers.hpp"
#include "engine/stages/number_embedding.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class PiecewiseLinearEmbeddingStage final
    : public NumberEmbeddingStage<T, kernels::PiecewiseLinearBasis> {
 public:
  explicit PiecewiseLinearEmbeddingStage(const StageContext<T>& c)
      : NumberEmbeddingStage<T, kernels::PiecewiseLinearBasis>(
            c, "piecewise linear", 0, {},
            {c.kernels.piecewise_linear_forward, c.kernels.piecewise_linear_backward,
             c.kernels.piecewise_linear_gradient}),
        edges_(c.parameters.find(c.owner, "edges")),
        rows_(edges_->spec.shape.size()) {
    for (Buffer<T>* array : {&edge_, &rate_, &low_, &high_})
      *array = Buffer<T>(this->columns_ * padded<T>(this->basis_shape().columns));
  }

  /// From edges (columns x (bins + 1)) to the bins' arrays (columns x bins).
  void refresh() override {
    Parameters<T>::unpack(*edges_, this->parameters_.values.data(), rows_.data());
    const std::int64_t bins = this->basis_shape().columns;
    for (std::int64_t j = 0; j < this->columns_; ++j) set_bins(j, rows_.data() + j * (bins + 1));
  }

 private:
  void set_bins(std::int64_t j, const T* edges) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const kernels::PanelShape& s = this->basis_shape();
    std::int64_t first = -1, last = -1;
    for (std::int64_t k = 0; k < s.columns; ++k) {
      const std::int64_t at = s.index(j, k);
      const double width = static_cast<double>(edges[k + 1]) - static_cast<double>(edges[k]);
      const T rate = width > 0.0 ? static_cast<T>(1.0 / width) : T(0);
      const bool counts = std::isfinite(static_cast<double>(rate)) && rate > T(0);
      edge_.data()[at] = low_.data()[at] = edges[k];
      high_.data()[at] = edges[k + 1];
      rate_.data()[at] = counts ? rate : T(0);
      if (!counts) continue;
      if (first < 0) first = k;
      last = k;
    }
    // A column of one value is only centred, as by a Normalization.
    if (first < 0) rate_.data()[s.index(j, first = last = 0)] = T(1);
    low_.data()[s.index(j, first)] = T(-infinity);
    high_.data()[s.index(j, last)] = T(infinity);
  }

  kernels::PiecewiseLinearBasis<T> basis() const override {
    return {edge_.data(), rate_.data(), low_.data(), high_.data()};
  }

  const Parameter* edges_;
  Buffer<T> rows_;  // the edges, row-major
  Buffer<T> edge_, rate_, low_, high_;
};

}  // namespace

template <class T>
void add_piecewise_linear_embedding(const Layer&, const StageContext<T>& context,
                                    Stages<T>& stages) {
  stages.push_back(std::make_unique<PiecewiseLinearEmbeddingStage<T>>(context));
}

CHAINRULE_INSTANTIATE_FACTORY(add_piecewise_linear_embedding)

}  // namespace chainrule::engine
