// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model_file/byte_source.hpp"
#include "model_file/tensor.hpp"

namespace chainrule::model_file {

/// The checksum of a description and the tensors, which must be sorted by their names: the CRC-32
/// of the description, and for each tensor "<name> <float32|float64> <shape>" and its bytes; eight
/// hexadecimal digits. It does not depend on the order in which tensors lie in the file.
std::string checksum(std::string_view description, const std::vector<Tensor>& tensors,
                     ByteSource& source);

}  // namespace chainrule::model_file
