// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "chainrule/chainrule.h"
#include "chainrule/data.hpp"
#include "chainrule/trainer.hpp"

/// The training loop with a C caller's options and callbacks.
namespace chainrule::c_api {

/// Trains as `options` say; gives the last finished epoch's report, or one of number 0.
template <class T>
EpochReport fit(Trainer<T>& trainer, const std::vector<RowsView>& x,
                const std::vector<TargetsView>& y, const chainrule_fit_options& options);

/// Writes the sums of each output to `to` and gives their place; null where there are no sums.
const chainrule_loss_sum* write_sums(const LossSums& from, std::vector<chainrule_loss_sum>& to);

chainrule_epoch_report report_of(const EpochReport& from);

}  // namespace chainrule::c_api
