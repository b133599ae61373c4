# SPDX-License-Identifier: Apache-2.0
"""Networks from and for other software: ONNX files, PyTorch modules, scikit-learn's estimators."""

from __future__ import annotations
