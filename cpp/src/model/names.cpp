// SPDX-License-Identifier: Apache-2.0
#include "chainrule/names.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace chainrule {
namespace {

/// Other libraries' names of what there is not, a letter or two from what there is: no slips of the
/// pen. What to use instead says Python, whose table tests compare with this one.
constexpr std::array<std::string_view, 12> kOtherThings = {
    "adamax", "amsgrad", "celu",  "crelu", "log_loss", "logsoftmax",
    "mape",   "msle",    "prelu", "relu6", "rmse",     "selu"};

std::string folded(std::string_view name) {
  std::string result(name);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    if (letter == '-' || letter == ' ') letter = '_';
  }
  return result;
}

/// Insertions, deletions, substitutions and swaps of neighbours that make one text the other.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> before(to.size() + 1), last(to.size() + 1), row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t change = from[i - 1] == to[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[to.size()];
}

}  // namespace

std::string nearest_name(std::string_view given, const std::vector<std::string>& valid) {
  constexpr std::size_t longest = 64;
  if (given.size() > longest) return {};
  const std::string wanted = folded(given);
  if (std::find(kOtherThings.begin(), kOtherThings.end(), wanted) != kOtherThings.end()) return {};
  std::string nearest;
  std::size_t least = longest;
  for (const std::string& name : valid) {
    const std::size_t distance = edit_distance(wanted, folded(name));
    // A third of the letters wrong is a slip; more is another word.
    const std::size_t allowed = std::max<std::size_t>(1, std::max(wanted.size(), name.size()) / 3);
    if (distance <= allowed && distance < least) {
      nearest = name;
      least = distance;
    }
  }
  return nearest;
}

std::string unknown_name(std::string_view what, std::string_view given,
                         std::vector<std::string> valid) {
  std::sort(valid.begin(), valid.end());
  std::string text = "unknown " + std::string(what) + " '" + std::string(given) + "'; ";
  const std::string nearest = nearest_name(given, valid);
  if (!nearest.empty()) text += "did you mean '" + nearest + "'? ";
  text += "valid: ";
  if (valid.empty()) text += "none";
  for (std::size_t i = 0; i < valid.size(); ++i) text += (i == 0 ? "" : ", ") + valid[i];
  return text;
}

}  // namespace chainrule
