# SPDX-License-Identifier: Apache-2.0
"""Small breaks of steps, predictions, random numbers and files, for `core_breaks.py`.

Each is (file under cpp/src, text that occurs there once, new text).
"""

BREAKS: list[tuple[str, str, str]] = [
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
        "forward_part({first * block, std::min(rows, end * block)}",
        "forward_part({first * block, std::min(rows, end * block - block)}",
    ),
    (
        "engine/stages/dense.cpp",
        "if (step.update) ActiveRows::record(*step.update, *weight_, begin, slice.range(inputs_));",
        "",
    ),
    (
        "engine/stages/weight_gradient.hpp",
        "const std::int64_t first_panel = item / (chunks * group) * group;",
        "const std::int64_t first_panel = item / (chunks * group);",
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
    ("engine/plan_passes.cpp", "section.locks->acquire(part, ticket);", ""),
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
    ("engine/plan_memory.cpp", "keep(sum, backward_moment(i));", ""),
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
        "used |= item.get() == delivery.held || item.get() == delivery.sent;",
        "used |= item.get() == delivery.sent;",
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
