# SPDX-License-Identifier: Apache-2.0
"""Networks: description, training, backpropagation by hand, progress, model files."""
