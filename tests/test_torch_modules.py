# SPDX-License-Identifier: Apache-2.0
"""Networks from and to PyTorch modules, and from the ONNX files that PyTorch writes."""

from __future__ import annotations

import io
import pickle
import warnings

import numpy as np
import pytest
from architectures import random_architecture
from torch_modules import outputs, randomised

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference

torch = pytest.importorskip("torch")
nn = torch.nn

torch.set_num_threads(1)


def everything():
    return randomised(
        nn.Sequential(
            nn.Flatten(),
            nn.Linear(6, 8),
            nn.GELU(),
            nn.LayerNorm(8, eps=1e-3),
            nn.Linear(8, 8, bias=False),
            nn.BatchNorm1d(8, momentum=0.2),
            nn.SiLU(),
            nn.Sequential(nn.Dropout(0.3), nn.Linear(8, 5), nn.ELU(0.5)),
            nn.BatchNorm1d(5, affine=False),
            nn.GELU(approximate="tanh"),
            nn.Linear(5, 5),
            nn.LeakyReLU(0.2),
            nn.LayerNorm(5, elementwise_affine=False),
            nn.Linear(5, 4),
            nn.SELU(),
            nn.Linear(4, 4),
            nn.Softplus(),
            nn.Identity(),
            nn.Linear(4, 3),
            nn.Tanh(),
            nn.Linear(3, 3),
            nn.Softmax(dim=1),
        )
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_from_torch(dtype, tolerance, rng):
    module = everything().to(getattr(torch, dtype))
    net = cr.from_torch(module)
    assert net.dtype == dtype
    assert [layer.kind for layer in net.layers] == [
        "dense", "layer_normalization", "dense", "batch_normalization", "activation", "dropout",
        "dense", "batch_normalization", "activation", "dense", "layer_normalization", "dense",
        "dense", "dense", "dense",
    ]  # fmt: skip
    assert net.layers[3] == cr.BatchNormalization(momentum=0.8)
    assert net.layers[6] == cr.Dense(5, activation=cr.activations.Elu(0.5))
    x = rng.normal(size=(30, 2, 3)).astype(dtype)
    np.testing.assert_allclose(net.predict(x), outputs(module, x), rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(
        net.parameters["0.weight"], module.state_dict()["1.weight"].numpy().T
    )


ONE_OPERATOR = {
    "Softsign": cr.activations.Softsign(),
    "ReLU6": cr.activations.Relu6(),
    "Hardswish": cr.activations.HardSwish(),
    "Hardsigmoid": cr.activations.HardSigmoid(),
    "Mish": cr.activations.Mish(),
}


@pytest.mark.parametrize("name", ONE_OPERATOR)
def test_one_activation_each_way(name, rng):
    module = nn.Sequential(nn.Linear(4, 3), getattr(nn, name)())
    net = cr.from_torch(module)
    assert net.layers == [cr.Dense(3, activation=ONE_OPERATOR[name])]
    assert type(cr.to_torch(net)[1]) is getattr(nn, name)
    x = 4 * rng.normal(size=(50, 4)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), outputs(module, x), rtol=1e-6, atol=1e-6)


def test_other_hard_sigmoids_than_pytorchs():
    net = cr.Sequential([cr.Input(2), cr.Activation(cr.activations.HardSigmoid(0.2))], seed=0)
    with pytest.raises(ValueError, match=r"PyTorch has no HardSigmoid\(alpha=0.2\)"):
        cr.to_torch(net)


@pytest.mark.parametrize("seed", range(25))
def test_random_architectures_there_and_back(seed):
    net, x = random_architecture(seed)
    module = cr.to_torch(net)
    expected = net.predict(x)
    limit = 1e-5 if net.dtype == "float32" else 1e-11
    assert not module.training
    assert largest_relative_difference(outputs(module, x), expected) <= limit
    again = cr.from_torch(module)
    assert again.dtype == net.dtype
    assert largest_relative_difference(again.predict(x), expected) <= 1e-6


def test_softplus_is_exact_far_out():
    net = cr.Sequential([cr.Input(1), cr.Activation("softplus")], seed=0, dtype="float64")
    x = np.linspace(15, 40, 51)[:, None]
    np.testing.assert_allclose(outputs(cr.to_torch(net), x), net.predict(x), rtol=1e-15)


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_to_torch_compares_outputs(monkeypatch, scale):
    class Another(torch.nn.GELU):
        def forward(self, x):
            return super().forward(x) + scale * (x.abs() < 10 * scale)

    net = cr.Sequential([cr.Input(3), cr.Dense(4, activation="gelu"), cr.Dense(2)], seed=0)
    cr.to_torch(net)
    monkeypatch.setattr(torch.nn, "GELU", Another)
    with pytest.raises(cr.ExportError, match=r"outputs differ from the network's by .* of the lar"):
        cr.to_torch(net)


def test_to_torch_lets_overflow_and_random_numbers_be():
    net = cr.Sequential([cr.Input(3), cr.Dense(4), cr.Dropout(0.5), cr.Dense(2)], seed=0)
    net.set_weights({"0.weight": np.full((3, 4), 1e36)})
    state = torch.random.get_rng_state()
    cr.to_torch(net)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_to_torch_copies(rng):
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    module = cr.to_torch(net)
    before = net.parameters["0.weight"]
    with torch.no_grad():
        module[0].weight.zero_()
    np.testing.assert_array_equal(net.parameters["0.weight"], before)
    module = cr.to_torch(net)
    loss = module(torch.ones(1, 3)).sum()
    loss.backward()
    assert module[0].weight.grad is not None


def test_scaling_in_torch(rng):
    net = cr.Sequential([cr.Input(3), cr.Normalization(), cr.Dense(2), cr.Rescaling(2.0)], seed=0)
    net.adapt(rng.normal(size=(50, 3)) + 3)
    module = cr.to_torch(net)
    assert [type(part).__name__ for part in module] == ["Scaling", "Linear", "Scaling"]
    # What is not trained is no parameter.
    assert [name for name, _ in module.named_parameters()] == ["1.weight", "1.bias"]
    copied = pickle.loads(pickle.dumps(module))
    x = rng.normal(size=(9, 3)).astype(np.float32)
    np.testing.assert_array_equal(outputs(copied, x), outputs(module, x))
    assert cr.from_torch(copied).layers == net.layers


class Branches(nn.Module):
    """Parts that are applied in order, or not."""

    def __init__(self, ordered):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(4, 4))
        self.ordered = ordered

    def forward(self, x):
        return self.head(self.body(x)) if self.ordered else self.body(self.head(x))


