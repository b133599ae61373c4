// SPDX-License-Identifier: Apache-2.0
/* exp(x) without a C library. x = k ln 2 + r with |r| <= ln(2) / 2, so exp(x) = 2^k exp(r), and a
   polynomial gives exp(r). */
static float exponential(float x) {
  if (!(x >= -104.0f)) return x < -104.0f ? 0.0f : x;
  if (x > 89.0f) x = 89.0f;
  const int32_t k = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
  /* The first factor has trailing zeros for k to multiply it exactly. */
  const float r = x - (float)k * 0.693145752f - (float)k * 1.42860677e-6f;
  float q = 0.00139395171f;
  q = q * r + 0.00836882275f;
  q = q * r + 0.0416664146f;
  q = q * r + 0.166665196f;
  q = q * r + 0.5f;
  /* Two factors: 2^k itself leaves the range for the largest and the smallest results. */
  return (1.0f + (r + r * r * q)) * power_of_two(k / 2) * power_of_two(k - k / 2);
}
