// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "chainrule/shape.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// A stage that gives the values of its input, rows of x_columns, in their order as rows of another
/// shape. Public within the engine because callers have flat rows: a plan reshapes what comes in
/// and goes out.
template <class T>
std::unique_ptr<Stage<T>> make_reshape(const kernels::KernelTable<T>& kernels,
                                       std::int64_t x_columns, const Shape& to);

}  // namespace chainrule::engine
