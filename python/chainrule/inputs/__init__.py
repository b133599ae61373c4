# SPDX-License-Identifier: Apache-2.0
"""Whatever callers pass, made arrays that the core reads: rows, columns, targets, data sets."""
