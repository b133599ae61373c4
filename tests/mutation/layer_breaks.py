# SPDX-License-Identifier: Apache-2.0
"""Small breaks of the functions of layers, losses and optimizers, for `core_breaks.py`.

Each is (file under cpp/src, text that occurs there once, new text).
"""

BREAKS: list[tuple[str, str, str]] = [
    # Activations, value and derivative.
    (
        "kernels/activations/relu.hpp",
        "return z < T(0) ? Vec<T>{} : z;",
        "return z <= T(1) ? Vec<T>{} : z;",
    ),
    (
        "kernels/activations/relu.hpp",
        "select<T>(y > T(0), broadcast(T(1)), Vec<T>{});",
        "select<T>(y >= T(0), broadcast(T(1)), Vec<T>{});",
    ),
    (
        "kernels/activations/leaky_relu.hpp",
        "select<T>(z > T(0), broadcast(T(1)), broadcast(negative_slope));",
        "select<T>(z > T(0), broadcast(T(1)), broadcast(-negative_slope));",
    ),
    (
        "kernels/activations/elu.hpp",
        "select<T>(z > T(0), broadcast(T(1)), y + alpha);",
        "select<T>(z > T(0), broadcast(T(1)), y);",
    ),
    (
        "kernels/activations/gelu.hpp",
        "T(0.5) * (T(1) + math::erf<T>(z * kInverseSqrt2));",
        "T(0.5) * (T(1) + math::erf<T>(z));",
    ),
    (
        "kernels/activations/gelu.hpp",
        "math::exp<T>(T(-0.5) * z * z), phi(z));",
        "math::exp<T>(T(-0.5) * z * z), apply(z));",
    ),
    (
        "kernels/activations/gelu_tanh.hpp",
        "kScale * (T(1) + T(3) * kCube * z * z);",
        "kScale * (T(1) + kCube * z * z);",
    ),
    (
        "kernels/activations/silu.hpp",
        "return s * fma(z, T(1) - s, broadcast(T(1)));",
        "return s * fma(z, s, broadcast(T(1)));",
    ),
    ("kernels/activations/sigmoid.hpp", "return y * (T(1) - y); }", "return y * (T(1) + y); }"),
    ("kernels/activations/tanh.hpp", "return T(1) - y * y; }", "return T(1) - y; }"),
    (
        "kernels/activations/softplus.hpp",
        "derivative(Vec<T> z, Vec<T>) const { return math::sigmoid<T>(z); }",
        "derivative(Vec<T> z, Vec<T>) const { return math::tanh<T>(z); }",
    ),
    (
        "kernels/activations/softmax.hpp",
        "load(yi + j) * (load(dyi + j) - inner);",
        "load(yi + j) * load(dyi + j);",
    ),
    ("kernels/activation.hpp", " && f.parameters[0] == T(0))", ")"),
    ("kernels/activations/tail.hpp", "constexpr T kTail = T(1024);", "constexpr T kTail = T(2);"),
    (
        "kernels/activations/selu.hpp",
        "broadcast(kScale), y + kScaledAlpha);",
        "broadcast(kScale), y);",
    ),
    ("kernels/activations/mish.hpp", "(T(1) + e) / (n + T(2)), n)", "e / (n + T(2)), n)"),
    ("kernels/activations/hard_sigmoid.hpp", "(y > T(0)) & (y < T(1))", "(y > T(0))"),
    ("kernels/activations/hard_swish.hpp", "z / T(3) + T(0.5)", "z / T(6) + T(0.5)"),
    ("kernels/activations/relu6.hpp", "(y > T(0)) & (y < T(6))", "(y > T(0)) & (y <= T(6))"),
    ("kernels/activations/softsign.hpp", "return reciprocal * reciprocal;", "return reciprocal;"),
    ("kernels/prelu.hpp", "select<T>(x > T(0), Vec<T>{}, x), sum);", "x, sum);"),
    # Losses.
    ("kernels/losses/mse.hpp", "return T(2) * (z - t); }", "return z - t; }"),
    (
        "kernels/losses/huber.hpp",
        "T(0.5) * d * d, delta * (d - T(0.5) * delta));",
        "T(0.5) * d * d, delta * (d - delta));",
    ),
    ("kernels/losses/huber.hpp", "d, delta * sign<T>(d));", "d, sign<T>(d));"),
    (
        "kernels/losses/binary_cross_entropy.hpp",
        "return math::sigmoid<T>(z) - t;",
        "return math::sigmoid<T>(z) + t;",
    ),
    (
        "kernels/losses/binary_cross_entropy.hpp",
        "(max<T>(z, Vec<T>{}) - z * t)",
        "(max<T>(z, Vec<T>{}) + z * t)",
    ),
    (
        "kernels/losses/hinge.hpp",
        "select<T>(T(1) - s * z > T(0), -s, Vec<T>{});",
        "select<T>(T(1) - s * z > T(0), s, Vec<T>{});",
    ),
    (
        "kernels/losses/quantile.hpp",
        "return max<T>(q * d, (q - T(1)) * d);",
        "return max<T>(q * d, q * d);",
    ),
    (
        "kernels/losses/poisson.hpp",
        "return math::exp<T>(z) - t;",
        "return math::exp<T>(z);",
    ),
    (
        "kernels/loss.hpp",
        "const T scale = weight * f.gradient_scale * inverse_columns;",
        "const T scale = weight * f.gradient_scale;",
    ),
    (
        "kernels/losses/cross_entropy.hpp",
        "if (f.class_weights) target[j] *= f.class_weights[j];",
        "",
    ),
    (
        "kernels/losses/cross_entropy.hpp",
        "scale * (power[j] / total * mass - target[j]));",
        "scale * (power[j] / total - target[j]));",
    ),
    (
        "kernels/losses/cross_entropy.hpp",
        "scale * (p * mass - target(j));",
        "scale * (p - target(j));",
    ),
    (
        "kernels/losses/cross_entropy.hpp",
        "return class_weights ? smoothed * load(class_weights + j) : smoothed;",
        "return smoothed;",
    ),
    # Optimizers.
    ("kernels/update.hpp", "if (l2 != T(0)) g += T(2) * l2 * w;", "if (l2 != T(0)) g += l2 * w;"),
    (
        "kernels/update.hpp",
        "if (l1 != T(0)) g += l1 * sign<T>(w);",
        "if (l1 != T(0)) g -= l1 * sign<T>(w);",
    ),
    ("kernels/update.hpp", "return g * rule.factor;", "return g;"),
    ("kernels/update.hpp", "part.weight += part.size;", ""),
    ("kernels/update.hpp", "if (slot) slot += part.size;", ""),
    ("kernels/optimizers/sgd.hpp", "first_step ? g : momentum * s[0]", "momentum * s[0]"),
    ("kernels/optimizers/sgd.hpp", "g = nesterov ? g + momentum * m : m;", "g = m;"),
    ("kernels/optimizers/adagrad.hpp", "const V s = slots[0] + g * g;", "const V s = g * g;"),
    (
        "kernels/optimizers/adagrad.hpp",
        "(1.0 + (step.t - 1.0) * o.lr_decay)",
        "(1.0 + step.t * o.lr_decay)",
    ),
    (
        "kernels/optimizers/rmsprop.hpp",
        "root = max<T>(v - a * a, V{});",
        "root = max<T>(v - a, V{});",
    ),
    ("kernels/optimizers/rmsprop.hpp", "const V m = momentum * s[1] + d;", "const V m = s[1] + d;"),
    (
        "kernels/optimizers/adam.hpp",
        "s[0] + one_minus_beta1 * (g - s[0]);",
        "s[0] + one_minus_beta1 * g;",
    ),
    ("kernels/optimizers/adam.hpp", "v = max<T>(s[2], v);", "v = s[2];"),
    ("kernels/optimizers/adam.hpp", "(sqrt(v) * correction + epsilon));", "(sqrt(v) + epsilon));"),
    (
        "kernels/optimizers/adam.hpp",
        "step.learning_rate / step.bias_correction(o.beta1)",
        "step.learning_rate",
    ),
    (
        "kernels/optimizers/adam.hpp",
        "1.0 - step.learning_rate * o.weight_decay",
        "1.0 - o.weight_decay",
    ),
    (
        "kernels/optimizers/adadelta.hpp",
        "sqrt(u + epsilon) / sqrt(v + epsilon) * g;",
        "sqrt(u + epsilon) / sqrt(v) * g;",
    ),
    ("kernels/optimizers/lion.hpp", "sign<T>(beta1 * m + one_minus_beta1 * g);", "sign<T>(m);"),
    (
        "kernels/optimizers/lion.hpp",
        "s[0] = beta2 * m + one_minus_beta2 * g;",
        "s[0] = beta1 * m + one_minus_beta1 * g;",
    ),
    (
        "kernels/optimizers/nadam.hpp",
        "step.learning_rate * next / (1.0 - product * next)",
        "step.learning_rate * next / (1.0 - product)",
    ),
    ("kernels/optimizers/radam.hpp", "length > 5.0", "length > 4.0"),
    (
        "kernels/optimizers/lamb.hpp",
        "return w - learning_rate * (scale * d);",
        "return w - learning_rate * d;",
    ),
    ("engine/optimizer/optimizer_state.cpp", "static_cast<T>(slot.initial)", "T(0)"),
    ("engine/optimizer/stored_update.cpp", "if (other.parameter != piece.parameter) continue;", ""),
    # Normalisation, dropout, reductions.
    ("kernels/normalization.hpp", "take * (variance * unbiased)", "take * variance"),
    (
        "kernels/normalization.hpp",
        "scale * ((dy - mean_dy) - xhat * mean_dy_xhat)",
        "scale * (dy - mean_dy)",
    ),
    (
        "kernels/normalization.hpp",
        "const Vec<T> mean_dy = f.fixed ? Vec<T>{} : sum_dy / n;",
        "const Vec<T> mean_dy = sum_dy / n;",
    ),
    (
        "kernels/normalization.hpp",
        "inverse * ((dxhat(j) - mean_d) - xhat(j) * mean_d_xhat);",
        "inverse * (dxhat(j) - mean_d);",
    ),
    (
        "kernels/normalization.hpp",
        "T(1) / sqrt(load(f.running_variance + j) + f.epsilon);",
        "T(1) / sqrt(load(f.running_variance + j));",
    ),
    ("kernels/philox.hpp", "round < 10", "round < 9"),
    (
        "kernels/reduce.hpp",
        "for (int i = 0; i < half; ++i) terms[i] += terms[i + half];",
        "for (int i = 0; i < half; ++i) terms[i] += terms[i + 1];",
    ),
    ("engine/stages/dropout.cpp", "dropout.per_channel ? c.shapes[0].positions() : 1", "1"),
    ("engine/stages/dropout.cpp", "row / shared_ * stride", "row % shared_ * stride"),
    # Convolutions.
    (
        "engine/stages/convolution.cpp",
        "input_gradient_.run(images.size(), this->bias(), this->x.batch_row(images.begin),",
        "input_gradient_.run(images.size(), nullptr, this->x.batch_row(images.begin),",
    ),
    (
        "engine/stages/convolution.cpp",
        "this->forward_.copy(images.size(), from, copies);  // for the weight gradient",
        "",
    ),
    # Sections, whose stages work block by block.
    ("engine/stages/bias_gradient.hpp", "sums_.data(), rows.begin > 0", "sums_.data(), false"),
    ("engine/stages/convolution_passes.hpp", "rows.first_tap * filters_", "0"),
    ("kernels/convolution.hpp", "v / kPanelVectors * b_panel", "0"),
    ("kernels/convolution.hpp", "load_half(b + full * kLanes<T>)", "load_half(b)"),
    (
        "kernels/convolution.hpp",
        "store_half(row + kHalfColumn + kLanes<T> / 2, HalfVec<T>{});",
        "",
    ),
    ("engine/input/image_augmenter.hpp", "each.input.value_or(name) == name", "true"),
    ("engine/stages/depthwise_convolution.cpp", ".adds = images.begin > 0", ".adds = false"),
    (
        "engine/stages/activation.cpp",
        "return {.x = true, .y = false};",
        "return {.x = false, .y = false};",
    ),
    ("engine/stages/stage.hpp", "block > 0 ? i % block : i", "i"),
    (
        "kernels/pooling.hpp",
        "choice[v] == ibroadcast<T>(k), gradient[v]",
        "choice[v] <= ibroadcast<T>(k), gradient[v]",
    ),
    (
        "engine/multiply_adds.cpp",
        "convolution->is_transposed() ? inputs[0] : node.shape;",
        "node.shape;",
    ),
    (
        "engine/plan.cpp",
        "norm_of(kernels_, stage.x, rows * stage.x.positions)",
        "norm_of(kernels_, stage.x, all)",
    ),
    # Products.
    (
        "kernels/multiply.hpp",
        "last_tiles<T, 4, NV>(row, rows - row, source, start, c, c_stride);",
        "",
    ),
    (
        "kernels/multiply.hpp",
        "const Start<T> start{f.adds || begin > 0 ? f.g : nullptr, width};",
        "const Start<T> start{f.adds ? f.g : nullptr, width};",
    ),
    (
        "kernels/multiply.hpp",
        "column_end - column, s);",
        "panel_width(shape, column / shape.panel), s);",
    ),
    (
        "kernels/multiply.hpp",
        "for (int64_t i = present; i < width; ++i) panel[j * width + i] = T(0);",
        "",
    ),
    (
        "kernels/row.hpp",
        "for (uint64_t w = word; w; w &= w - 1) {",
        "for (uint64_t w = word & (word - 1); w; w &= w - 1) {",
    ),
    ("kernels/row.hpp", "if (f.activation.kind == ActivationKind::linear) return;", "return;"),
    (
        "kernels/gather.hpp",
        "const int64_t row = f.order ? f.order[f.first + i] : f.first + i;",
        "const int64_t row = f.first + i;",
    ),
    (
        "kernels/gather.hpp",
        "__builtin_memcpy(&value, source + j * f.column_stride, sizeof(S));",
        "__builtin_memcpy(&value, source + j * int64_t(sizeof(S)), sizeof(S));",
    ),
]
