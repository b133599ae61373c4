// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "chainrule/optimizer.hpp"
#include "engine/optimizer/active_rows.hpp"
#include "engine/optimizer/nonzero_state_rows.hpp"

namespace {

using namespace chainrule::engine;
using chainrule::Optimizer;

constexpr int64_t kInputs = 67;
constexpr int64_t kColumns = 45;
constexpr int64_t kPanel = 32;

Parameter matrix() {
  Parameter p;
  p.name = "0.weight";
  p.spec.shape = {kInputs, kColumns};
  p.shape = {kInputs, kColumns, kPanel, chainrule::kernels::kRowAlignment<float>};
  p.offset = 64;
  p.size = kInputs * padded<float>(kColumns);
  return p;
}

/// Where the arena has row `row`, column `column`.
int64_t place(const Parameter& p, int64_t row, int64_t column) {
  const int64_t first = column / kPanel * kPanel;
  const int64_t width = first == 0 ? kPanel : padded<float>(kColumns - kPanel);
  return p.offset + first * kInputs + row * width + column - first;
}

/// As they begin in the list of a batch whose input j has j % 3 entries, but for long gaps.
std::vector<int32_t> begins() {
  std::vector<int32_t> begin{0};
  for (int32_t j = 0; j < kInputs; ++j)
    begin.push_back(begin.back() + (j > 20 && j < 50 ? 0 : j % 3));
  return begin;
}

Optimizer adam() { return Optimizer::defaults(Optimizer::Kind::adam); }

std::vector<int64_t> listed(const ActiveRows& active, Range inputs, int64_t longest) {
  std::vector<int64_t> all;
  for (Range run = active.first_run(inputs, longest); run.size() > 0;
       run = active.first_run({run.end, inputs.end}, longest)) {
    CHECK(run.size() <= longest);
    for (int64_t j = run.begin; j < run.end; ++j) all.push_back(j);
  }
  return all;
}

}  // namespace

TEST_CASE("rows are touched when any bit of their state is set") {
  const Parameter p = matrix();
  std::vector<Buffer<float>> slots;
  for (int i = 0; i < 2; ++i) slots.emplace_back(p.offset + p.size);
  slots[0].data()[place(p, 3, 0)] = 1.0F;
  slots[1].data()[place(p, 5, kColumns - 1)] = -0.0F;
  slots[1].data()[p.offset - 1] = 1.0F;  // of another parameter
  NonzeroStateRows nonzero_state;
  CHECK(nonzero_state.of(p) == nullptr);
  nonzero_state.find(p, slots);
  for (int64_t j = 0; j < kInputs; ++j) CHECK(int{nonzero_state.of(p)[j]} == int{j == 3 || j == 5});
  Parameter other = p;
  other.offset = 0;
  CHECK(nonzero_state.of(other) == nullptr);

  slots[0].data()[place(p, 9, 1)] = 1.0F;
  nonzero_state.find(p, slots);
  CHECK(int{nonzero_state.of(p)[9]} == 0);  // known already
  NonzeroStateRows copy;
  copy.copy_from(nonzero_state);
  nonzero_state.forget();
  CHECK(nonzero_state.of(p) == nullptr);
  nonzero_state.find(p, slots);
  CHECK(int{nonzero_state.of(p)[9]} == 1);
  CHECK(int{copy.of(p)[3]} == 1);
  CHECK(int{copy.of(p)[9]} == 0);
}

TEST_CASE("the update comes to inputs with entries, and to those that the optimizer moves anyway") {
  const Parameter p = matrix();
  const std::vector<int32_t> begin = begins();
  NonzeroStateRows nonzero_state;
  Optimizer rule = adam();
  Update<float> update;
  update.optimizer = &rule;
  update.nonzero_state = &nonzero_state;
  const auto expected = [&](Range inputs, auto also) {
    std::vector<int64_t> all;
    for (int64_t j = inputs.begin; j < inputs.end; ++j) {
      const auto i = static_cast<size_t>(j);
      if (begin[i] != begin[i + 1] || also(j)) all.push_back(j);
    }
    return all;
  };
  const auto check = [&](const Update<float>* u, auto also) {
    for (const Range inputs : {Range{0, kInputs}, Range{1, 40}, Range{22, 49}, Range{5, 5}}) {
      for (const int64_t longest : {int64_t{1}, int64_t{7}, kInputs}) {
        CAPTURE(longest);
        CHECK(listed(ActiveRows(u, p, begin.data()), inputs, longest) == expected(inputs, also));
      }
    }
  };
  const auto every = [](int64_t) { return true; };
  check(nullptr, every);
  check(&update, every);  // which rows have a state is unknown

  std::vector<Buffer<float>> slots;
  slots.emplace_back(p.offset + p.size);
  slots[0].data()[place(p, 30, 2)] = 1.0F;
  nonzero_state.find(p, slots);
  check(&update, [](int64_t j) { return j == 30; });
  rule.set_weight_decay(0.1);
  check(&update, every);
  rule.set_weight_decay(0.0);
  rule.get<chainrule::Adam>().epsilon = 1e-39;  // zero in the arithmetic of the kernels
  check(&update, every);
  rule = Optimizer::defaults(Optimizer::Kind::sgd);
  check(&update, [](int64_t) { return false; });
  rule.get<chainrule::Sgd>().momentum = 0.5;
  check(&update, [](int64_t j) { return j == 30; });

  ActiveRows::record(update, p, begin.data(), {0, 30});
  ActiveRows::record(update, p, begin.data(), {30, kInputs});
  for (int64_t j = 0; j < kInputs; ++j) {
    const auto i = static_cast<size_t>(j);
    CHECK(int{nonzero_state.of(p)[j]} == int{begin[i] != begin[i + 1] || j == 30});
  }
}
