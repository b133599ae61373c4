# SPDX-License-Identifier: Apache-2.0
"""What all embeddings of numbers promise: their bits, second derivatives, files and C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compiled_c import difference, each_compiler, load, needs_compiler, outputs, self_test
from number_embeddings import RNG, X, Y, network_of, trained_on
from reference import relative_error
from subprocesses import outputs_of_instruction_sets

import chainrule as cr

EMBEDDINGS = {
    "periodic": cr.PeriodicEmbedding(frequencies=10, frequency_stddev=0.5),
    "piecewise linear": cr.PiecewiseLinearEmbedding(units=3, bins=10),
}

each_embedding = pytest.mark.parametrize("kind", EMBEDDINGS)


@each_embedding
def test_the_same_bits_everywhere(kind: str) -> None:
    program = (
        "import hashlib\n"
        "from test_number_embeddings import EMBEDDINGS, X, trained_on\n"
        "for dtype in ('float32', 'float64'):\n"
        f"    each = [trained_on(EMBEDDINGS[{kind!r}], dtype, n) for n in (1, 2, 3)]\n"
        "    made = [[*n.get_weights(), n.predict(X)] for n in each]\n"
        "    texts = {hashlib.sha256(b''.join(v.tobytes() for v in m)).hexdigest() for m in made}\n"
        "    print(dtype, *texts)"
    )
    found = set(outputs_of_instruction_sets(program).values())
    assert len(found) == 1
    assert len(found.pop().split()) == 4


@each_embedding
def test_second_derivatives_are_differences_of_gradients(kind: str) -> None:
    net = network_of(EMBEDDINGS[kind], dtype="float64")
    x = 1.3 * X.astype(np.float64)  # none of them at an edge
    start, h, sides = net.parameters, 1e-6, []
    wanted = {n: RNG.normal(size=p.shape) for n, p in start.items() if "edges" not in n}
    found = net.hessian_vector(x, Y, wanted, loss="mse")
    for sign in (1, -1):
        net.set_weights({n: p + sign * h * wanted.get(n, 0.0) for n, p in start.items()})
        y = net.forward(x)
        net.backward(2 * (y - Y) / Y.size)
        sides.append(net.gradients)
    for name in wanted:
        expected = (sides[0][name] - sides[1][name]) / (2 * h)
        assert relative_error(found[name], expected) <= 1e-5, name


@each_embedding
def test_files_and_single_rows(kind: str, tmp_path: Path) -> None:
    net = trained_on(EMBEDDINGS[kind])
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert again.layers == net.layers
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    one_by_one = np.concatenate([net.predict(row[None]) for row in X])
    np.testing.assert_array_equal(one_by_one, net.predict(X))
    again.fit(100 * X, Y, epochs=1, verbose=0)
    for name, values in net.parameters.items():
        if "edges" in name:
            np.testing.assert_array_equal(again.parameters[name], values)


@needs_compiler
@each_compiler
@each_embedding
def test_as_c(kind: str, compiler: str, tmp_path: Path) -> None:
    net = trained_on(EMBEDDINGS[kind])
    cr.export_c(net, tmp_path, name="model", test_rows=X)
    done = self_test(compiler, tmp_path, "model")
    assert done.returncode == 0, done.stdout + done.stderr
    x = np.concatenate([X, 20 * X])
    y = outputs(load(compiler, tmp_path, "model"), "model", net, x)
    assert difference(y, net.predict(x)) <= 1e-4
