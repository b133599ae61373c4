# SPDX-License-Identifier: Apache-2.0
"""Small breaks of the compiled core: (file under cpp/src, text that occurs there once, new text).

`run_core.py` makes one after the other and expects the tests to notice. A change of the core
that rewords a line changes its entry here.
"""

# Equivalent breaks are left out: other speeds, other sizes of blocks, and texts of errors.
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
    # Products.
    (
        "kernels/multiply.hpp",
        "last_tile<T, kTileRows - 1, NV>(row, rows - row, source, start, c, c_stride);",
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
        "for (uint64_t w = word; w; w &= w - 1) add(__builtin_ctzll(w));",
        "for (uint64_t w = word & (word - 1); w; w &= w - 1) add(__builtin_ctzll(w));",
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
    # The step.
    (
        "engine/stages/loss.cpp",
        "f.gradient_scale = total > 0.0 ? static_cast<T>(std::min(weight_ / total, most)) : T(0)",
        "f.gradient_scale = static_cast<T>(1.0 / static_cast<double>(step.rows))",
    ),
    (
        "engine/stages/loss.cpp",
        "const double w = sample_weight(y, row, p) * class_weight(y, row, p);",
        "const double w = sample_weight(y, row, p);",
    ),
    (
        "engine/stages/loss.cpp",
        "value_at(y.values, row, position) > 0.0 ? 1 : 0",
        "value_at(y.values, row, position) >= 0.0 ? 1 : 0",
    ),
    (
        "engine/stages/loss.cpp",
        "narrow_.data()[i * narrow + j % target_columns_];",
        "narrow_.data()[i * narrow];",
    ),
    ("engine/stages/loss.cpp", "if (!std::isfinite(row_losses_.data()[i])) return false;", ""),
    ("engine/optimizer/stored_update.cpp", "return std::sqrt(squares);", "return squares;"),
    (
        "engine/stages/dense.cpp",
        "if (!bias_) return;\n    const Range columns",
        "return;\n    const Range columns",
    ),
    (
        "engine/stages/dense.cpp",
        "if (step.update) ActiveRows::record(*step.update, *weight_, begin, slice.range(inputs_));",
        "",
    ),
    (
        "engine/stages/dense.cpp",
        "const std::int64_t first_panel = item / (chunks * blocking_.group) * blocking_.group;",
        "const std::int64_t first_panel = item / (chunks * blocking_.group);",
    ),
    (
        "engine/training.cpp",
        "step.number = static_cast<std::uint64_t>(s_.total_steps + done);",
        "step.number = static_cast<std::uint64_t>(done);",
    ),
    ("engine/training.cpp", "s_.optimizer.steps + done + 1,", "s_.optimizer.steps + 1,"),
    (
        "engine/training_session.hpp",
        "shuffled_order(order_.data(), rows, seed, static_cast<std::uint64_t>(epoch));",
        "shuffled_order(order_.data(), rows, seed, 0);",
    ),
    ("engine/training.cpp", "if (polls) context.sync_for(Partition::columns);", ""),
    ("engine/epoch_end.cpp", "s_.total_steps += result_.batches;", ""),
    ("engine/training.cpp", "if (diverged_.load(std::memory_order_relaxed)) break;", ""),
    (
        "engine/training.cpp",
        "options_.learning_rates ? options_.learning_rates[b] : fixed_rate_",
        "options_.learning_rates ? options_.learning_rates[0] : fixed_rate_",
    ),
    (
        "engine/threads/thread_context.hpp",
        "if (next == Partition::columns || last_ == Partition::columns) team_.barrier.wait();",
        "if (next == Partition::columns) team_.barrier.wait();",
    ),
    (
        "engine/threads/thread_context.hpp",
        "return {items * index / count, items * (index + 1) / count};",
        "return {items / count * index, items / count * (index + 1)};",
    ),
    (
        "model/last_activation.cpp",
        "loss.link() == Loss::Link::sigmoid && activation.kind == Activation::Kind::sigmoid",
        "loss.link() == Loss::Link::sigmoid && activation.kind == Activation::Kind::tanh",
    ),
    (
        "engine/evaluation.cpp",
        "if (context.first_thread()) compiled.add_batch(",
        "if (context.first_thread() && first == 0) compiled.add_batch(",
    ),
    (
        "engine/plan.cpp",
        "for (const auto& [from, to] : ops_[stage].passed)",
        "for (const auto& [from, to] : std::vector<typename Op::Passed>())",
    ),
    ("engine/plan_memory.cpp", "keep(passed[t], backward_moment(i));", ""),
    ("engine/plan.cpp", "if (node.shares) {", "if (false) {"),
    (
        "engine/stage_graph.cpp",
        "trained = stages.back().stage->has_parameters() && node.trainable",
        "trained = stages.back().stage->has_parameters()",
    ),
    ("engine/tensor_memory.hpp", "block.free_after >= life.from ||", ""),
    ("model/graph.cpp", "if (!node.trainable) graph.set_trainable(node.name, false);", ";"),
    ("engine/input/column_statistics.hpp", "variances[j] += d * d;", "variances[j] += d;"),
    (
        "engine/threads/thread_pool.cpp",
        "[] { idle_pools.store(nullptr, std::memory_order_release); });",
        "[] {});",
    ),
    # Zeros left out.
    (
        "engine/optimizer/nonzero_state_rows.cpp",
        "rows_.data()[row] = !all_zero(panel + row * width, width);",
        "rows_.data()[row] = 0;",
    ),
    ("engine/optimizer/active_rows.hpp", "if (begin[j] != begin[j + 1]) nonzero_state[j] = 1;", ""),
    (
        "engine/optimizer/optimizer_state.cpp",
        "if (spec.l1 != 0.0 || spec.l2 != 0.0 ||",
        "if (",
    ),
    ("engine/input/sparse_input.cpp", "at += values_.data()[at] != T(0);", "++at;"),
    (
        "engine/input/sparse_input.cpp",
        "if (t == slice.index) next[column] = sum;",
        "next[column] = sum;",
    ),
    (
        "kernels/masked.hpp",
        "f.counts[j] += __builtin_popcountll(m[j]);",
        "f.counts[j] = __builtin_popcountll(m[j]);",
    ),
    # Prediction.
    (
        "engine/inference/predictor.cpp",
        "if (last != Activation::Kind::softmax) return kernels::ActivationKind::softmax;",
        "return kernels::ActivationKind::softmax;",
    ),
    (
        "engine/inference/latest_value.hpp",
        "used |= item.get() == reader.held || item.get() == reader.sent;",
        "used |= item.get() == reader.sent;",
    ),
    ("engine/inference/predictor.cpp", "out += piece * out_stride;", "out += out_stride;"),
    # Schedules, random numbers, initialisers.
    (
        "model/schedule.cpp",
        "if (step < warmup) return schedule.learning_rate * (step + 1.0) / (warmup + 1.0);",
        "if (step < warmup) return schedule.learning_rate * step / (warmup + 1.0);",
    ),
    ("model/schedule.cpp", "length *= factor;", ""),
    ("model/schedule.cpp", "bad_epochs > schedule.patience", "bad_epochs >= schedule.patience"),
    (
        "model/schedule.cpp",
        "model::power(gamma, std::floor(periods))",
        "model::power(gamma, periods)",
    ),
    ("model/random.cpp", "0x9E3779B9u", "0x9E3779B8u"),
    ("model/random.cpp", "while (product % words < uneven) product = bound * next_word();", ""),
    (
        "model/initializer.cpp",
        "const double bound = std::sqrt(3.0 * variance);",
        "const double bound = std::sqrt(variance);",
    ),
    (
        "model/initializer.cpp",
        "defaults(model::initializer_before(activation.kind));",
        "defaults(InitializerKind::he_uniform);",
    ),
    # Files.
    ("model_file/safetensors.cpp", "needed != size || offsets[1] < 0", "offsets[1] < 0"),
    ("model_file/safetensors.cpp", "if (twice != tensors_.end()) throw", "if (false) throw"),
    (
        "model_file/safetensors.cpp",
        "text.append((length_size - text.size() % length_size) % length_size, ' ');",
        "",
    ),
    (
        "model_file/atomic_file.cpp",
        "fs::rename(name_, target_, error);",
        "fs::copy_file(name_, target_, fs::copy_options::overwrite_existing, error);",
    ),
    ("model_file/atomic_file.cpp", "if (!renamed_) fs::remove(name_, ignored);", ""),
    # Weights of 16 and 8 bits.
    ("kernels/small_weights.hpp", "from_bits<float>(pair << 16);", "from_bits<float>(pair);"),
    (
        "kernels/small_weights.hpp",
        "__builtin_convertvector(limited + broadcast(0.5f), Int);",
        "__builtin_convertvector(limited, Int);",
    ),
    (
        "kernels/small_weights.hpp",
        "? set & ((uint64_t{1} << (count - k)) - 1) : set",
        "? set : set",
    ),
    # All rows at once.
    ("engine/second_order/lbfgs.cpp", "b - factors_[i]", "b + factors_[i]"),
    (
        "engine/second_order/levenberg_marquardt.cpp",
        "engine::add_multiple(-0.5, bend, step_);",
        "engine::add_multiple(0.5, bend, step_);",
    ),
    ("engine/second_order/levenberg_marquardt.cpp", "1.0 - gain * gain * gain", "1.0 - gain"),
    (
        "engine/second_order/gauss_newton.cpp",
        "dz.row(i)[j] = scale * scale *",
        "dz.row(i)[j] = scale *",
    ),
    (
        "engine/second_order/product_gram.cpp",
        "std::int64_t n = d == c ? 1 : 0; n < count; ++n)\n                mirrored",
        "std::int64_t n = 1; n < count; ++n)\n                mirrored",
    ),
    (
        "kernels/symmetric.hpp",
        "const int64_t first = f.symmetric ? i : 0;",
        "const int64_t first = 0;",
    ),
]
