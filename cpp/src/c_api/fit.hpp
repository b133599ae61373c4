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

chainrule_epoch_report report_of(const EpochReport& from);

}  // namespace chainrule::c_api
