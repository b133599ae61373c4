// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace chainrule::engine {

/// Memory aligned like rows; large blocks ask for large pages, since the products' strides would
/// touch more small ones than a processor remembers. Throws std::bad_alloc.
void* allocate(std::size_t bytes);
void release(void* memory, std::size_t bytes);

}  // namespace chainrule::engine
