// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "chainrule/hessian.hpp"
#include "engine/function_ref.hpp"

namespace chainrule::engine {

/// Eigenvalues of a symmetric matrix of `size` rows, given by its product with a vector, as
/// Hessian::eigenvalues says.
HessianEigenvalues lanczos(std::int64_t size,
                           FunctionRef<void(const double* v, double* product)> multiply,
                           const LanczosOptions& options);

}  // namespace chainrule::engine