def test_modules_made_of_sequentials(rng):
    module = randomised(Branches(ordered=True)).train()
    net = cr.from_torch(module)
    assert module.training
    assert net.layers == [cr.Dense(4, activation="relu"), cr.Dense(4)]
    module = randomised(Branches(ordered=False))
    x = rng.normal(size=(30, 4)).astype(np.float32)
    assert cr.from_torch(module).layers == [cr.Dense(4), cr.Dense(4, activation="relu")]
    np.testing.assert_allclose(cr.from_torch(module).predict(x), outputs(module, x), rtol=1e-5)


def test_one_module_in_several_places(rng):
    a = nn.ReLU()
    module = nn.Sequential(nn.Linear(6, 8), a, nn.Linear(8, 8), a, nn.Linear(8, 3))
    net = cr.from_torch(module)
    assert [layer.activation.kind for layer in net.layers] == ["relu", "relu", "linear"]
    x = rng.normal(size=(40, 6)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), outputs(module, x), rtol=1e-5, atol=1e-6)


def linear_twice():
    part = nn.Linear(4, 4)
    return nn.Sequential(part, nn.Tanh(), part)


def tied():
    module = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    module[2].weight = module[0].weight
    return module


def test_shared_parameters_become_copies_with_a_warning(rng):
    module = tied()
    with pytest.warns(UserWarning, match=r"shares parameters \(0\.weight and 2\.weight") as caught:
        net = cr.from_torch(module)
    assert caught[0].filename == __file__
    x = rng.normal(size=(40, 4)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), outputs(module, x), rtol=1e-5, atol=1e-6)


def test_a_module_that_is_there_twice_is_one_layer(rng):
    module = linear_twice()
    net = cr.from_torch(module)
    assert net.count_params() == 20
    x = rng.normal(size=(40, 4)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), outputs(module, x), rtol=1e-5, atol=1e-6)


