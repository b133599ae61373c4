// SPDX-License-Identifier: Apache-2.0
// Trainings in C on rows that a function of the caller's reads, and on chosen rows, against the
// same ones in C++.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "c_training.hpp"

using namespace chainrule;
using namespace chainrule::testing;

namespace {

constexpr std::int64_t kRows = 120;

/// What the library may only read by numbers, and how that went.
struct Table {
  explicit Table(std::int64_t columns_) : columns(columns_) {
    const DataSet data(kRows, columns, 2);
    x.assign(data.x.begin(), data.x.end());
    y.assign(data.targets.begin(), data.targets.end());
  }
  std::int64_t columns;
  std::vector<float> x, y;
  std::vector<float> piece;
  chainrule_rows given{};
  std::int64_t calls = 0, most = 0;
  std::int64_t fails_at = 0, short_at = 0, wide_at = 0;  // the call, counted from 1; 0: none
};

const chainrule_rows* read(void* context, const std::int64_t* numbers, std::int64_t count) {
  auto& table = *static_cast<Table*>(context);
  ++table.calls;
  table.most = std::max(table.most, count);
  if (table.calls == table.fails_at) return nullptr;
  const std::int64_t columns = table.columns;
  table.piece.clear();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto row = table.x.begin() + columns * numbers[i];
    table.piece.insert(table.piece.end(), row, row + columns);
  }
  table.given = c_rows(table.piece, columns);
  if (table.calls == table.short_at) --table.given.rows;
  if (table.calls == table.wide_at) --table.given.columns;
  return &table.given;
}

chainrule_rows elsewhere(std::int64_t columns) {
  chainrule_rows rows{};
  rows.struct_size = sizeof rows;
  rows.rows = kRows;
  rows.columns = columns;
  return rows;
}

chainrule_fit_options options_of(Table& table) {
  chainrule_fit_options o{};
  o.struct_size = sizeof o;
  o.epochs = 2;
  o.batch_size = 7;
  o.context = &table;
  return o;
}

std::string fit(const CTrainer& trainer, const chainrule_rows& x, const std::vector<float>& y,
                const chainrule_fit_options& options, chainrule_epoch_report* last = nullptr) {
  const chainrule_rows values = c_rows(y, 2);
  const chainrule_targets targets = c_targets(&values);
  return refusal(chainrule_trainer_fit(trainer.get(), &x, &targets, &options, last));
}

constexpr const char* kTwoInputs = CHAINRULE_JSON(
    {"nodes": [{"name": "a", "shape": [4]},
               {"name": "b", "shape": [3]},
               {"name": "both", "layer": "concatenate", "inputs": ["a", "b"]},
               {"name": "y", "layer": {"kind": "dense", "units": 2}, "inputs": ["both"]}],
     "outputs": ["y"]});

CNetwork two_inputs() {
  chainrule_network* made = nullptr;
  REQUIRE(chainrule_network_create(kTwoInputs, 7, nullptr, &made) == CHAINRULE_OK);
  return CNetwork(made);
}

}  // namespace

TEST_CASE("C: rows that a function reads train as those in memory do") {
  for (const std::int64_t columns : {4, 7}) {  // of one input, and of two side by side
    for (const bool keep_order : {false, true}) {
      CAPTURE(columns);
      CAPTURE(keep_order);
      Table table(columns);
      const auto network = [&] { return columns == 4 ? c_network() : two_inputs(); };
      const char* const weight = columns == 4 ? "0.weight" : "y.weight";
      const std::size_t count = columns == 4 ? 12 : 14;
      chainrule_epoch_report expected{}, last{};
      expected.struct_size = last.struct_size = sizeof last;
      chainrule_fit_options o = options_of(table);
      o.keep_order = keep_order ? 1 : 0;
      const chainrule_rows in_memory = c_rows(table.x, columns);
      const chainrule_rows values = c_rows(table.y, 2);
      const chainrule_targets targets = c_targets(&values);
      o.validation_x = &in_memory;
      o.validation_y = &targets;
      const CNetwork plain = network();
      REQUIRE(fit(c_trainer(plain, kSgd), in_memory, table.y, o, &expected) == "none");
      CHECK(table.calls == 0);

      const chainrule_rows unread = elsewhere(columns);
      o.validation_x = &unread;
      o.read = o.read_validation = read;
      std::vector<float> outputs(2 * kRows), of_validation(2 * kRows), predicted(2 * kRows);
      o.outputs = outputs.data();
      o.validation_outputs = of_validation.data();
      o.outputs_size = o.validation_outputs_size = 2 * kRows * sizeof(float);
      const CNetwork again = network();
      REQUIRE(fit(c_trainer(again, kSgd), unread, table.y, o, &last) == "none");
      CHECK(c_parameter(again, weight, count) == c_parameter(plain, weight, count));
      CHECK(last.loss == expected.loss);
      CHECK(last.validation_loss == expected.validation_loss);
      REQUIRE(chainrule_network_predict(plain.get(), &in_memory, nullptr, predicted.data(),
                                        2 * kRows * sizeof(float)) == CHAINRULE_OK);
      CHECK(of_validation == predicted);
      CHECK(outputs != predicted);  // those from before the updates
    }
  }
}

