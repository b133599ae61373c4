// SPDX-License-Identifier: Apache-2.0
// The least that a program with a trained network needs: reads a model file and a row, and
// predicts.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "chainrule/model_file.hpp"
#include "chainrule/network.hpp"
#include "chainrule/predictor.hpp"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const chainrule::Model<float> model = chainrule::load_model(argv[1]);
  const chainrule::Predictor<float> predictor(model.network);
  chainrule::Predictor<float>::Scratch scratch(predictor);
  std::vector<float> in(static_cast<std::size_t>(predictor.inputs()));
  std::vector<float> out(static_cast<std::size_t>(predictor.outputs()));
  for (int i = 2; i < argc && i - 2 < static_cast<int>(in.size()); ++i)
    in[static_cast<std::size_t>(i - 2)] = std::strtof(argv[i], nullptr);
  predictor.predict_checked(in, out, scratch);
  for (const float value : out) std::printf("%g\n", static_cast<double>(value));
  return 0;
}
