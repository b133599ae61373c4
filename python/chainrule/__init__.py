# SPDX-License-Identifier: Apache-2.0
"""Multilayer perceptrons on the CPU: training and inference."""

from chainrule._core import __version__ as __version__
