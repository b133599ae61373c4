# SPDX-License-Identifier: Apache-2.0
"""Explanations of networks of images: maps of channels, and kernels with their gradients."""

from __future__ import annotations

import numpy as np
import pytest
from pages import Page, printed

import chainrule as cr
from chainrule.explanation.page import _ALPHABET

LOSS = cr.losses.CrossEntropy()


def five_digits(values: np.ndarray) -> list[float]:
    return [printed(value) for value in values.ravel()]


def maps_of(array: np.ndarray) -> np.ndarray:
    """Return an image of (height, width, channels) as (channels, height, width)."""
    return array.transpose(2, 0, 1)


def unpacked(packed: list) -> np.ndarray:
    largest, letters = packed
    return (np.array([_ALPHABET.index(letter) for letter in letters]) - 31) / 31 * largest


class Explained:
    """A network with its page, and what the page must show of one row."""

    def __init__(self, layers, shape, **options) -> None:
        self.net = cr.Sequential([cr.Input(shape), *layers], seed=0, dtype="float64")
        self.row = np.random.default_rng(1).normal(size=shape)
        self.explanation = self.net.explain(self.row, 1, loss="cross_entropy", **options)
        self.data = self.explanation.data
        outputs = self.net.forward(self.row[None], training=False)
        self.net.backward(LOSS.gradient(outputs, [1]))
        self.gradients = self.net.gradients
        self.activations = [a[0] for a in self.net.activations]


@pytest.fixture(scope="module")
def small() -> Explained:
    """All numbers of it are on the page."""
    layers = [
        cr.Conv2D(4, 3, activation="tanh"),
        cr.DepthwiseConv2D((2, 3), activation="relu"),
        cr.MaxPooling(2),
        cr.Conv2DTranspose(3, (3, 2)),
        cr.Dense(2),
        cr.Flatten(),
        cr.Dense(3),
    ]
    return Explained(layers, (10, 12, 2))


@pytest.fixture(scope="module")
def large() -> Explained:
    layers = [
        cr.Conv2D(48, 5, activation="relu"),
        cr.MaxPooling(2),
        cr.Conv2D(64, 3),
        cr.MaxPooling(2),
        cr.Flatten(),
        cr.Dense(64, activation="relu"),
        cr.Dense(10),
    ]
    return Explained(layers, (28, 28, 1))


# Kernels of (height, width, inputs, outputs), as (outputs, inputs, height, width).
AXES = {0: (3, 2, 0, 1), 1: (2, 0, 1), 3: (2, 3, 0, 1)}


@pytest.mark.parametrize("layer", AXES)
def test_kernels_and_their_gradients_are_the_networks(small: Explained, layer: int) -> None:
    kernels = small.data["steps"][layer]["kernels"]
    weight = small.net.parameters[f"{layer}.weight"].transpose(AXES[layer])
    gradient = small.gradients[f"{layer}.weight"].transpose(AXES[layer])
    assert kernels["size"] == [*weight.shape[-2:]]
    assert kernels["to"] == [*range(len(weight))]
    assert kernels["from"] == (None if layer == 1 else [*range(weight.shape[1])])
    assert kernels["values"] == five_digits(weight)
    assert kernels["gradient"] == five_digits(gradient)
    biases = [small.net.parameters[f"{layer}.bias"], small.gradients[f"{layer}.bias"]]
    assert np.ravel(kernels["bias"]).tolist() == five_digits(np.stack(biases, axis=1))


def test_only_convolutions_of_images_have_kernels(small: Explained) -> None:
    kinds = {step["kind"] for step in small.data["steps"] if step["kernels"]}
    assert kinds == {"conv2d", "depthwise_conv2d", "conv2d_transpose"}
    net = cr.Sequential([cr.Input((9, 2)), cr.Conv1D(3, 2), cr.Flatten(), cr.Dense(2)], seed=0)
    data = net.explain(np.ones((9, 2)), 1, loss="cross_entropy").data
    assert [step["kernels"] for step in data["steps"]] == [None] * 3
    assert [vector["maps"] for vector in data["vectors"]] == [None] * 4


def test_every_tensor_of_images_has_its_maps(small: Explained) -> None:
    sizes = [([10, 12], 2), ([8, 10], 4), ([7, 8], 4), ([3, 4], 4), ([5, 5], 3), ([5, 5], 2)]
    for vector, (size, channels) in zip(small.data["vectors"], sizes, strict=False):
        assert vector["maps"] == {"size": size, "channels": [*range(channels)]}
        assert len(vector["values"]) == size[0] * size[1] * channels
    assert [vector["maps"] for vector in small.data["vectors"][6:]] == [None, None]


def test_maps_of_a_large_network_are_near_its_numbers(large: Explained) -> None:
    assert len(large.explanation.to_html().encode()) < 300_000
    shown = 0
    for place, activation in enumerate(large.activations[:4]):
        maps = large.data["vectors"][place + 1]["maps"]
        expected = maps_of(activation)
        assert maps["size"] == [*expected.shape[1:]]
        expected = expected[maps["channels"]].ravel()
        assert unpacked(maps["values"]) == pytest.approx(
            expected, abs=np.abs(expected).max() / 62 * 1.001
        )
        shown += expected.size
        notes = [n for n in large.data["notes"] if n.endswith(f"of {activation.shape[-1]}.")]
        assert bool(notes) == (len(maps["channels"]) < activation.shape[-1])
    assert 10_000 < shown <= 50_000


