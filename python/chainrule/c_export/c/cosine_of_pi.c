// SPDX-License-Identifier: Apache-2.0
/* cos(pi x) without a C library. |x| = k + n / 2 + r with |r| <= 1/4, exactly, and polynomials give
   sine and cosine of pi r. */
static float cosine_of_pi(float x) {
  const float size = x < 0.0f ? -x : x;
  if (!(size < 16777216.0f)) return size - size + 1.0f; /* an even number, or none */
  const int32_t k = (int32_t)size;
  const float rest = size - (float)k;
  const int32_t n = (int32_t)(2.0f * rest + 0.5f);
  const float r = rest - 0.5f * (float)n;
  const float square = r * r;
  float s = -0.5890751f;
  s = s * square + 2.549767f;
  s = s * square - 5.167708f;
  s = s * square + 3.1415927f;
  float c = 0.23212542f;
  c = c * square - 1.3351378f;
  c = c * square + 4.0587106f;
  c = c * square - 4.934802f;
  const float y = n == 1 ? -(s * r) : n == 0 ? c * square + 1.0f : -(c * square + 1.0f);
  return k % 2 == 0 ? y : -y;
}
