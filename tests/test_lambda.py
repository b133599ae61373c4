# SPDX-License-Identifier: Apache-2.0
"""Layers that are two Python functions, against layers of the core and PyTorch."""

from __future__ import annotations

import copy
import gc
import hashlib
import os
import pickle
import signal
import weakref

import numpy as np
import pytest
from subprocesses import printed_by_each_instruction_set

import chainrule as cr


def sine_backward(x, y, dy):
    return dy * np.cos(x)


def sine(**options):
    return cr.Lambda(np.sin, sine_backward, **options)


def relu_forward(x):
    return np.maximum(x, 0)


def relu_backward(x, y, dy):
    return dy * (y > 0)


def relu(**options):
    return cr.Lambda(relu_forward, relu_backward, **options)


def row_sums():
    """(time, features) to the sum over time, twice."""

    def forward(x):
        total = x.sum(axis=1)
        return np.stack([total, 2 * total], axis=1)

    def backward(x, y, dy):
        return np.broadcast_to((dy[:, 0] + 2 * dy[:, 1])[:, None], x.shape)

    return forward, backward


def same(net, before):
    for name, values in net.parameters.items():
        np.testing.assert_array_equal(values, before[name])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_trains_as_the_layer_that_it_is(dtype, rng) -> None:
    x, y = rng.normal(size=(70, 5)), rng.integers(0, 3, 70)
    nets = [
        cr.Sequential(
            [cr.Input(5), cr.Dense(40), layer, cr.BatchNormalization(), cr.Dense(3)], 1, dtype=dtype
        )
        for layer in (relu(), cr.Activation("relu"))
    ]
    for net in nets:
        net.fit(x, y, loss="cross_entropy", epochs=3, batch_size=16, verbose=0)
        net.train_on_batch(x[:5], y[:5])
    same(nets[0], nets[1].parameters)
    np.testing.assert_array_equal(nets[0].predict(x), nets[1].predict(x))
    np.testing.assert_array_equal(nets[0].forward(x), nets[1].forward(x))
    dy = rng.normal(size=(70, 3))
    np.testing.assert_array_equal(nets[0].backward(dy), nets[1].backward(dy))
    assert nets[0].evaluate(x, y) == nets[1].evaluate(x, y)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_gradient_check(place, rng) -> None:
    layers = [cr.Dense(4), cr.Dense(4)]
    layers.insert({"first": 0, "middle": 1, "last": 2}[place], sine(name="sine"))
    net = cr.Sequential([cr.Input(4), *layers], seed=0)
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 4))
    assert cr.gradient_check(net, x, y, "mse").max_relative_error <= 1e-7
    wrong = cr.Sequential([cr.Input(4), cr.Dense(4), cr.Lambda(np.sin, lambda x, y, dy: dy)])
    assert cr.gradient_check(wrong, x, y, "mse").max_relative_error > 1e-2


def test_in_graphs_with_other_shapes(rng) -> None:
    x = cr.Input((3, 4), name="x")
    h = cr.Dense(4, activation="tanh")(x)
    both = cr.Lambda(*row_sums(), output_shape=(2, 4), name="sums")(h)
    z = cr.Dense(2)(cr.Concatenate()([cr.Flatten()(both), cr.Flatten()(sine()(h + x))]))
    net = cr.Network(x, z, seed=0, dtype="float64")
    rows, y = rng.normal(size=(5, 3, 4)), rng.normal(size=(5, 2))
    assert cr.gradient_check(net, rows, y, "mse").max_relative_error <= 1e-7
    hashes = set()
    for threads in (1, 2, 3, 7):
        twin = copy.deepcopy(net)
        twin.fit(rows, y, loss="mse", epochs=3, batch_size=2, verbose=0, num_threads=threads)
        hashes.add(hashlib.sha256(twin.predict(rows).tobytes()).hexdigest())
    assert len(hashes) == 1
    first = net.subnetwork("sums") if hasattr(net, "subnetwork") else None
    if first is not None:
        assert first.predict(rows).shape == (5, 2, 4)


def test_a_layer_that_is_used_twice(rng) -> None:
    x = cr.Input(4)
    layer = sine(name="sine")
    net = cr.Network(x, cr.Dense(2)(layer(cr.Dense(4)(layer(x)))), seed=0, dtype="float64")
    rows, y = rng.normal(size=(5, 4)), rng.normal(size=(5, 2))
    assert cr.gradient_check(net, rows, y, "mse").max_relative_error <= 1e-7


