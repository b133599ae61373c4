# SPDX-License-Identifier: Apache-2.0
"""Training on augmented images: the same as on images that were augmented before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from subprocesses import printed_by_each_instruction_set
from test_lazy_rows import Lazy

import chainrule as cr
from chainrule.augment import apply

RANDOM = np.random.default_rng(3)
X = (RANDOM.integers(0, 256, (70, 9, 12)) * (RANDOM.random((70, 9, 12)) < 0.3)).astype(np.uint8)
Y = RANDOM.integers(0, 4, 70)
CHANGES: list[Any] = [
    cr.augment.RandomShift(2),
    cr.augment.RandomRotation(20),
    cr.augment.ElasticDeformation(2, 12),
    cr.augment.RandomBrightness(0.3),
    cr.augment.CutOut(4),
    cr.augment.PixelNoise(3),
]
GEOMETRIC = CHANGES[:3]
FIT: dict[str, Any] = {"loss": "cross_entropy", "batch_size": 16, "verbose": 0}


def network(dtype: str = "float32", *, rescales: bool = True, seed: int = 11) -> cr.Network:
    pixels = cr.Input((9, 12))
    h: Any = cr.Flatten()(pixels)
    if rescales:
        h = cr.Rescaling(1 / 255, offset=-0.1)(h)
    h = cr.Dropout(0.2)(cr.Dense(20, activation="relu")(h))
    return cr.Network(pixels, cr.Dense(4)(h), dtype=dtype, seed=seed)


def weights(net: cr.Network) -> bytes:
    return b"".join(array.tobytes() for array in net.get_weights())


def trained(x: Any = X, y: Any = Y, *, epochs: int = 3, **options: Any) -> cr.Network:
    net = network()
    net.fit(x, y, epochs=epochs, **{**FIT, "augment": CHANGES, **options})
    return net


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("rescales", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_epoch_sees_what_apply_gives(dtype: str, rescales: bool, shuffle: bool) -> None:
    first, second = network(dtype, rescales=rescales), network(dtype, rescales=rescales)
    first.fit(X, Y, epochs=3, augment=CHANGES, shuffle=shuffle, **FIT)
    for epoch in range(3):
        images = apply(X, CHANGES, seed=11, epoch=epoch, dtype=dtype)
        second.fit(images, Y, shuffle=shuffle, **FIT)
    assert weights(first) == weights(second)
    assert first.history["loss"] == second.history["loss"]
    assert first.history["accuracy"] == second.history["accuracy"]


@pytest.mark.parametrize("sparsity", ["dense", "sparse", "auto"])
@pytest.mark.parametrize("changes", [GEOMETRIC, CHANGES], ids=["with zeros", "without"])
def test_zeros_are_those_of_the_augmented_images(changes: Any, sparsity: str) -> None:
    nets = [network(rescales=False) for _ in range(2)]
    nets[0].fit(X, Y, epochs=2, augment=changes, input_sparsity=sparsity, **FIT)
    for epoch in range(2):
        images = apply(X, changes, seed=11, epoch=epoch)
        nets[1].fit(images, Y, input_sparsity="dense", **FIT)
    assert weights(nets[0]) == weights(nets[1])


def test_bytes_are_converted_before_they_are_augmented() -> None:
    expected = weights(trained())
    assert expected != weights(trained(augment=None))
    for x in (X.astype(float), X.astype(np.int32), X.tolist(), np.asfortranarray(X.T).T):
        assert weights(trained(x)) == expected


HASH = """
import hashlib
import test_augmented_training as t
for threads in (1, 2, 3, 7):
    net = t.trained(num_threads=threads, batch_size=33)
    print(hashlib.sha256(t.weights(net)).hexdigest())
