// SPDX-License-Identifier: Apache-2.0
/* sum * multiplier / 2^shift, rounded to the nearest integer, halves away from zero. */
static int64_t scaled(int32_t sum, int32_t multiplier, uint8_t shift) {
  const int64_t magnitude = sum < 0 ? -(int64_t)sum : sum;
  const int64_t half = (int64_t)1 << (shift - 1);
  const int64_t quotient = (magnitude * multiplier + half) >> shift;
  return sum < 0 ? -quotient : quotient;
}
