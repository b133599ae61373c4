// SPDX-License-Identifier: Apache-2.0
// Structures that a C caller filled wrongly: a status with a text that names the member.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "c_handles.hpp"

using namespace chainrule::testing;

TEST_CASE("C: structures of other sizes") {
  Rig r;
  chainrule_fit_options o{};
  CHECK(r.fit(&o).find("options.struct_size is 0") != std::string::npos);
  o.struct_size = offsetof(chainrule_fit_options, early_stopping) - 1;
  CHECK(r.fit(&o).find("set it to the sizeof") != std::string::npos);
  o.struct_size = std::numeric_limits<std::size_t>::max();
  CHECK(r.fit(&o).find("struct_size") != std::string::npos);

  // A later version's.
  struct {
    chainrule_fit_options known;
    std::int64_t unknown;
  } later{};
  later.known.struct_size = sizeof later;
  CHECK(r.fit(&later.known) == "none");
  later.unknown = 1;
  CHECK(r.fit(&later.known).find("options sets a member that chainrule") != std::string::npos);
  struct {
    chainrule_network_info known;
    std::int64_t unknown;
  } info{};
  info.known.struct_size = sizeof info;
  info.unknown = 7;
  CHECK(chainrule_network_get_info(r.network.get(), &info.known) == CHAINRULE_OK);
  CHECK(info.known.struct_size == sizeof info);
  CHECK(info.known.inputs == 4);
  CHECK(info.unknown == 7);

  r.rows.struct_size = 3;
  CHECK(r.fit().find("x.struct_size is 3") != std::string::npos);
}

TEST_CASE("C: tables that cannot be what they say") {
  const auto with = [](const auto& change) {
    Rig r;
    change(r);
    return r.fit();
  };
  CHECK(with([](Rig&) {}) == "none");
  CHECK(with([](Rig& r) { r.rows.data = nullptr; }) == "ARGUMENT: x.data is NULL");
  CHECK(with([](Rig& r) { r.rows.type = 9; }).find("x.type is 9") != std::string::npos);
  CHECK(with([](Rig& r) { r.rows.type = 0; }).find("x.type is 0") != std::string::npos);
  CHECK(with([](Rig& r) { r.rows.rows = -1; }) == "ARGUMENT: x has -1 rows of 4 columns");
  CHECK(with([](Rig& r) { r.rows.rows = 0; }) == "ARGUMENT: x is empty: it has 0 rows");
  CHECK(with([](Rig& r) { r.rows.columns = 3; }) ==
        "ARGUMENT: x has 3 columns; the network expects 4");
  CHECK(with([](Rig& r) { r.rows.columns = std::numeric_limits<std::int64_t>::max(); }) ==
        "ARGUMENT: x has 9223372036854775807 columns, too many");
  CHECK(with([](Rig& r) { r.rows.rows = 1; }) == "ARGUMENT: x has 1 rows but y has 2");
  CHECK(with([](Rig& r) { r.targets.values = nullptr; }) ==
        "ARGUMENT: y has neither labels nor values");
  const std::int64_t labels[2] = {0, 1};
  CHECK(with([&](Rig& r) { r.targets.labels = labels; }) ==
        "ARGUMENT: y has both labels and values");
  CHECK(with([&](Rig& r) {
          r.targets.labels = labels;
          r.targets.values = nullptr;
          r.targets.rows = 2;
        }).find("not class labels") != std::string::npos);
  const double weights[2] = {1.0, -1.0};
  CHECK(with([&](Rig& r) {
          r.targets.sample_weights = weights;
          r.targets.rows = 2;
        }).find("sample_weight") != std::string::npos);

  const std::int32_t offsets[3] = {0, 1, 2};
  std::int32_t indices[2] = {0, 3};
  const auto compressed = [&](const auto& change) {
    return with([&](Rig& r) {
      r.rows.offsets = offsets;
      r.rows.indices = indices;
      r.rows.stored = 2;
      change(r.rows);
    });
  };
  CHECK(compressed([](chainrule_rows&) {}) == "none");
  CHECK(compressed([](chainrule_rows& x) { x.indices = nullptr; }) ==
        "ARGUMENT: x.indices is NULL");
  CHECK(compressed([](chainrule_rows& x) {
          x.offsets_type = CHAINRULE_FLOAT32;
        }).find("x.offsets_type is 1") != std::string::npos);
  CHECK(compressed([](chainrule_rows& x) { x.stored = 1; }).find("row 1 ends at offset 2") !=
        std::string::npos);
  indices[1] = 4;
  CHECK(compressed([](chainrule_rows&) {}).find("column index 4") != std::string::npos);
  const std::int32_t falling[2] = {3, 0};
  const std::int32_t one_row[2] = {0, 2};
  CHECK(compressed([&](chainrule_rows& x) {
          x.rows = 1;
          x.offsets = one_row;
          x.indices = falling;
        }) == "ARGUMENT: x: the column indices of each compressed row must rise");
}

TEST_CASE("C: options out of range") {
  const auto with = [](const auto& change) {
    Rig r;
    chainrule_fit_options o{};
    o.struct_size = sizeof o;
    change(r, o);
    return r.fit(&o);
  };
  using Options = chainrule_fit_options;
  CHECK(with([](Rig&, Options& o) { o.epochs = -1; }).find("epochs") != std::string::npos);
  CHECK(with([](Rig&, Options& o) { o.batch_size = -1; }).find("batch_size") != std::string::npos);
  CHECK(with([](Rig&, Options& o) { o.num_threads = -1; }) ==
        "ARGUMENT: num_threads is -1, expected 0 or more");
  CHECK(with([](Rig&, Options& o) { o.num_threads = std::int64_t{1} << 40; }) ==
        "ARGUMENT: num_threads is 1099511627776, more than 2147483647");
  CHECK(with([](Rig&, Options& o) { o.input_sparsity = 3; }).find("input_sparsity is 3") !=
        std::string::npos);
  CHECK(with([](Rig& r, Options& o) { o.validation_x = &r.rows; }) ==
        "ARGUMENT: validation_y is NULL");
  CHECK(with([](Rig& r, Options& o) { o.validation_y = &r.targets; }) ==
        "ARGUMENT: validation_x is NULL");
  Rig r;
  chainrule_predictor_options p{};
  p.struct_size = sizeof p;
  p.link = 4;
  chainrule_predictor* made = untouched<chainrule_predictor>;
  CHECK(refusal(chainrule_predictor_create(r.network.get(), &p, &made)).find("link is 4") !=
        std::string::npos);
  CHECK(made == untouched<chainrule_predictor>);
  chainrule_network_options n{};
  n.struct_size = sizeof n;
  n.type = CHAINRULE_UINT8;
  chainrule_network* network = nullptr;
  CHECK(refusal(chainrule_network_create("[\"normalization\"]", 1, &n, &network))
            .find("options.type is 3") != std::string::npos);
  chainrule_scratch* scratch = nullptr;
  CHECK(refusal(chainrule_scratch_create(r.predictor.get(), 0, &scratch)) ==
        "ARGUMENT: rows must be >= 1, got 0");
  CHECK(scratch == nullptr);
  CHECK(std::string(chainrule_status_name(99)) == "unknown status");
}
