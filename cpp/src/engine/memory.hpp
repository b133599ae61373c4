// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace chainrule::engine {

/// Zeros, aligned like rows. Large blocks ask for large pages, since the products' strides would
/// touch more small ones than a processor remembers; under Linux no thread has touched them yet, so
/// each page comes to lie in the memory of the processor whose thread first writes to it. Throws
/// std::bad_alloc.
void* allocate(std::size_t bytes);
void release(void* memory, std::size_t bytes) noexcept;

}  // namespace chainrule::engine
