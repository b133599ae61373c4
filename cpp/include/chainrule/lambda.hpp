// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chainrule/callback.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/layer.hpp"
#include "chainrule/shape.hpp"

namespace chainrule {

/// What the forward function of a Lambda reads, and where it leaves what it gives. Rows lie one
/// behind the other, without padding, in memory that is the engine's: it may be used until the
/// function returns.
template <class T>
struct LambdaForward {
  std::int64_t rows;
  const Shape& x_shape;  // of a row
  const Shape& y_shape;
  bool training;
  const T* x;  // rows x x_shape.size()
  T* y;        // rows x y_shape.size()
};

/// The same of its backward function.
template <class T>
struct LambdaBackward {
  std::int64_t rows;
  const Shape& x_shape;
  const Shape& y_shape;
  const T* x;   // as in the forward pass
  const T* y;   // what forward gave
  const T* dy;  // rows x y_shape.size(): d loss / d y
  T* dx;        // rows x x_shape.size(): d loss / d x
};

/// A layer without parameters that is two functions of the program's own:
///
///     Lambda("sine",
///            [](const auto& pass) {
///              for (std::int64_t i = 0; i < pass.rows * pass.x_shape.size(); ++i)
///                pass.y[i] = std::sin(pass.x[i]);
///            },
///            [](const auto& pass) {
///              for (std::int64_t i = 0; i < pass.rows * pass.x_shape.size(); ++i)
///                pass.dx[i] = pass.dy[i] * std::cos(pass.x[i]);
///            });
///
/// The engine calls them with whole batches on the thread that called the engine, while its other
/// threads wait: it is slow. They may throw: what they throw comes out of the call that they are
/// part of, and the network is as it was before the batch. Copies have the same functions. Its
/// config stands for them as long as a copy exists, in this process alone: no file can hold it, and
/// no Predictor has it.
class CHAINRULE_API Lambda final : public Layer {
 public:
  /// The functions take a LambdaForward and a LambdaBackward of float, of double or of both, as
  /// networks of these types call them. What they give has the shape of what they read.
  template <class Forward, class Backward>
  Lambda(std::string name, const Forward& forward, const Backward& backward)
      : Lambda(made(std::move(name), forward, backward)) {}
  /// The same for rows of another shape.
  template <class Forward, class Backward>
  Lambda(std::string name, const Forward& forward, const Backward& backward,
         const Shape& output_shape)
      : Lambda(made(std::move(name), forward, backward, output_shape.extents())) {}
  Lambda(const Lambda& other);
  Lambda& operator=(Lambda other) noexcept;
  ~Lambda() override;
  /// Throws Error unless a Lambda exists that gave this config.
  static Lambda from_config(const Config& config);

  const std::string& name() const;
  /// Throw Error where the functions take no such numbers.
  void forward(const LambdaForward<float>& pass) const;
  void forward(const LambdaForward<double>& pass) const;
  void backward(const LambdaBackward<float>& pass) const;
  void backward(const LambdaBackward<double>& pass) const;

  std::string_view kind() const override { return "lambda"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;

 private:
  struct Functions {
    std::string name;
    Callback<void(const LambdaForward<float>&)> forward_single;
    Callback<void(const LambdaForward<double>&)> forward_double;
    Callback<void(const LambdaBackward<float>&)> backward_single;
    Callback<void(const LambdaBackward<double>&)> backward_double;
    std::vector<std::int64_t> extents;  // of what they give; empty: those of what they read
    std::int64_t number = 0;
    std::int64_t users = 0;
  };
  class Registry;

  template <class Forward, class Backward>
  static Functions made(std::string name, const Forward& forward, const Backward& backward,
                        std::vector<std::int64_t> extents = {}) {
    Functions functions;
    functions.name = std::move(name);
    functions.extents = std::move(extents);
    if constexpr (requires(const LambdaForward<float>& pass) { forward(pass); })
      functions.forward_single = forward;
    if constexpr (requires(const LambdaForward<double>& pass) { forward(pass); })
      functions.forward_double = forward;
    if constexpr (requires(const LambdaBackward<float>& pass) { backward(pass); })
      functions.backward_single = backward;
    if constexpr (requires(const LambdaBackward<double>& pass) { backward(pass); })
      functions.backward_double = backward;
    return functions;
  }
  explicit Lambda(Functions functions);
  explicit Lambda(Functions* used) : functions_(used) {}

  Functions* functions_;  // shared by copies, which the registry counts
};

}  // namespace chainrule
