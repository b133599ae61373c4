// SPDX-License-Identifier: Apache-2.0
#include "model/categories.hpp"

#include <limits>
#include <string>

#include "model/fields.hpp"

namespace chainrule::model {
namespace {

constexpr auto unseen_names = kinds_of<Unseen, Unseen::code>("choice", "error", "zero", "code");

}  // namespace

UnseenOptions UnseenOptions::of(Unseen unknown, Unseen missing) {
  UnseenOptions options;
  if (unknown != Unseen::error) options.unknown = unseen_names.name(unknown);
  if (missing != Unseen::error) options.missing = unseen_names.name(missing);
  return options;
}

void UnseenOptions::read(std::string_view kind, Unseen& to_unknown, Unseen& to_missing) const {
  if (unknown) to_unknown = within(kind, "unknown", [&] { return unseen_names.find(*unknown); });
  if (missing) to_missing = within(kind, "missing", [&] { return unseen_names.find(*missing); });
}

std::vector<std::int64_t> with_more(std::vector<std::int64_t> counts, std::int64_t more) {
  constexpr std::int64_t large = std::numeric_limits<std::int32_t>::max();
  for (std::int64_t& count : counts)
    if (count <= large) count += more;
  return counts;
}

std::int64_t total_categories(std::string_view kind, std::string_view option,
                              const std::vector<std::int64_t>& counts, std::int64_t columns) {
  // The greatest 32-bit number stands for no category at all.
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max() - 1;
  if (counts.size() > 1 && static_cast<std::int64_t>(counts.size()) != columns)
    refuse(kind, std::string(option) + " has " + std::to_string(counts.size()) + " numbers for " +
                     std::to_string(columns) + " columns of categories");
  std::int64_t total = 0;
  if (counts.size() == 1) {
    total = counts[0] <= most / columns ? counts[0] * columns : most + 1;
  } else {
    for (const std::int64_t count : counts)
      total = count <= most - total ? total + count : most + 1;
  }
  if (total > most)
    refuse(kind, std::string(option) + ": all columns together may have at most " +
                     std::to_string(most) + " categories");
  return total;
}

std::vector<std::int64_t> for_each_column(const std::vector<std::int64_t>& counts,
                                          std::int64_t columns) {
  if (counts.size() > 1) return counts;
  return std::vector<std::int64_t>(static_cast<std::size_t>(columns), counts.at(0));
}

}  // namespace chainrule::model
