// SPDX-License-Identifier: Apache-2.0
/* The nearest integer in -128..127; NaN becomes -128. */
static int8_t to_int8(float value) {
  if (!(value > -128.0f)) return -128;
  if (value > 127.0f) return 127;
  return (int8_t)((int32_t)(value + 128.5f) - 128);
}
