// SPDX-License-Identifier: Apache-2.0
// From a random vector q(0) on, the matrix times the last vector, made orthogonal to all before,
// gives the next:
//
//   H q(j) = beta(j-1) q(j-1) + alpha(j) q(j) + beta(j) q(j+1)
//
// so that H is the tridiagonal matrix of alpha and beta on the space of these vectors. Its extreme
// eigenvalues approach those of H after few steps; beta(j) times the last entry of an eigenvector
// of the tridiagonal matrix is the residual of that pair.
#include "engine/second_order/lanczos.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "chainrule/error.hpp"
#include "chainrule/random.hpp"
#include "engine/second_order/vectors.hpp"

namespace chainrule::engine {
namespace {

/// Takes from w its parts along the vectors, twice: rounding leaves some the first time. Returns
/// what it had along the last one.
double orthogonalize(Vector& w, const std::vector<Vector>& vectors) {
  double last = 0.0;
  for (int pass = 0; pass < 2; ++pass) {
    for (const Vector& q : vectors) {
      const double part = dot(q, w);
      for (std::size_t i = 0; i < w.size(); ++i) w[i] -= part * q[i];
      if (&q == &vectors.back()) last += part;
    }
  }
  return last;
}

/// w / |w|, or false where nothing is left of it.
bool normalize(Vector& w) {
  const double norm = std::sqrt(dot(w, w));
  if (!(norm > 0.0)) return false;
  for (double& value : w) value /= norm;
  return true;
}

/// A random unit vector orthogonal to those that there are.
bool random_vector(RandomStream& random, std::size_t size, const std::vector<Vector>& vectors,
                   Vector& w) {
  w.resize(size);
  for (double& value : w) value = random.next_normal();
  if (!normalize(w)) return false;
  orthogonalize(w, vectors);
  return dot(w, w) > 1e-16 && normalize(w);
}

struct Ritz {
  double value;
  /// An eigenvalue of the tridiagonal matrix, an estimate of one of the whole.
  double last;  // of its eigenvector's entries
};

/// The eigenvalues of a symmetric tridiagonal matrix by the QL algorithm with implicit shifts, by
/// falling magnitude. Reference: Dubrulle, Martin and Wilkinson, "The implicit QL algorithm",
/// Numerische Mathematik 12, 1968.
std::vector<Ritz> tridiagonal_eigenvalues(Vector d, Vector e) {
  const std::size_t n = d.size();
  e.resize(n);  // e[i] couples i and i + 1
  e[n - 1] = 0.0;
  // Of the eigenvectors only the last entries are followed, which are all that residuals need.
  Vector last(n, 0.0);
  last[n - 1] = 1.0;
  constexpr double epsilon = 0x1p-52;
  for (std::size_t l = 0; l < n; ++l) {
    for (int round = 0; round < 60; ++round) {
      std::size_t m = l;
      while (m + 1 < n && std::abs(e[m]) > epsilon * (std::abs(d[m]) + std::abs(d[m + 1]))) ++m;
      if (m == l) break;
      double g = (d[l + 1] - d[l]) / (2.0 * e[l]);
      double r = std::sqrt(g * g + 1.0);
      g = d[m] - d[l] + e[l] / (g + std::copysign(r, g));
      double s = 1.0;
      double c = 1.0;
      double p = 0.0;
      std::size_t i = m;
      for (; i-- > l;) {
        const double f = s * e[i];
        const double b = c * e[i];
        r = std::sqrt(f * f + g * g);
        e[i + 1] = r;
        if (r == 0.0) break;
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2.0 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        const double z = last[i + 1];
        last[i + 1] = s * last[i] + c * z;
        last[i] = c * last[i] - s * z;
      }
      if (r == 0.0 && i != l - 1) {
        d[i + 1] -= p;
        e[m] = 0.0;
        continue;
      }
      d[l] -= p;
      e[l] = g;
      e[m] = 0.0;
    }
  }
  std::vector<Ritz> found;
  for (std::size_t i = 0; i < n; ++i) found.push_back({d[i], std::abs(last[i])});
  std::sort(found.begin(), found.end(), [](const Ritz& a, const Ritz& b) {
    return std::pair(std::abs(a.value), a.value) > std::pair(std::abs(b.value), b.value);
  });
  return found;
}

/// Throws Error for options that no run could fulfil.
void check(const LanczosOptions& options, std::int64_t size) {
  if (options.count < 1 || options.count > size)
    throw Error("the number of eigenvalues must be from 1 to the number of trained parameters, " +
                std::to_string(size) + "; got " + std::to_string(options.count));
  if (options.max_iterations < options.count)
    throw Error("max_iterations must be at least the number of eigenvalues, " +
                std::to_string(options.count) + "; got " + std::to_string(options.max_iterations));
  if (!(options.tolerance >= 0.0) || !std::isfinite(options.tolerance))
    throw Error("tolerance must be finite and >= 0, got " + std::to_string(options.tolerance));
}

}  // namespace

// Steps until the residuals of the `count` eigenvalues of largest magnitude are small enough, or
// max_iterations. Of a small matrix all steps are done, since an eigenvalue that occurs several
// times shows once in each space; where a space is closed, a random vector orthogonal to it begins
// the next. All vectors are kept: (steps x size).
HessianEigenvalues lanczos(std::int64_t size,
                           FunctionRef<void(const double* v, double* product)> multiply,
                           const LanczosOptions& options) {
  constexpr std::int64_t small = 100;  // all eigenvalues, each as often as it occurs
  check(options, size);
  const std::int64_t most = size <= small ? size : std::min(options.max_iterations, size);
  RandomStream random(options.seed, RandomUse::initialization, ~std::uint64_t{0});
  std::vector<Vector> vectors(1);
  if (!random_vector(random, static_cast<std::size_t>(size), {}, vectors[0]))
    throw Error("no vector to start from");
  Vector alpha;
  Vector beta;
  Vector w(static_cast<std::size_t>(size));
  HessianEigenvalues result;
  double scale = 0.0;
  for (;;) {
    multiply(vectors.back().data(), w.data());
    ++result.iterations;
    alpha.push_back(orthogonalize(w, vectors));
    double norm = std::sqrt(dot(w, w));
    if (!std::isfinite(alpha.back()) || !std::isfinite(norm))
      throw Error("the product of the Hessian with a vector is not finite");
    scale = std::max({scale, std::abs(alpha.back()), norm});
    // What is left is rounding: the vectors so far span a space that the matrix maps to itself.
    const bool closed = norm <= 1e-13 * scale;
    if (closed) norm = 0.0;
    const auto steps = static_cast<std::int64_t>(alpha.size());
    if (steps >= options.count && (size > small || steps == most)) {
      const std::vector<Ritz> ritz = tridiagonal_eigenvalues(alpha, beta);
      const auto count = static_cast<std::size_t>(options.count);
      const double most_residual = options.tolerance * std::abs(ritz[0].value);
      const auto residual = [&](const Ritz& r) { return steps == size ? 0.0 : norm * r.last; };
      result.converged = std::all_of(ritz.begin(), ritz.begin() + options.count,
                                     [&](const Ritz& r) { return residual(r) <= most_residual; });
      if (result.converged || steps == most) {
        for (std::size_t i = 0; i < count; ++i) {
          result.values.push_back(ritz[i].value);
          result.residuals.push_back(residual(ritz[i]));
        }
        return result;
      }
    }
    beta.push_back(norm);
    if (closed) {
      if (!random_vector(random, static_cast<std::size_t>(size), vectors, w))
        throw Error("no vector is left to go on with");
    } else {
      for (double& value : w) value /= norm;
    }
    vectors.push_back(w);
  }
}

}  // namespace chainrule::engine
