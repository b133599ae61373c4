// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "chainrule/random.hpp"

namespace chainrule::model {

/// Fills `values` (rows x columns, row-major) with `gain` times a matrix whose columns (rows where
/// those are fewer) are orthonormal, uniform among all such matrices.
///
/// It is the Q of the QR decomposition of a matrix of standard normals with the diagonal of R made
/// positive, without which Q would not be uniform: Mezzadri, "How to generate random matrices from
/// the classical compact groups", Notices of the AMS 54, 2007.
void fill_orthogonal(double* values, std::int64_t rows, std::int64_t columns, double gain,
                     RandomStream& random);

}  // namespace chainrule::model
