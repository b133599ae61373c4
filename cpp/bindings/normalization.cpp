// SPDX-License-Identifier: Apache-2.0
// Statistics of data for normalising layers.
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "bindings/network.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {

template <class T>
void bind_normalization(py::class_<Network<T>>& network) {
  using N = Network<T>;
  network
      .def(
          "adapt",
          [](N& self, const RowsOrList& x) {
            const InputViews rows(x, "x");
            const ReleasedGil release;
            self.adapt(rows);
          },
          py::arg("x"))
      .def(
          "adapt_pieces",
          [](N& self, const py::object& pieces) {
            ReleasedGil released;
            const RowPieces x = [&](const Callback<void(const Inputs&)>& each) {
              const TakenBackGil taken(released);
              const py::iterator all = py::iter(call_function(pieces));
              while (const py::object piece = next_item(all)) {
                const InputViews rows(piece.cast<RowsOrList>(), "x");
                const ReleasedGil meanwhile;
                each(rows);
              }
            };
            self.adapt(x);
          },
          py::arg("pieces"))
      .def_property("adapted", &N::adapted, [](N& self, bool adapted) {
        const ReleasedGil release;
        self.set_adapted(adapted);
      });
}

template void bind_normalization<float>(py::class_<Network<float>>&);
template void bind_normalization<double>(py::class_<Network<double>>&);

}  // namespace chainrule::bindings