def test_what_the_functions_get(rng) -> None:
    seen = []

    def forward(x):
        seen.append((x.dtype.name, x.shape))
        return x

    def backward(x, y, dy):
        seen.append((x.shape, y.shape, dy.shape, dy.dtype.name))
        return dy

    net = cr.Sequential([cr.Input(3), cr.Dense(2), cr.Lambda(forward, backward)])
    net.predict(rng.normal(size=(5, 3)))
    net.train_on_batch(rng.normal(size=(4, 3)), rng.normal(size=(4, 2)), loss="mse")
    assert seen == [
        ("float32", (5, 2)),
        ("float32", (4, 2)),
        ((4, 2), (4, 2), (4, 2), "float32"),
    ]


class BoomError(Exception):
    pass


def boom(*_):
    raise BoomError("from the function")


def passed(x):
    return x + 0


FAILING = [
    (boom, sine_backward, BoomError, "^from the function$"),
    (passed, boom, BoomError, "^from the function$"),
    (lambda x: x[:, :2], sine_backward, ValueError, r"Lambda 'bad': forward's result has shape"),
    (lambda x: x + 0j, sine_backward, TypeError, "forward's result has dtype complex"),
    (passed, lambda x, y, dy: dy[0], ValueError, r"backward's result has shape \(4,\), expected"),
    (passed, lambda x, y, dy: None, TypeError, "backward's result has dtype object"),
    (lambda x: x * np.nan, sine_backward, ValueError, "lambda 'bad': forward gave NaN or infinity"),
    (passed, lambda x, y, dy: dy / 0, ValueError, "lambda 'bad': backward gave NaN or infinity"),
]


@pytest.mark.parametrize(("forward", "backward", "error", "text"), FAILING)
@pytest.mark.parametrize("call", ["fit", "train_on_batch"])
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_what_fails_changes_nothing(call, forward, backward, error, text, rng) -> None:
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    bad = cr.Lambda(forward, backward, name="bad")
    net = cr.Sequential(
        [cr.Input(3), cr.BatchNormalization(), cr.Dense(4), bad, cr.Dense(2)], seed=1
    )
    before = net.parameters
    options = {"verbose": 0, "num_threads": 2, "batch_size": 8} if call == "fit" else {}
    for _ in range(2):
        with pytest.raises(error, match=text):
            getattr(net, call)(x, y, loss="mse", **options)
        same(net, before)
    assert net._core.total_steps == 0


def test_backpropagation_by_hand_goes_on_after_a_failure(rng) -> None:
    fails = [True]

    def forward(x):
        if fails[0]:
            raise BoomError
        return x

    net = cr.Sequential([cr.Input(3), cr.BatchNormalization(), cr.Lambda(forward, relu_backward)])
    x, before = rng.normal(size=(5, 3)), net.parameters
    for call in (net.predict, net.forward, lambda x: net.forward(x, training=True)):
        with pytest.raises(BoomError):
            call(x)
        same(net, before)
    with pytest.raises(RuntimeError, match="call forward first"):
        net.backward(x)
    fails[0] = False
    net.forward(x)
    net.backward(x)


def test_errors_of_the_constructor() -> None:
    with pytest.raises(TypeError, match="Lambda: forward must be a function, got 3"):
        cr.Lambda(3, sine_backward)
    with pytest.raises(TypeError, match="Lambda: backward must be a function, got None"):
        cr.Lambda(np.sin, None)
    with pytest.raises(TypeError, match="output_shape must be an integer or several, got 'ab'"):
        sine(output_shape="ab")
    with pytest.raises(ValueError, match="output_shape must hold integers of 1 or more, got 0"):
        sine(output_shape=0)
    with pytest.raises(TypeError, match="name must be a string"):
        sine(name=3)
    with pytest.raises(ValueError, match="functions of a program"):
        cr.layers.get({"kind": "lambda", "functions": 10**9})


