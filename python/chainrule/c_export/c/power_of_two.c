// SPDX-License-Identifier: Apache-2.0
/* 2^k for k in -126..127, by the bits of an IEEE 754 number. */
static float power_of_two(int32_t k) {
  const union {
    uint32_t bits;
    float value;
  } power = {(uint32_t)(k + 127) << 23};
  return power.value;
}
