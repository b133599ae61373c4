# SPDX-License-Identifier: Apache-2.0
"""Outputs and random weights of PyTorch modules, for tests of their conversion."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn = torch.nn

torch.set_num_threads(1)


def outputs(module, x):
    with torch.no_grad():
        return module.eval()(torch.from_numpy(np.asarray(x))).numpy()


def randomised(module, seed=0):
    """Give a module's buffers and parameters values unlike those they begin with."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.dtype.is_floating_point:
                values = torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype)
                tensor.copy_(values + 0.5 if "running_var" in name else values * 1.2 - 0.6)
    return module.eval()
