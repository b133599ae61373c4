// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace chainrule::model {

/// The x at which the standard normal distribution function is `probability`, for 0 < probability
/// < 1, with a relative error of about 1e-16 (algorithm PPND16).
///
/// It uses + - * / and sqrt alone, all of which IEEE 754 rounds in one way only; with std::log and
/// std::cos, as in Box-Muller, the last bit would differ from one C library to the next.
///
/// Reference: Wichura, "Algorithm AS 241: The percentage points of the normal distribution",
/// Applied Statistics 37, 1988.
double normal_quantile(double probability);

}  // namespace chainrule::model