def test_names(capsys) -> None:
    layer = sine(name="s", output_shape=4)
    assert repr(layer) == "Lambda(sin, sine_backward, output_shape=(4,))"
    assert (layer.name, layer.forward, layer.output_shape) == ("s", np.sin, (4,))
    again = cr.layers.get(layer.config)
    assert again == layer
    assert again.backward is layer.backward
    assert layer != sine(output_shape=4)
    assert pickle.loads(pickle.dumps(layer)).forward is np.sin
    net = cr.Sequential([cr.Input(4), cr.Dense(4), layer])
    net.summary()
    assert "Lambda(sin, sine_backward" in capsys.readouterr().out
    assert "lambda s" in str(net.plan())
    assert "sine_backward" in net.plot()


def refusals(net, folder):
    yield lambda: net.save(folder / "net.safetensors")
    yield lambda: pickle.dumps(net)
    yield lambda: cr.export_c(net, folder / "net")


def test_what_cannot_hold_functions_names_the_node(tmp_path, rng) -> None:
    net = cr.Sequential([cr.Input(4), cr.Dense(4), sine(name="wave"), cr.Dense(1)])
    for refused in refusals(net, tmp_path):
        with pytest.raises((ValueError, cr.ExportError), match=r"(?i)wave.*lambda|lambda.*wave"):
            refused()
    assert list(tmp_path.iterdir()) == []


def test_onnx_and_pytorch_name_the_node(tmp_path) -> None:
    net = cr.Sequential([cr.Input(4), cr.Dense(4), sine(name="wave"), cr.Dense(1)])
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    for refused in (lambda: cr.to_torch(net), lambda: cr.to_onnx(net, tmp_path / "net.onnx")):
        with pytest.raises((ValueError, cr.ExportError), match=r"(?i)wave.*lambda|lambda.*wave"):
            refused()
    assert list(tmp_path.iterdir()) == []


def test_what_functions_refer_to_can_go(rng) -> None:
    class Model:
        def __init__(self):
            layer = cr.Lambda(self.forward, self.backward)
            self.net = cr.Sequential([cr.Input(2), layer, cr.Dense(1)])

        def forward(self, x):
            return x

        def backward(self, x, y, dy):
            return dy

    model = Model()
    model.net.fit(rng.normal(size=(4, 2)), rng.normal(size=4), loss="mse", verbose=0)
    twin = copy.deepcopy(model.net)
    references = weakref.ref(model), weakref.ref(model.net)
    del model
    gc.collect()
    assert twin.predict(np.ones((1, 2))).shape == (1, 1)
    del twin
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_interrupts(default_signals, rng) -> None:
    def forward(x):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10**6):  # the handler runs before the next of its operations
            pass
        return x

    net = cr.Sequential([cr.Input(2), cr.Lambda(forward, relu_backward)])
    with pytest.raises(KeyboardInterrupt):
        net.predict(rng.normal(size=(4, 2)))


HASH = """
import hashlib, sys
import numpy as np, chainrule as cr
rng = np.random.default_rng(5)
x, y = rng.integers(0, 9, size=(300, 20)) / 8, rng.integers(0, 4, 300)
for threads in (1, 2, 3, 7):
    for sparsity in ("dense", "auto"):
        wave = cr.Lambda(np.sin, lambda x, y, dy: dy * np.cos(x))
        net = cr.Sequential([cr.Input(20), cr.Dense(300, activation="relu"), wave,
                             cr.BatchNormalization(), cr.Dense(4)], seed=2)
        net.fit(x, y, loss="cross_entropy", epochs=2, batch_size=128, verbose=0,
                num_threads=threads, input_sparsity=sparsity)
        print(hashlib.sha256(net.predict(x).tobytes()).hexdigest())
"""


def test_the_same_bits_for_threads_and_instruction_sets() -> None:
    assert len(printed_by_each_instruction_set(HASH)) == 1


def test_training_against_pytorch(rng) -> None:
    torch = pytest.importorskip("torch")
    x, y = rng.normal(size=(16, 3)), rng.normal(size=(16, 2))
    net = cr.Sequential([cr.Input(3), cr.Dense(6), sine(), cr.Dense(2)], seed=0, dtype="float64")
    weights = [torch.tensor(w, requires_grad=True) for w in net.parameters.values()]
    optimizer = torch.optim.SGD(weights, lr=0.1)
    for _ in range(20):
        w1, b1, w2, b2 = weights
        loss = ((torch.sin(torch.tensor(x) @ w1 + b1) @ w2 + b2 - torch.tensor(y)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        net.train_on_batch(x, y, loss="mse", optimizer=cr.SGD(0.1))
    for ours, theirs in zip(net.parameters.values(), weights, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12)
