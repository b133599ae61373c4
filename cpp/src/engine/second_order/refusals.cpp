// SPDX-License-Identifier: Apache-2.0
#include "engine/second_order/refusals.hpp"

#include <cstddef>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/full_batch.hpp"
#include "model/last_activation.hpp"

namespace chainrule {
namespace {

/// Throws Error for a layer that draws random numbers, or whose outputs depend on the rest of a
/// batch.
void check_is_function(const Graph& graph, const std::string& who) {
  for (const std::int64_t output : graph.outputs())
    if (model::trained_nodes(graph, output).front() != output)
      throw Error("output " + graph.node(output).name +
                  " is an independent average, which does not " + "go with " + who +
                  ": its members are trained in batches; take adam");
  for (const Node& node : graph.nodes()) {
    if (!node.layer) continue;
    const std::string kind((*node.layer)->kind());
    const bool random = kind == "dropout" || kind == "gaussian_noise";
    if (!random && (kind != "batch_normalization" || !node.trainable)) continue;
    std::string text = "layer " + node.name;
    text.append(" (").append(kind).append(") does not go with ").append(who);
    text += ", which needs a loss of the weights alone: ";
    text += random ? "it draws random numbers in training; leave it out"
                   : "its outputs depend on the other rows of a batch; leave it out, or set it to "
                     "not trainable";
    throw Error(text + ", or take adam");
  }
}

}  // namespace

// Shapes, categories and path first, then every number, then the layers.
template <class T>
void check_full_batch(const Network<T>& network, const Inputs& x, const Targets& y,
                      const Losses& losses, const std::string& who) {
  network.check(x, y, losses);
  network.check_takes(x);
  for (std::size_t i = 0; i < x.size(); ++i)
    check_finite<T>(x[i], "x", {}, network.missing_columns(i));
  for (std::size_t i = 0; i < losses.size(); ++i) check_targets<T>(y[i], losses[i], "y");
  check_is_function(network.graph(), who);
}

template void check_full_batch(const Network<float>&, const Inputs&, const Targets&, const Losses&,
                               const std::string&);
template void check_full_batch(const Network<double>&, const Inputs&, const Targets&, const Losses&,
                               const std::string&);

void check_least_squares(const Graph& graph, const engine::ParameterVector& parameters,
                         const std::vector<Loss>& losses, const std::vector<TargetsView>& y,
                         const std::string& who) {
  for (const Loss& loss : losses)
    if (loss.kind != Loss::Kind::mse)
      throw Error(who + " minimises squared errors, the loss mse; got " + loss.config().kind +
                  ": take lbfgs, which takes any loss");
  for (const Node& node : graph.nodes())
    if (node.layer && (*node.layer)->kind() == "lambda")
      throw Error("layer " + node.name + " (lambda) does not go with " + who +
                  ", which would call its functions for each row and output: take lbfgs");
  for (const std::int64_t output : graph.outputs())
    if (graph.node(output).shape.rank() > 1)
      throw Error("output " + graph.node(output).name + " has several positions, which " + who +
                  " does not take: put a Reshape behind it, or take lbfgs");
  for (const TargetsView& targets : y)
    if (targets.class_weights)
      throw Error("class_weight does not go with " + who + ": give sample_weight");
  constexpr std::int64_t most = LevenbergMarquardt::kMostParameters;
  if (parameters.size() > most)
    throw Error(who +
                " solves a system of as many equations as there are trained parameters, at "
                "most " +
                std::to_string(most) + "; the network has " + std::to_string(parameters.size()) +
                ": take lbfgs, or a smaller network");
  if (parameters.has_l1())
    throw Error(who + " needs a penalty that has a second derivative: l1 must be 0");
}

}  // namespace chainrule
