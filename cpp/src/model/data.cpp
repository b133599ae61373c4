// SPDX-License-Identifier: Apache-2.0
#include "chainrule/data.hpp"

#include "chainrule/error.hpp"
#include "chainrule/names.hpp"

namespace chainrule {

InputSparsity input_sparsity(std::string_view name) {
  if (name == "auto") return InputSparsity::automatic;
  if (name == "dense") return InputSparsity::dense;
  if (name == "sparse") return InputSparsity::sparse;
  throw Error(unknown_name("input_sparsity", name, {"auto", "dense", "sparse"}));
}

}  // namespace chainrule
