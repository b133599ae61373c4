// SPDX-License-Identifier: Apache-2.0
// Answers rows of numbers with a model that was trained in Python, see train.py: a line of values,
// separated by commas, gives a line with the most likely class and its probability, at once.
// usage: serve model.safetensors < rows.csv
#include <algorithm>
#include <chainrule/any_model.hpp>
#include <chainrule/predictor.hpp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace chainrule;

/// The numbers of a line; throws unless there are as many as `values` holds.
template <class T>
void parse(const std::string& line, std::vector<T>& values) {
  const char* at = line.c_str();
  for (std::size_t i = 0; i < values.size(); ++i) {
    char* end = nullptr;
    values[i] = static_cast<T>(std::strtod(at, &end));
    const bool last = i + 1 == values.size();
    if (end == at || *end != (last ? '\0' : ','))
      throw std::runtime_error("expected " + std::to_string(values.size()) +
                               " numbers separated by commas");
    at = end + 1;
  }
}

template <class T>
void serve(const Model<T>& model) {
  // The file says which loss the network was trained for, and so what makes its outputs
  // probabilities.
  const Loss::Link link = model.training.loss ? model.training.loss->link() : Loss::Link::identity;
  const Predictor<T> predictor(model.network, link, model.quantization);
  typename Predictor<T>::Scratch scratch(predictor);
  std::vector<T> in(static_cast<std::size_t>(predictor.inputs()));
  std::vector<T> out(static_cast<std::size_t>(predictor.outputs()));
  std::string line;
  for (int number = 1; std::getline(std::cin, line); ++number) {
    try {
      parse(line, in);
    } catch (const std::runtime_error& error) {
      std::printf("error\n");
      std::fprintf(stderr, "serve: line %d: %s\n", number, error.what());
      continue;
    }
    predictor.predict(in.data(), out.data(), scratch);
    const auto best = std::max_element(out.begin(), out.end());
    std::printf("%d,%.9g\n", static_cast<int>(best - out.begin()), static_cast<double>(*best));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::runtime_error("usage: serve model.safetensors < rows.csv");
    std::visit([](const auto& model) { serve(model); }, load_any_model(argv[1]));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "serve: %s\n", error.what());
    return 1;
  }
}
