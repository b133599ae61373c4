// SPDX-License-Identifier: Apache-2.0
/* The code of a category: from column[1] on where it is one of column[0], else column[2], or
   column[3] for NaN, which are -1 where there is none. */
static int32_t category(float x, const int32_t* column) {
  if (x != x) return column[3];
  if (!(x >= 0.0f && x < (float)column[0])) return column[2];
  return column[1] + (int32_t)x;
}
