// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/parameters.hpp"
#include "engine/second_order/vectors.hpp"

namespace chainrule::engine {

/// The trained parameters of a network as one vector of double: one array behind the other, each
/// row-major, so that sums over it do not depend on the panels of an instruction set.
class ParameterVector {
 public:
  template <class T>
  explicit ParameterVector(const Parameters<T>& parameters) {
    for (const Parameter& p : parameters.list()) {
      if (!p.trained) continue;
      parts_.push_back({p.shape, p.offset, size_, p.spec.l1, p.spec.l2});
      size_ += p.shape.rows * p.shape.columns;
    }
  }

  std::int64_t size() const { return size_; }
  /// Where a trained array begins.
  std::int64_t first_of(const Parameter& p) const {
    for (const Part& part : parts_)
      if (part.offset == p.offset) return part.first;
    return -1;
  }

  /// From an arena of these parameters to the vector, and back.
  template <class T>
  void read(const T* arena, double* vector) const {
    for_each_run([&](std::int64_t in_arena, std::int64_t in_vector, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i)
        vector[in_vector + i] = static_cast<double>(arena[in_arena + i]);
    });
  }
  template <class T>
  void write(const double* vector, T* arena) const {
    for_each_run([&](std::int64_t in_arena, std::int64_t in_vector, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i)
        arena[in_arena + i] = static_cast<T>(vector[in_vector + i]);
    });
  }

  bool has_l1() const {
    for (const Part& part : parts_)
      if (part.l1 != 0.0) return true;
    return false;
  }
  bool has_l2() const {
    for (const Part& part : parts_)
      if (part.l2 != 0.0) return true;
    return false;
  }
  /// The penalties l1 * sum |w| + l2 * sum w^2 at w, whose gradient is added to `gradient`; and for
  /// each parameter half the second derivative.
  double add_penalties(const Vector& w, Vector& gradient) const;
  void add_curvatures(Vector& diagonal) const;

 private:
  /// A trained array, and where it lies.
  struct Part {
    kernels::PanelShape shape;
    std::int64_t offset;  // in the arena
    std::int64_t first;   // in the vector
    double l1, l2;

    std::int64_t end() const { return first + shape.rows * shape.columns; }
  };

  /// Calls visit(place in the arena, place in the vector, count) for neighbours in both.
  template <class Visit>
  void for_each_run(Visit visit) const {
    for (const Part& part : parts_) {
      const kernels::PanelShape& s = part.shape;
      for (std::int64_t panel = 0; panel < s.panels(); ++panel) {
        const std::int64_t column = panel * s.panel;
        const std::int64_t width = s.width(panel);
        const std::int64_t count = s.own_columns(panel);
        for (std::int64_t row = 0; row < s.rows; ++row)
          visit(part.offset + s.offset(panel) + row * width, part.first + row * s.columns + column,
                count);
      }
    }
  }

  std::vector<Part> parts_;
  std::int64_t size_ = 0;
};

}  // namespace chainrule::engine
