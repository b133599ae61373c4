// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "chainrule/quantization.hpp"
#include "engine/buffer.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// The weights of an inference plan's products, in bfloat16 or int8 (kernels/small_args.hpp).
class SmallWeights {
 public:
  SmallWeights(const kernels::KernelTable<float>& kernels, Quantization quantization)
      : kernels_(kernels), quantization_(std::move(quantization)) {}

  /// Takes the next product, whose pointers stay valid. Throws Error where it
  /// has too many inputs for int8.
  void add(const kernels::RowArgs<float>& product);
  /// After the last product. Throws Error unless there is a range for each.
  void check_ranges() const;
  /// Takes over the present weights. Throws Error where those for int8 are not finite.
  void pack();

  std::int64_t scratch_bytes(std::int64_t product, std::int64_t rows) const;
  /// `terms`: null, or room for a list of the nonzero inputs. x, y: rows x inputs and outputs
  void forward(std::int64_t product, std::int64_t rows, const float* x, std::int64_t x_stride,
               float* y, std::int64_t y_stride, std::int32_t* terms, void* scratch) const noexcept;

 private:
  struct Product {
    kernels::RowArgs<float> whole;
    kernels::SmallProduct small;
    Buffer<std::int32_t> words;
    Buffer<float> scale;
    Buffer<std::int32_t> start;
  };

  void pack_bfloat16(Product& product) const;
  void pack_int8(Product& product, InputRange range) const;

  const kernels::KernelTable<float>& kernels_;
  Quantization quantization_;
  std::vector<Product> products_;
};

}  // namespace chainrule::engine