def test_what_makes_no_difference_is_taken(rng):
    class Named(nn.Linear):
        pass

    seen = []
    module = nn.Sequential(Named(4, 4), nn.Sequential(), nn.ReLU(inplace=True), nn.Dropout(0.5))
    module[0].register_forward_hook(lambda part, args, y: seen.append(y.shape))
    net = cr.from_torch(module)
    assert seen
    x = rng.normal(size=(40, 4)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), outputs(module, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_single(dtype, rng):
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).to(dtype)
    net = cr.from_torch(module)
    assert net.dtype == "float32"
    x = rng.normal(size=(40, 4)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), outputs(module.float(), x), rtol=1e-5, atol=1e-6)


def parametrised(kind):
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    with warnings.catch_warnings():
        # Some are deprecated, and still in use.
        warnings.simplefilter("ignore")
        if kind == "old weight_norm":
            nn.utils.weight_norm(module[0])
        elif kind == "old spectral_norm":
            nn.utils.spectral_norm(module[0])
        else:
            getattr(nn.utils.parametrizations, kind)(module[0])
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.5)
    return module


@pytest.mark.parametrize(
    "kind",
    ["weight_norm", "spectral_norm", "orthogonal", "old weight_norm", "old spectral_norm"],
)
def test_parametrised_weights_are_baked_in(kind, rng):
    module = parametrised(kind)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    net = cr.from_torch(module)
    assert module.training
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])
    x = rng.normal(size=(40, 4)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), outputs(module, x), rtol=1e-4, atol=1e-5)


def test_a_module_stays_as_it_was():
    module = everything().train()
    module[4].eval()
    module(torch.randn(5, 6)).sum().backward()
    modes = [part.training for part in module.modules()]
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    gradients = [parameter.grad.clone() for parameter in module.parameters()]
    random = torch.get_rng_state()
    cr.from_torch(module)
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    for parameter, gradient in zip(module.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)
    assert torch.equal(torch.get_rng_state(), random)


def test_every_unsupported_module_is_listed():
    module = nn.Sequential(
        nn.ConvTranspose3d(1, 2, 3),
        nn.Linear(4, 3),
        nn.Sequential(nn.Hardshrink(), nn.Softmax(dim=0)),
        nn.LayerNorm((3, 2)),
        nn.BatchNorm1d(3, track_running_stats=False),
        nn.Softplus(beta=2),
        nn.Flatten(0),
    )
    with pytest.raises(ValueError, match="not supported") as caught:
        cr.from_torch(module)
    assert str(caught.value).splitlines()[1:] == [
        "  0 (ConvTranspose3d): there is no such layer",
        "  2.0 (Hardshrink): there is no such layer",
        "  2.1 (Softmax): it is not over an axis of the rows",
        "  3 (LayerNorm): it normalises more than one axis",
        "  4 (BatchNorm1d): it has no running statistics",
        "  5 (Softplus): its beta is not 1",
        "  6 (Flatten): it joins rows",
    ]


@pytest.mark.parametrize(
    ("module", "error", "text"),
    [
        ("net", TypeError, "module must be a torch.nn.Module, got str"),
        (nn.Sequential(nn.ReLU()), ValueError, "no module tells the number of inputs"),
        (
            nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 3)),
            ValueError,
            r"1 \(Linear\): takes 4 columns, 3 come in",
        ),
    ],
)
def test_modules_that_do_not_fit(module, error, text):
    with pytest.raises(error, match=text):
        cr.from_torch(module)


def test_weights_that_are_no_numbers():
    module = nn.Sequential(nn.Linear(2, 2))
    with torch.no_grad():
        module[0].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"0\.weight contain NaN or infinity"):
        cr.from_torch(module)


@pytest.mark.parametrize("opset", [13, 17, 20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_files_of_the_older_exporter(opset, dtype):
    pytest.importorskip("onnx")
    module = everything().to(dtype)
    x = torch.randn(9, 2, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    file = io.BytesIO()
    with warnings.catch_warnings():
        # It tells that it is the older one.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (x[:2],), file, dynamo=False, opset_version=opset,
            input_names=["x"], dynamic_axes={"x": {0: "rows"}},
        )  # fmt: skip
    net = cr.from_onnx(file.getvalue())
    assert net.dtype == str(dtype).removeprefix("torch.")
    assert [layer.kind for layer in net.layers].count("layer_normalization") == 2
    assert largest_relative_difference(net.predict(x.numpy()), outputs(module, x)) <= 2e-6
