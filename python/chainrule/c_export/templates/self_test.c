/* Compares $name with what chainrule computed. Exit status: 0 if all rows agree, else 1. */
#include "$name.h"

${math}#include <stddef.h>
#include <stdio.h>

enum { ROWS = $rows };

static const float tolerance = $tolerance;

$arrays

/* The largest difference, relative to the largest expected value where that exceeds 1. */
static float difference(const float* y, const float* expected, size_t n) {
  float scale = 1.0f;
  float largest = 0.0f;
  for (size_t i = 0; i < n; ++i) {
    const float size = expected[i] < 0.0f ? -expected[i] : expected[i];
    const float distance = y[i] < expected[i] ? expected[i] - y[i] : y[i] - expected[i];
    if (size > scale) scale = size;
    if (!(distance <= largest)) largest = distance;
    if (largest != largest) break; /* NaN */
  }
  return largest / scale;
}

/* The larger one, or NaN. */
static float worse(float a, float b) { return a != a || b <= a ? a : b; }

static int report(const char* name, float largest) {
  const int agrees = largest <= tolerance;
  printf("%s: largest difference %.2e, tolerance %.2e: %s\n", name, (double)largest,
         (double)tolerance, agrees ? "ok" : "FAILED");
  return agrees;
}

int main(void) {
  static ${name}_$memory $memory;
$buffers
  int agree = 1;
$checks
  return agree ? 0 : 1;
}
