// SPDX-License-Identifier: Apache-2.0
#include "c_api/views.hpp"

#include <string>

#include "c_api/options.hpp"
#include "chainrule/error.hpp"

namespace chainrule::c_api {
namespace {

DataType data_type(chainrule_type given, const std::string& name) {
  switch (given) {
    case CHAINRULE_FLOAT32:
      return DataType::float32;
    case CHAINRULE_FLOAT64:
      return DataType::float64;
    case CHAINRULE_UINT8:
      return DataType::uint8;
    case CHAINRULE_INT32:
      return DataType::int32;
    case CHAINRULE_INT64:
      return DataType::int64;
    default:
      throw Error(name + ".type is " + std::to_string(given) +
                  ", expected CHAINRULE_FLOAT32, CHAINRULE_FLOAT64, CHAINRULE_UINT8, "
                  "CHAINRULE_INT32 or CHAINRULE_INT64");
  }
}

std::int64_t size_of(DataType type) {
  switch (type) {
    case DataType::uint8:
      return 1;
    case DataType::float32:
    case DataType::int32:
      return 4;
    case DataType::float64:
    case DataType::int64:
      break;
  }
  return 8;
}

bool is_wide(chainrule_type given, const std::string& name) {
  if (given != 0 && given != CHAINRULE_INT32 && given != CHAINRULE_INT64)
    throw Error(name + " is " + std::to_string(given) +
                ", expected CHAINRULE_INT32 or CHAINRULE_INT64");
  return given == CHAINRULE_INT64;
}

void read_compressed(const chainrule_rows& given, const std::string& name, RowsView& view) {
  view.offsets = given.offsets;
  view.indices = given.indices;
  view.stored = given.stored;
  view.wide_offsets = is_wide(given.offsets_type, name + ".offsets_type");
  view.wide_indices = is_wide(given.indices_type, name + ".indices_type");
  if (given.stored > 0) {
    require_non_null(given.data, (name + ".data").c_str());
    require_non_null(given.indices, (name + ".indices").c_str());
  }
  check_compressed(view, name.c_str());
  if (!has_rising_indices(view))
    throw Error(name + ": the column indices of each compressed row must rise");
}

RowsView sized_view(const chainrule_rows& given, const std::string& name) {
  if (given.rows < 0 || given.columns < 1)
    throw Error(name + " has " + std::to_string(given.rows) + " rows of " +
                std::to_string(given.columns) + " columns");
  RowsView view;
  view.rows = given.rows;
  view.columns = given.columns;
  return view;
}

}  // namespace

RowsView unread_view(const chainrule_rows* rows, const char* name) {
  const chainrule_rows given = read_structure(rows, name);
  if (given.data != nullptr || given.offsets != nullptr)
    throw Error(std::string(name) + " has data, which must be NULL where rows are to be read");
  return sized_view(given, name);
}

RowsView rows_view(const chainrule_rows* rows, const char* name_) {
  const chainrule_rows given = read_structure(rows, name_);
  const std::string name = name_;
  RowsView view = sized_view(given, name);
  view.data = given.data;
  view.type = data_type(given.type, name);
  if (given.offsets != nullptr) {
    read_compressed(given, name, view);
    return view;
  }
  if (given.rows > 0) require_non_null(given.data, (name + ".data").c_str());
  view.column_stride = given.column_stride != 0 ? given.column_stride : size_of(view.type);
  view.row_stride = given.row_stride;
  if (view.row_stride == 0 &&
      __builtin_mul_overflow(given.columns, view.column_stride, &view.row_stride))
    throw Error(name + " has " + std::to_string(given.columns) + " columns, too many");
  return view;
}

namespace {

TargetsView targets_view(const chainrule_targets* targets, const std::string& name) {
  const chainrule_targets given = read_structure(targets, name.c_str());
  if ((given.labels == nullptr) == (given.values == nullptr))
    throw Error(name + (given.labels == nullptr ? " has neither labels nor values"
                                                : " has both labels and values"));
  TargetsView view;
  view.labels = given.labels;
  view.sample_weights = given.sample_weights;
  view.class_weights = given.class_weights;
  view.classes = given.classes;
  view.rows = given.rows;
  if (given.label_positions < 0 || given.weight_positions < 0)
    throw Error(name + " has " +
                (given.label_positions < 0
                     ? "label_positions " + std::to_string(given.label_positions)
                     : "weight_positions " + std::to_string(given.weight_positions)) +
                ", expected 0 or more");
  if (given.label_positions > 0) view.label_positions = given.label_positions;
  if (given.weight_positions > 0) view.weight_positions = given.weight_positions;
  if (given.values == nullptr) return view;
  const std::string values = name + ".values";
  view.values = rows_view(given.values, values.c_str());
  if (view.rows == 0) view.rows = view.values.rows;
  return view;
}

}  // namespace

std::vector<TargetsView> targets_views(const chainrule_targets* targets, std::size_t outputs,
                                       const char* name) {
  std::vector<TargetsView> views;
  const auto* next = reinterpret_cast<const char*>(targets);
  for (std::size_t i = 0; i < outputs; ++i) {
    const auto* given = reinterpret_cast<const chainrule_targets*>(next);
    std::string part = name;
    if (outputs > 1) part.append("[").append(std::to_string(i)).append("]");
    views.push_back(targets_view(given, part));
    next += given->struct_size;
  }
  return views;
}

InputSparsity input_sparsity(chainrule_sparsity given) {
  switch (given) {
    case CHAINRULE_SPARSITY_AUTO:
      return InputSparsity::automatic;
    case CHAINRULE_SPARSITY_DENSE:
      return InputSparsity::dense;
    case CHAINRULE_SPARSITY_SPARSE:
      return InputSparsity::sparse;
    default:
      throw Error("input_sparsity is " + std::to_string(given) +
                  ", expected CHAINRULE_SPARSITY_AUTO, CHAINRULE_SPARSITY_DENSE or "
                  "CHAINRULE_SPARSITY_SPARSE");
  }
}

}  // namespace chainrule::c_api