def test_kernels_with_the_largest_gradients_are_chosen(large: Explained) -> None:
    kernels = large.data["steps"][2]["kernels"]
    gradient = large.gradients["2.weight"].transpose(3, 2, 0, 1)
    sizes = np.sqrt((gradient**2).sum(axis=(1, 2, 3)))
    count = len(kernels["to"])
    assert 1 < count < 64
    assert kernels["to"] == sorted(np.argsort(-sizes)[:count])
    assert kernels["gradient"] == five_digits(gradient[np.ix_(kernels["to"], kernels["from"])])
    assert (
        f"Conv2D(64, 3): the {count} x 48 kernels with the largest gradients are shown, of 64 x 48."
        in large.data["notes"]
    )


def test_maps_that_no_page_can_hold_are_left_out() -> None:
    layers = [cr.Conv2D(2, 3, strides=2), cr.GlobalMaxPooling(), cr.Dense(2)]
    data = Explained(layers, (400, 400, 1)).data
    assert data["vectors"][0]["maps"] is None
    assert "The row: maps of 400 x 400 are too large for the page." in data["notes"]


@pytest.fixture
def page(browser, small, tmp_path):
    file = tmp_path / "page.html"
    small.explanation.save(file)
    opened = Page(browser, file)
    yield opened
    assert opened.messages == []
    assert opened.requests == [file.as_uri()]
    opened.page.close()


def said(page: Page, name: str) -> str:
    return page.page.locator(f"#{name} + .said").inner_text()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.page.keyboard.press(key)


def test_maps_tell_their_numbers(page: Page, small: Explained) -> None:
    value = small.activations[0][1, 2, 3]
    page.page.locator("#values-1").focus()
    press(page, *["ArrowRight"] * 3, "ArrowDown", *["PageDown"] * 3, "PageDown")
    assert said(page, "values-1") == f"y₀[1, 2, 3] = {printed(value):.5g}"
    press(page, "Enter")
    assert "Channel 3 of y₀, Conv2D(4, 3" in page.page.locator("#detail").inner_text()
    table = page.table("map-bias")
    assert float(table["∂L/∂b"]) == printed(small.gradients["0.bias"][3])


def test_kernels_tell_their_numbers(page: Page, small: Explained) -> None:
    gradient = small.gradients["0.weight"][2, 1, 1, 2]
    page.page.locator("#kernel-gradient-1").focus()
    # Four outputs, a row each, of two inputs.
    press(page, "ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", *["PageDown"] * 5)
    assert said(page, "kernel-gradient-1") == f"∂L/∂w₀[2, 1, 1, 2] = {printed(gradient):.5g}"
    press(page, "Enter")
    detail = page.page.locator("#detail")
    assert "Channel 2 of y₀" in detail.inner_text()
    page.page.locator("#kernel-values-1-chosen").focus()
    press(page, "ArrowRight", "PageDown")
    weight = small.net.parameters["0.weight"][0, 0, 1, 2]
    assert said(page, "kernel-values-1-chosen") == f"w₀[0, 0, 1, 2] = {printed(weight):.5g}"
    page.page.locator("#map-gradient").focus()
    press(page, "ArrowRight", "Enter")
    assert "∂L/∂y₀[2]" in detail.inner_text()


def test_a_click_chooses_the_map_under_it(page: Page, small: Explained) -> None:
    canvas = page.page.locator("#values-2")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.6, "y": box["height"] * 0.5})
    assert "Channel 2 of y₁, DepthwiseConv2D" in page.page.locator("#detail").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("changed", [False, True])
def test_pictures_are_light_or_dark(browser, small, tmp_path, scheme: str, changed: bool) -> None:
    file = tmp_path / "page.html"
    small.explanation.save(file)
    opened = Page(browser, file, color_scheme=scheme)
    if changed:
        opened.page.locator("#theme").click()
    context = 'document.getElementById("values-2").getContext("2d")'
    pixels = opened.page.evaluate(f"[...{context}.getImageData(0, 0, 120, 60).data]")
    # A relu has left much of it at zero, which has the color of the paper.
    paper = [255] * 3 if (scheme == "light") != changed else [23, 24, 27]
    has_paper = (np.reshape(pixels, (-1, 4)) == [*paper, 255]).all(axis=1)
    assert 0.1 < has_paper.mean() < 0.9
    assert opened.messages == []
    opened.page.close()


def test_a_page_of_a_large_network_answers(browser, large: Explained, tmp_path) -> None:
    file = tmp_path / "page.html"
    large.explanation.save(file)
    opened = Page(browser, file)
    for canvas in opened.page.locator("#strips canvas").all():
        canvas.focus()
        press(opened, "ArrowRight", "ArrowRight", "PageDown", "Enter")
        text = opened.page.locator("#detail").inner_text()
        assert "Channel" in text
    opened.page.locator("#values-1").focus()
    press(opened, "ArrowDown")
    maps = large.data["vectors"][1]["maps"]
    assert said(opened, "values-1").startswith(f"y₀[1, 1, {maps['channels'][1]}] = ")
    for wrong in ("NaN", "undefined", "null"):
        assert wrong not in opened.page.locator("body").inner_text()
    assert opened.messages == []
    opened.page.close()
