// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "chainrule/callback.hpp"
#include "chainrule/data.hpp"
#include "chainrule/export.h"
#include "chainrule/network.hpp"
#include "chainrule/owned.hpp"

namespace chainrule {

/// How eigenvalues are looked for, by the method of Lanczos.
struct LanczosOptions {
  std::int64_t count = 1;   // of the eigenvalues, those of largest magnitude
  double tolerance = 1e-6;  // of the residuals |H u - value u|, relative to the largest magnitude
  std::int64_t max_iterations = 200;  // products with the Hessian, and vectors kept
  std::uint64_t seed = 0;             // of the vector to start from
};

struct HessianEigenvalues {
  std::vector<double> values;     // with their signs, by falling magnitude
  std::vector<double> residuals;  // |H u - value u| of each; an eigenvalue lies as near as that
  std::int64_t iterations = 0;
  bool converged = false;
};

/// The second derivatives of a network's loss with respect to all parameters that training changes:
/// of the mean loss of some rows, as Network::compute_gradients gives it, without penalties,
/// dropout and noise, and with the running statistics of batch normalisation. All is worked out in
/// double, of a network of floats too, and has the same bits on any number of threads and
/// instruction set. Where the loss has a kink, these are the derivatives of the derivative that the
/// network uses: relu has none at 0.
///
///     Hessian hessian(network, x, y, loss);
///     hessian.multiply(v.data(), product.data());  // size() numbers each
///
/// Vectors hold the entries of one parameter after the other, row-major, in the order of
/// Network::parameters, without those that are not trained. One thread at a time may use it.
class CHAINRULE_API Hessian {
 public:
  /// Copies the parameters; x and y are read in place by each product. Throws Error where these do
  /// not fit the network or the loss, as compute_gradients does, and for functions of the caller's
  /// and recurrent layers with truncate_gradient, which have no second derivatives.
  template <class T>
  Hessian(const Network<T>& network, const Inputs& x, const Targets& y, const Losses& losses,
          int num_threads = 0);
  Hessian(Hessian&&) noexcept;
  Hessian& operator=(Hessian&&) noexcept;
  ~Hessian();

  /// Number of rows and columns.
  std::int64_t size() const;
  /// The gradient of the mean loss, size() numbers.
  void gradient(double* to);
  /// product = H v, in the time of about four gradients, of recurrent layers about ten: one pass of
  /// dual numbers, without the matrix. Reference: Pearlmutter, "Fast exact multiplication by the
  /// Hessian", Neural Computation 6, 1994.
  void multiply(const double* v, double* product);
  /// All of it, size() x size() numbers, symmetric to the bit; a product for each column. `poll` is
  /// called between products and may throw.
  void matrix(double* to, const Callback<void()>& poll = {});
  /// The eigenvalues of largest magnitude, by the method of Lanczos with full reorthogonalisation.
  /// All eigenvalues of at most 100 parameters are found; of a larger matrix one that occurs
  /// several times may come once. Throws Error for options that make no sense, and where a product
  /// is not finite. Reference: Golub and Van Loan, "Matrix computations", 4th ed., 2013, ch. 10.
  HessianEigenvalues eigenvalues(const LanczosOptions& options = {},
                                 const Callback<void()>& poll = {});

 private:
  struct CHAINRULE_HIDDEN State;
  Owned<State> state_;
};

}  // namespace chainrule
