// SPDX-License-Identifier: Apache-2.0
#include "chainrule/custom_loss.hpp"

#include <atomic>

#include "chainrule/error.hpp"

namespace chainrule {

std::uint64_t CustomLoss::next_number() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void CustomLoss::operator()(const LossBatch<float>& batch) const {
  if (!single_) throw Error("loss '" + name_ + "' is no function of a LossBatch<float>");
  single_(batch);
}

void CustomLoss::operator()(const LossBatch<double>& batch) const {
  if (!double_) throw Error("loss '" + name_ + "' is no function of a LossBatch<double>");
  double_(batch);
}

}  // namespace chainrule
