// SPDX-License-Identifier: Apache-2.0
// A Lambda's functions are shared by its copies and numbered. The registry finds them by the number
// that a config has, and counts the copies: with the last one the functions go.
#include "model/lambda.hpp"

#include <map>
#include <mutex>

#include "chainrule/config.hpp"
#include "chainrule/lambda.hpp"
#include "model/check_layer.hpp"

namespace chainrule {
namespace {

constexpr const char* kNumber = "functions";

}  // namespace

class Lambda::Registry {
 public:
  static Functions* add(Functions functions) {
    auto* added = new Functions(std::move(functions));
    added->users = 1;
    const std::lock_guard lock(mutex());
    added->number = next_number()++;
    table()[added->number] = added;
    return added;
  }

  static Functions* use(Functions* functions) {
    const std::lock_guard lock(mutex());
    ++functions->users;
    return functions;
  }

  /// Null where there are none of this number.
  static Functions* find(std::int64_t number) {
    const std::lock_guard lock(mutex());
    const auto found = table().find(number);
    if (found == table().end()) return nullptr;
    ++found->second->users;
    return found->second;
  }

  static void release(Functions* functions) {
    {
      const std::lock_guard lock(mutex());
      if (--functions->users > 0) return;
      table().erase(functions->number);
    }
    // Without the lock: what the functions hold may wait for a thread that wants it.
    delete functions;
  }

 private:
  // Never destroyed, since networks may be as late as the process ends.
  static std::mutex& mutex() {
    static auto& the = *new std::mutex;
    return the;
  }
  static std::map<std::int64_t, Functions*>& table() {
    static auto& the = *new std::map<std::int64_t, Functions*>;
    return the;
  }
  static std::int64_t& next_number() {
    static std::int64_t the = 1;
    return the;
  }
};

Lambda::Lambda(Functions functions) : functions_(Registry::add(std::move(functions))) {}
Lambda::Lambda(const Lambda& other) : functions_(Registry::use(other.functions_)) {}
Lambda::~Lambda() { Registry::release(functions_); }

Lambda& Lambda::operator=(Lambda other) noexcept {
  std::swap(functions_, other.functions_);
  return *this;
}

Lambda Lambda::from_config(const Config& config) {
  const std::int64_t* number = nullptr;
  for (const ConfigEntry& option : config.options)
    if (option.name == kNumber) number = std::get_if<std::int64_t>(&option.value);
  Functions* found = number ? Registry::find(*number) : nullptr;
  if (!found)
    model::refuse("lambda",
                  "it is functions of a program, which no description stands for once they are "
                  "gone, or in another process");
  return Lambda(found);
}

Config Lambda::config() const { return {"lambda", {{kNumber, functions_->number}}}; }

const std::string& Lambda::name() const { return functions_->name; }

void Lambda::forward(const LambdaForward<float>& pass) const {
  if (!functions_->forward_single) throw Error("lambda '" + name() + "' takes no float");
  functions_->forward_single(pass);
}

void Lambda::forward(const LambdaForward<double>& pass) const {
  if (!functions_->forward_double) throw Error("lambda '" + name() + "' takes no double");
  functions_->forward_double(pass);
}

void Lambda::backward(const LambdaBackward<float>& pass) const {
  if (!functions_->backward_single) throw Error("lambda '" + name() + "' takes no float");
  functions_->backward_single(pass);
}

void Lambda::backward(const LambdaBackward<double>& pass) const {
  if (!functions_->backward_double) throw Error("lambda '" + name() + "' takes no double");
  functions_->backward_double(pass);
}

Shape Lambda::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::single_input(kind(), inputs);
  if (functions_->extents.empty()) return input;
  for (const std::int64_t extent : functions_->extents)
    model::check_value(kind(), "output_shape", extent, model::at_least_one);
  return Shape(functions_->extents);
}

std::vector<ParameterSpec> Lambda::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

namespace model {

void refuse_lambdas(const Graph& graph, const std::string& what) {
  for (const Node& node : graph.nodes()) {
    if (!node.layer || (*node.layer)->kind() != "lambda") continue;
    throw Error("node '" + node.name + "' is a Lambda, functions of the program, which " + what +
                " cannot hold: replace it by layers, or save the parameters by themselves and make "
                "the network anew where they are read");
  }
}

}  // namespace model
}  // namespace chainrule