TEST_CASE("C: rows that cannot be read take the epoch back") {
  // Of 120 rows the data are looked through in one call for x, one for the validation, and read in
  // shuffled order in 10 calls an epoch.
  for (const auto& [change, text] :
       {std::pair{&Table::fails_at, "CALLBACK: options.read gave NULL for 14 rows, of which row "},
        std::pair{&Table::short_at, "ARGUMENT: read gave 13 rows of 4 numbers, expected 14 of 4"},
        std::pair{&Table::wide_at, "ARGUMENT: read gave 14 rows of 3 numbers, expected 14 of 4"}}) {
    CAPTURE(text);
    Table table(4);
    const CNetwork network = c_network();
    const CTrainer trainer = c_trainer(network, kSgd);
    const chainrule_rows unread = elsewhere(4);
    chainrule_fit_options o = options_of(table);
    o.read = read;
    o.epochs = 1;
    REQUIRE(fit(trainer, unread, table.y, o) == "none");
    CHECK(table.most == kRows);
    const std::vector<float> before = c_parameter(network, "0.weight");
    for (const std::int64_t behind : {2, 5}) {  // behind one of the data and some of the epoch
      table.*change = table.calls + behind;
      CHECK(fit(trainer, unread, table.y, o).find(text) == 0);
      CHECK(table.calls == table.*change);
      CHECK(c_parameter(network, "0.weight") == before);
    }
    CHECK(fit(trainer, unread, table.y, o) == "none");
    CHECK(c_parameter(network, "0.weight") != before);
  }
}

TEST_CASE("C: validation rows that cannot be read take the epoch back") {
  Table table(4);
  const CNetwork network = c_network();
  const CTrainer trainer = c_trainer(network, kSgd);
  const chainrule_rows unread = elsewhere(4), in_memory = c_rows(table.x, 4);
  const chainrule_rows values = c_rows(table.y, 2);
  const chainrule_targets targets = c_targets(&values);
  chainrule_fit_options o = options_of(table);
  o.validation_x = &unread;
  o.validation_y = &targets;
  o.read_validation = read;
  const std::vector<float> before = c_parameter(network, "0.weight");
  table.fails_at = 1;
  const std::string text =
      "CALLBACK: options.read_validation gave NULL for 120 rows, of which row 0 is the first";
  CHECK(fit(trainer, in_memory, table.y, o) == text);
  o.data_checked = 1;
  table.fails_at = 2;
  CHECK(fit(trainer, in_memory, table.y, o) == text);
  CHECK(c_parameter(network, "0.weight") == before);
  table.short_at = 3;
  CHECK(fit(trainer, in_memory, table.y, o) ==
        "ARGUMENT: read gave 119 rows of 4 numbers, expected 120 of 4");
  CHECK(c_parameter(network, "0.weight") == before);
}

TEST_CASE("C: an epoch stays behind an error where the caller keeps it") {
  struct Keeping : Table {
    Keeping() : Table(4) {}
    std::vector<std::string> errors;
    int answer = 0;
  };
  for (const int answer : {0, 1}) {
    for (const bool whole : {false, true}) {
      CAPTURE(answer);
      CAPTURE(whole);
      Keeping table;
      table.answer = answer;
      const CNetwork network = c_network();
      const CTrainer trainer = c_trainer(network, kSgd);
      const std::vector<float> before = c_parameter(network, "0.weight");
      const chainrule_rows unread = elsewhere(4), in_memory = c_rows(table.x, 4);
      const chainrule_rows values = c_rows(table.y, 2);
      const chainrule_targets targets = c_targets(&values);
      chainrule_fit_options o = options_of(table);
      o.epochs = 1;
      o.data_checked = 1;
      if (whole) {
        o.validation_x = &unread;
        o.validation_y = &targets;
        o.read_validation = read;
        table.fails_at = 1;
      } else {
        o.read = read;
        table.fails_at = 3;  // behind two of ten parts
      }
      o.keeps = [](void* context, chainrule_status status) {
        auto& keeping = *static_cast<Keeping*>(static_cast<Table*>(context));
        keeping.errors.push_back(refusal(status));
        return keeping.answer;
      };
      const std::string error = fit(trainer, whole ? in_memory : unread, table.y, o);
      CHECK(error.find("CALLBACK: options.read") == 0);
      CHECK(table.errors == (whole ? std::vector{error} : std::vector<std::string>{}));
      const bool stays = whole && answer != 0;
      CHECK((c_parameter(network, "0.weight") != before) == stays);
      chainrule_epoch_report next{};
      next.struct_size = sizeof next;
      table.fails_at = 0;
      REQUIRE(fit(trainer, whole ? in_memory : unread, table.y, o, &next) == "none");
      CHECK(next.epoch == (stays ? 2 : 1));
    }
  }
}

