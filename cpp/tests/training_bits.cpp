// SPDX-License-Identifier: Apache-2.0
// Prints a fingerprint of trained networks, to be compared between instruction sets; with the
// argument "list" prints the instruction sets usable here.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "chainrule/config.hpp"
#include "random_graphs.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Act = Activation::Kind;

template <class T>
uint64_t fingerprint(const Network<T>& network, uint64_t hash) {
  for (const auto& [name, values] : Snapshot<T>(network).arrays) {
    for (const T value : values) {
      unsigned char bytes[sizeof(T)];
      std::memcpy(bytes, &value, sizeof(T));
      for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
    }
  }
  return hash;
}

template <class T>
uint64_t train(int threads) {
  const DataSet data(75, 37, 5);
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::string& kind : Optimizer::kinds()) {
    Network<T> network(
        {Rescaling(0.5, 0.125), dense(203, Act::gelu), BatchNormalization(), Dropout(0.25),
         dense(211, Act::tanh), LayerNormalization(), dense(67, Act::elu), dense(5)},
        37, 3);
    Optimizer rule = Optimizer::from_config({kind, {}});
    rule.clip_norm = kind == "adam" ? 0.5 : 0.0;
    EpochOptions o;
    o.num_threads = threads;
    // One rule shows that a second epoch is the same too.
    for (int epoch = 0; epoch < (kind == "adam" ? 2 : 1); ++epoch)
      network.run_epoch(data.inputs_view(), data.by_label(),
                        Loss::defaults(Loss::Kind::cross_entropy), rule, o);
    hash = fingerprint(network, hash);
  }
  Network<T> network(wide_graph(37), 3);
  EpochOptions o;
  o.num_threads = threads;
  network.run_epoch(data.inputs_view(), data.by_label(), Loss::defaults(Loss::Kind::cross_entropy),
                    Optimizer(Adam{}), o);
  return fingerprint(network, hash);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "list") {
    for (const std::string& isa : instruction_sets()) std::printf("%s\n", isa.c_str());
    return 0;
  }
  for (const int threads : {1, 3})
    std::printf("float %016llx double %016llx\n",
                static_cast<unsigned long long>(train<float>(threads)),
                static_cast<unsigned long long>(train<double>(threads)));
}