"""


def test_the_same_bits_for_threads_and_instruction_sets() -> None:
    assert len(printed_by_each_instruction_set(HASH)) == 1


def test_a_resumed_training_equals_an_unbroken_one(tmp_path: Any) -> None:
    expected = weights(trained(epochs=4))
    trained(epochs=2).save(tmp_path / "net.safetensors")
    net = cr.load(tmp_path / "net.safetensors")
    net.fit(X, Y, epochs=2, augment=CHANGES, **FIT)
    assert weights(net) == expected


class SaveWithin(cr.Callback):
    """Save the network in the middle of its second epoch."""

    def __init__(self, path: Any) -> None:
        self.path = path

    def on_batch_end(self, net: Any, epoch: int, batch: int, logs: Any) -> None:
        if (epoch, batch) == (2, 3):
            net.save(self.path)


def test_a_training_saved_within_an_epoch_goes_on(tmp_path: Any) -> None:
    path = tmp_path / "net.safetensors"
    expected = weights(trained(callbacks=[SaveWithin(path)]))
    assert expected == weights(trained())
    net = cr.load(path)
    net.fit(X, Y, epochs=2, augment=CHANGES, **FIT)
    assert weights(net) == expected
    assert net.history.epochs == [1, 2, 3]
    # With other changes it is another training, whose epoch begins anew.
    begun_anew, fresh = cr.load(path), cr.load(path)
    begun_anew.fit(X, Y, augment=GEOMETRIC, **FIT)
    steps = fresh._built_core().total_steps + 5
    assert begun_anew._built_core().total_steps == steps


def test_validation_data_stay_as_they_are() -> None:
    held_back: Any = (X[:20], Y[:20])
    net = trained(validation_data=held_back)
    last = net.history["val_loss"][-1]
    assert last == net.evaluate(*held_back, loss="cross_entropy")["loss"]
    assert weights(net) == weights(trained())


def test_rows_that_are_not_in_memory() -> None:
    assert weights(trained(Lazy(X))) == weights(trained())


def test_rows_of_a_list_are_augmented_as_their_copy() -> None:
    rows = np.array([60, 3, 3, 17, 2, 41, 8, 9, 10, 11, 12, 13, 14, 15, 16, 50, 51])
    of_list = trained(cr.Dataset(X, Y).select(rows), None)
    assert weights(of_list) == weights(trained(X[rows], Y[rows]))


def test_many_trainings_at_once() -> None:
    nets = [network(seed=seed) for seed in (11, 12)]
    cr.train_many(nets, X, Y, epochs=3, augment=CHANGES, loss="cross_entropy", batch_size=16)
    assert weights(nets[0]) == weights(trained())


def two_inputs() -> cr.Network:
    first, second = cr.Input((9, 12), name="first"), cr.Input((9, 12, 1), name="second")
    numbers = cr.Input(5, name="numbers")
    parts = [cr.Flatten()(first), cr.Flatten()(second), numbers]
    return cr.Network([first, second, numbers], cr.Dense(4)(cr.Concatenate()(parts)), seed=11)


def test_images_of_several_inputs_have_numbers_of_their_own() -> None:
    table = RANDOM.random((70, 5))
    x: dict[str, Any] = {"first": X, "second": X[..., None], "numbers": table}
    nets = [two_inputs() for _ in range(3)]
    nets[0].fit(x, Y, augment=CHANGES, **FIT)
    # Of the first input they are those of an only one; the table stays as it is.
    images = apply(X, CHANGES, seed=11)
    nets[1].fit({**x, "first": images, "second": images[..., None]}, Y, **FIT)
    assert not np.array_equal(nets[0].get_weights()[0], nets[1].get_weights()[0])
    flat = [net.get_weights()[0] for net in nets[:2]]
    assert not np.array_equal(flat[0][:108], flat[0][108:216])
    one = cr.Input((9, 12), name="first")
    rest = cr.Input(5, name="numbers")
    small = [
        cr.Network([one, rest], cr.Dense(4)(cr.Concatenate()([cr.Flatten()(one), rest])), seed=2)
        for _ in range(2)
    ]
    small[0].fit({"first": X, "numbers": table}, Y, augment=CHANGES, **FIT)
    images = apply(X, CHANGES, seed=2)
    small[1].fit({"first": images, "numbers": table}, Y, **FIT)
    assert weights(small[0]) == weights(small[1])


def test_augmentations_of_one_input_leave_the_others_as_they_are() -> None:
    x: dict[str, Any] = {"first": X, "second": X[..., None], "numbers": RANDOM.random((70, 5))}
    changes = [cr.augment.RandomShift(2, input="first"), cr.augment.CutOut(4, input="first")]
    nets = [two_inputs() for _ in range(3)]
    nets[0].fit(x, Y, augment=changes, **FIT)
    nets[1].fit({**x, "first": apply(X, changes, seed=11)}, Y, **FIT)
    assert weights(nets[0]) == weights(nets[1])
    # Of two lists in one, each input has the random numbers of its own.
    second = [cr.augment.RandomBrightness(0.5, input="second")]
    nets[2].fit(x, Y, augment=[*second, *changes], **FIT)
    both = two_inputs()
    both.fit({**x, "first": apply(X, changes, seed=11)}, Y, augment=second, **FIT)
    assert weights(nets[2]) == weights(both) != weights(nets[0])


def test_an_input_that_cannot_be_augmented_is_named() -> None:
    x: dict[str, Any] = {"first": X, "second": X[..., None], "numbers": RANDOM.random((70, 5))}
    net = two_inputs()
    before = weights(net)
    for name, text in {
        "frist": "augment: unknown input 'frist'.*'first'",
        "numbers": r"augment cannot change input numbers of shape \(5,?\): images have",
    }.items():
        with pytest.raises(ValueError, match=text):
            net.fit(x, Y, augment=[cr.augment.RandomFlip(input=name)], **FIT)
    assert weights(net) == before
    i, codes = cr.Input((9, 12), name="photo"), cr.Input((3, 4), name="codes")
    parts = [cr.Flatten()(i), cr.CategoryEncoding(12)(codes)]
    mixed = cr.Network([i, codes], cr.Dense(2)(cr.Concatenate()(parts)))
    data = [X[:2], np.arange(24).reshape(2, 3, 4) % 12]
    with pytest.raises(ValueError, match="which holds categories"):
        mixed.fit(data, [0, 1], augment=[cr.augment.RandomFlip()], **FIT)
    mixed.fit(data, [0, 1], augment=[cr.augment.RandomFlip(input="photo")], **FIT)


def test_names_and_configs_stand_for_augmentations() -> None:
    names: list[Any] = ["random_flip", {"kind": "cut_out", "size": 3}]
    described = [cr.augment.RandomFlip(), cr.augment.CutOut(3)]
    assert weights(trained(augment=names)) == weights(trained(augment=described))
    assert weights(trained(augment=[])) == weights(trained(augment=None))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"augment": cr.augment.RandomFlip()}, TypeError, "augment must be a list"),
        ({"augment": "random_flip"}, TypeError, "augment must be a list"),
        ({"augment": [0.5]}, TypeError, "expected an augmentation"),
        ({"augment": ["flip"]}, ValueError, "unknown augmentation 'flip'"),
        ({"augment": CHANGES, "optimizer": "lbfgs"}, ValueError, "augment needs batches"),
    ],
)
def test_wrong_augmentations_change_nothing(options: Any, error: Any, text: str) -> None:
    net = network()
    before = weights(net)
    with pytest.raises(error, match=text):
        net.fit(X, Y, **{**FIT, **options})
    assert weights(net) == before
    assert (net.loss, net.optimizer, len(net.history.epochs)) == (None, None, 0)


def test_rows_that_are_no_images_are_refused() -> None:
    flat = cr.Sequential([cr.Input(108), cr.Normalization(), cr.Dense(4)], seed=0)
    with pytest.raises(ValueError, match=r"needs an input of images.* got one of shape \(108,\)"):
        flat.fit(X, Y, augment=CHANGES, **FIT)
    assert flat.loss is None
    scipy_sparse = pytest.importorskip("scipy.sparse")
    pixels = cr.Input((1, 108))  # which a dense layer reads as it is
    net = cr.Network(pixels, cr.Flatten()(cr.Dense(4)(pixels)), seed=0)
    before = weights(net)
    with pytest.raises(ValueError, match="augment needs images, but x is sparse"):
        net.fit(scipy_sparse.csr_matrix(X.reshape(70, -1)), Y, augment=CHANGES, **FIT)
    assert weights(net) == before


@pytest.mark.parametrize("scaled", [False, True])
def test_layers_in_a_row_that_flatten_images(scaled: bool, tmp_path: Path) -> None:
    first = [cr.Rescaling(1 / 255)] if scaled else []
    tail = [cr.Flatten(), cr.Dense(20, activation="relu"), cr.Dropout(0.2), cr.Dense(4)]
    flat = cr.Sequential([*first, *tail], seed=2)
    flat.build(108)
    told, pixels = cr.Sequential([cr.Input((9, 12)), *first, *tail], seed=2), cr.Input((9, 12))
    h: Any = pixels
    for layer in [*first, *tail]:
        h = layer(h)
    graph = cr.Network(pixels, h, seed=2)
    for x in (X, X.reshape(70, -1), X[..., None]):
        for net in (flat, told):
            net.fit(x, Y, **FIT)  # without augmentation the shape changes no bit
        assert weights(told) == weights(flat)
        graph.fit(x, Y, **FIT)
    for net in (told, graph):
        net.fit(X, Y, augment=CHANGES, **FIT)
    assert weights(told) == weights(graph) != weights(flat)
    with pytest.raises(ValueError, match=r"got one of shape \(108,\)"):
        flat.fit(X, Y, augment=CHANGES, **FIT)
    told.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert isinstance(again, cr.Sequential)
    for net in (told, again):
        net.fit(X, Y, augment=CHANGES, **FIT)
    assert weights(again) == weights(told)
    assert repr(told).startswith("Sequential([Input((9, 12)), ")


def test_other_layers_before_flatten_read_flat_rows() -> None:
    """As ever: of these the axes would be another layer's, or other random numbers."""
    for layer in (cr.Dense(3), cr.Normalization(), cr.Dropout(0.5)):
        net = cr.Sequential([cr.Input((9, 12)), layer, cr.Flatten(), cr.Dense(4)], seed=2)
        assert net._graph is not None
        assert net._graph.inputs[0].shape == (108,)


def test_categories_are_refused() -> None:
    i = cr.Input((3, 4))
    net = cr.Network(i, cr.Dense(2)(cr.CategoryEncoding(12)(i)))
    x = np.arange(24).reshape(2, 3, 4) % 12
    with pytest.raises(ValueError, match="augment cannot change x, which holds categories"):
        net.fit(x, [0, 1], augment=CHANGES, **FIT)