TEST_CASE("C: what is to be read must not be there, and what is not must be") {
  Table table(4);
  const CNetwork network = c_network();
  const CTrainer trainer = c_trainer(network, kSgd);
  chainrule_fit_options o = options_of(table);
  chainrule_rows unread = elsewhere(4);
  CHECK(fit(trainer, unread, table.y, o) ==
        "ARGUMENT: x.type is 0, expected CHAINRULE_FLOAT32, "
        "CHAINRULE_FLOAT64, CHAINRULE_UINT8, CHAINRULE_INT32 or "
        "CHAINRULE_INT64");
  o.read = read;
  CHECK(fit(trainer, c_rows(table.x, 4), table.y, o) ==
        "ARGUMENT: x has data, which must be NULL where rows are to be read");
  unread.columns = 5;
  CHECK(fit(trainer, unread, table.y, o) == "ARGUMENT: x has 5 columns; the network expects 4");
  unread.columns = 4;
  unread.rows = kRows + 1;
  CHECK(fit(trainer, unread, table.y, o).find("121 rows") != std::string::npos);
  unread.rows = -1;
  CHECK(fit(trainer, unread, table.y, o) == "ARGUMENT: x has -1 rows of 4 columns");
  table.x[4 * 17 + 2] = std::numeric_limits<float>::quiet_NaN();
  CHECK(fit(trainer, elsewhere(4), table.y, o).find("ARGUMENT: x must be finite") == 0);
  CHECK(table.calls == 1);
}

TEST_CASE("C: chosen rows train and validate as a table of them does") {
  Table table(4);
  std::vector<std::int64_t> chosen, held;
  std::vector<float> x, y;
  for (std::int64_t i = 0; i < 50; ++i) {
    chosen.push_back(i * 37 % kRows);
    held.push_back(kRows - 1 - i);
    x.insert(x.end(), table.x.begin() + 4 * chosen.back(), table.x.begin() + 4 * chosen.back() + 4);
    y.insert(y.end(), table.y.begin() + 2 * chosen.back(), table.y.begin() + 2 * chosen.back() + 2);
  }
  const CNetwork plain = c_network(), network = c_network();
  chainrule_fit_options o = options_of(table);
  REQUIRE(fit(c_trainer(plain, kSgd), c_rows(x, 4), y, o) == "none");

  const chainrule_rows all = c_rows(table.x, 4), values = c_rows(table.y, 2);
  const chainrule_targets targets = c_targets(&values);
  std::vector<float> of_validation(2 * held.size()), predicted(2 * kRows);
  o.row_numbers = chosen.data();
  o.row_numbers_count = 50;
  o.validation_x = &all;
  o.validation_y = &targets;
  o.validation_row_numbers = held.data();
  o.validation_row_numbers_count = 50;
  o.validation_outputs = of_validation.data();
  o.validation_outputs_size = of_validation.size() * sizeof(float);
  const CTrainer trainer = c_trainer(network, kSgd);
  REQUIRE(fit(trainer, all, table.y, o) == "none");
  const std::vector<float> trained = c_parameter(network, "0.weight");
  CHECK(trained == c_parameter(plain, "0.weight"));
  REQUIRE(chainrule_network_predict(network.get(), &all, nullptr, predicted.data(),
                                    predicted.size() * sizeof(float)) == CHAINRULE_OK);
  for (std::size_t i = 0; i < held.size(); ++i)
    CHECK(of_validation[2 * i + 1] == predicted[2 * static_cast<std::size_t>(held[i]) + 1]);

  chosen[9] = kRows;
  CHECK(fit(trainer, all, table.y, o).find("ARGUMENT: rows") == 0);
  o.row_numbers_count = 0;
  CHECK(fit(trainer, all, table.y, o) ==
        "ARGUMENT: options.row_numbers is a list and row_numbers_count 0");
  o.row_numbers = nullptr;
  o.row_numbers_count = 3;
  CHECK(fit(trainer, all, table.y, o) ==
        "ARGUMENT: options.row_numbers is NULL and row_numbers_count 3");
  o.row_numbers = chosen.data();
  o.read = read;
  chosen[9] = 0;
  CHECK(fit(trainer, elsewhere(4), table.y, o) == "ARGUMENT: rows need an x that is in memory");
  CHECK(c_parameter(network, "0.weight") == trained);
}
