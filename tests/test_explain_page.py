# SPDX-License-Identifier: Apache-2.0
"""The page of an explanation in headless Chromium: it opens, answers, and has the right numbers."""

from __future__ import annotations

import numpy as np
import pytest
from pages import Page, printed

import chainrule as cr


class Digits:
    """A trained network with its page, and the gradients that the page must show."""

    def __init__(self, folder) -> None:
        x, y = cr.data.load_digits()
        layers = [
            cr.Rescaling(1 / 16),
            cr.Dense(16, activation="tanh"),
            cr.Dense(12, activation="relu"),
            cr.Dense(10),
        ]
        self.net = cr.Sequential(layers, seed=0, dtype="float64")
        record = cr.callbacks.Record(every=50)
        self.net.fit(x, y, loss="cross_entropy", epochs=3, callbacks=[record], verbose=0)
        explanation = self.net.explain(x[7], y[7], record=record, optimizer=cr.SGD(0.5))
        self.data = explanation.data
        self.file = folder / "page.html"
        explanation.save(self.file)
        self.row = x[7].astype(float)
        outputs = self.net.forward([self.row], training=False)
        self.loss = cr.losses.CrossEntropy()(outputs, [y[7]])
        self.dx = self.net.backward(self.net.loss.gradient(outputs, [y[7]]))[0]
        self.gradients = self.net.gradients
        self.activations = self.net.activations


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Digits:
    return Digits(tmp_path_factory.mktemp("page"))


@pytest.fixture
def page(browser, digits):
    opened = Page(browser, digits.file)
    yield opened
    assert opened.messages == []
    assert opened.requests == [digits.file.as_uri()]
    opened.page.close()


def rows_with(table: dict[str, str], beginning: str) -> list[float]:
    return [float(text) for name, text in table.items() if name.startswith(beginning)]


def test_the_page_opens_with_the_loss(page: Page, digits: Digits) -> None:
    assert float(page.page.locator("#loss").inner_text()) == printed(digits.loss)
    assert "Choose a unit" in page.page.locator("#detail").inner_text()
    assert page.page.locator("#drawing circle").count() > 50
    # The row is an image, and so is the gradient by it.
    for name in ("values-0", "gradient-0"):
        assert page.page.locator(f"#{name} rect[data-unit]").count() == 64


@pytest.mark.parametrize("unit", [1, 5])
def test_a_unit_shows_its_sum_and_the_chain_rule(page: Page, digits: Digits, unit: int) -> None:
    page.page.locator(f'#values-2 rect[data-unit="{unit}"]').click()
    detail = page.page.locator("#detail").inner_text()
    assert f"Unit {unit} of layer 1" in detail
    x = digits.row / 16
    z = x @ digits.net.parameters["1.weight"][:, unit] + digits.net.parameters["1.bias"][unit]
    assert page.page.locator("#sum").inner_text().endswith(f"= {printed(z):.5g}")
    table = page.table("chain")
    y = digits.activations[1][0, unit]
    (shown_y,) = rows_with(table, f"activation y₁[{unit}] = tanh")
    assert shown_y == printed(y)
    (slope,) = rows_with(table, "local derivative")
    assert slope == printed(1 - y * y)
    (dz,) = rows_with(table, "their product")
    assert dz == printed(digits.gradients["1.bias"][unit])
    (dy,) = rows_with(table, "incoming gradient")
    assert dy * slope == pytest.approx(dz, rel=2e-4)
    (difference,) = rows_with(table, "finite difference")
    assert difference == pytest.approx(dz, rel=1e-3, abs=1e-9)


def test_every_listed_gradient_is_the_networks(page: Page, digits: Digits) -> None:
    page.page.locator('#values-4 rect[data-unit="3"]').click()
    rows = page.page.locator("#detail .scroll tr").all()[1:]
    assert len(rows) == 16
    for i, row in enumerate(rows):
        cells = row.locator("td").all_inner_texts()
        assert cells[0] == f"w₂[{i},3]"
        weight = digits.net.parameters["2.weight"][i, 3]
        assert float(cells[1]) == printed(digits.activations[1][0, i])
        assert float(cells[2]) == printed(weight)
        assert float(cells[4]) == printed(digits.gradients["2.weight"][i, 3])


def test_a_weight_shows_difference_update_and_path(page: Page, digits: Digits) -> None:
    # A unit through which something flows, and a pixel that is not empty.
    unit = int(np.abs(digits.gradients["1.bias"]).argmax())
    page.page.locator(f'#values-2 rect[data-unit="{unit}"]').click()
    button = page.page.locator("#detail .scroll button").nth(2)
    pixel = int(button.inner_text().partition("[")[2].partition(",")[0])
    button.click()
    assert f"Weight w₁[{pixel},{unit}]" in page.page.locator("#detail").inner_text()
    table = page.table("weight")
    gradient = digits.gradients["1.weight"][pixel, unit]
    assert gradient != 0.0
    (shown,) = rows_with(table, "gradient")
    assert shown == printed(gradient)
    (difference,) = rows_with(table, "finite difference")
    assert difference == pytest.approx(gradient, rel=1e-4)
    (update,) = rows_with(table, "update by SGD(learning_rate=0.5)")
    assert update == pytest.approx(-0.5 * gradient, rel=1e-4)
    weight = digits.net.parameters["1.weight"][pixel, unit]
    assert rows_with(table, "weight") == [printed(weight), printed(weight - 0.5 * gradient)]

    formula = page.page.locator("#path-formula").inner_text().split(" · ")
    numbers, _, product = page.page.locator("#path-numbers").inner_text().partition(" = ")
    factors = [float(factor.strip("()")) for factor in numbers.split(" · ")]
    assert len(factors) == len(formula) == 6
    assert np.prod(factors) == pytest.approx(float(product), rel=1e-3)
    last, w3, slope2, w2, slope1, x = factors
    assert x == printed(digits.row[pixel] / 16)
    assert slope1 == printed(1 - digits.activations[1][0, unit] ** 2)
    assert w2 in [printed(w) for w in digits.net.parameters["2.weight"][unit]]
    assert slope2 in (0.0, 1.0)
    assert w3 in [printed(w) for w in digits.net.parameters["3.weight"].ravel()]
    assert last in [printed(g) for g in digits.gradients["3.bias"]]


def test_a_pixel_shows_the_gradient_by_it(page: Page, digits: Digits) -> None:
    pixel = int(np.abs(digits.dx).argmax())
    page.page.locator(f'#gradient-0 rect[data-unit="{pixel}"]').click()
    text = page.page.locator("#detail").inner_text()
    assert f"∂L/∂x[{pixel}]\t{printed(digits.dx[pixel]):.5g}" in text


def test_it_can_be_read_without_a_mouse(page: Page, digits: Digits) -> None:
    keyboard = page.page.keyboard
    page.page.locator("#values-2").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        keyboard.press(key)
    said = page.page.locator("#values-2 + .said").inner_text()
    z = digits.data["vectors"][2]["values"][2]
    assert said == f"z₁[2] = {printed(z):.5g}"
    keyboard.press("Enter")
    assert "Unit 2 of layer 1" in page.page.locator("#detail").inner_text()
    # Every circle and every listed weight is reached by Tab and answers to Enter.
    page.page.locator('#drawing [data-node="4,3"]').focus()
    keyboard.press("Enter")
    assert "Unit 3 of layer 2" in page.page.locator("#detail").inner_text()
    page.page.locator("#detail .scroll button").first.focus()
    keyboard.press("Enter")
    assert "Weight w₂[0,3]" in page.page.locator("#detail").inner_text()
    assert page.page.locator('#drawing [data-node="4,3"]').get_attribute("aria-label")


def test_a_line_of_the_drawing_is_a_weight(page: Page, digits: Digits) -> None:
    line = page.page.locator("#drawing [data-weight]").first
    step, i, unit = map(int, line.get_attribute("data-weight").split(","))
    line.dispatch_event("click")
    layer = digits.data["steps"][step]["layer"]
    assert f"Weight w{'₀₁₂₃'[layer]}[{i},{unit}]" in page.page.locator("#detail").inner_text()
    assert "chosen" in line.get_attribute("class")


def test_the_slider_goes_through_the_training(page: Page, digits: Digits) -> None:
    slider = page.page.locator("#step")
    history = digits.data["history"]
    assert int(slider.get_attribute("max")) == len(history) - 1
    slider.focus()
    page.page.keyboard.press("Home")
    assert float(page.page.locator("#loss").inner_text()) == printed(history[0]["loss"])
    assert slider.get_attribute("aria-valuetext") == "step 0"
    untrained = cr.Sequential(digits.net.layers, seed=0, dtype="float64")
    untrained.build(64)
    outputs = untrained.predict(digits.row)
    assert history[0]["loss"] == pytest.approx(cr.losses.CrossEntropy()(outputs, [7]))
    page.page.locator("#values-6").focus()
    page.page.keyboard.press("ArrowRight")
    said = page.page.locator("#values-6 + .said").inner_text()
    assert float(said.partition(" = ")[2]) == pytest.approx(outputs[0, 1], rel=1e-4)
    slider.focus()
    page.page.keyboard.press("End")
    assert float(page.page.locator("#loss").inner_text()) == printed(digits.loss)


@pytest.mark.parametrize(("scheme", "paper"), [("light", "255, 255, 255"), ("dark", "23, 24, 27")])
def test_light_and_dark(browser, digits: Digits, scheme: str, paper: str) -> None:
    opened = Page(browser, digits.file, color_scheme=scheme)
    background = "getComputedStyle(document.body).backgroundColor"
    assert opened.page.evaluate(background) == f"rgb({paper})"
    opened.page.locator("#theme").click()
    assert opened.page.evaluate(background) != f"rgb({paper})"
    opened.page.locator("#theme").click()
    assert opened.page.evaluate(background) == f"rgb({paper})"
    assert opened.messages == []


OTHERS = {
    "layers that mix": (
        [cr.Dense(5), cr.LayerNormalization(), cr.Dense(3, activation="softmax")],
        1,
        "cross_entropy",
    ),
    "one output": ([cr.Dense(4, activation="relu", use_bias=False), cr.Dense(1)], [0.3], "mse"),
    "no weights": ([cr.Activation("tanh")], [0.1, 0.2, 0.3, 0.4], "mse"),
    "normalisations": (
        [cr.Dense(5), cr.BatchNormalization(), cr.PReLU(), cr.Dropout(0.2), cr.Dense(2)],
        [1.0, 2.0],
        "huber",
    ),
}


def test_the_frame_of_a_notebook_works(browser, tmp_path) -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    explanation = net.explain([1.0, 2.0, 3.0], 1, loss="cross_entropy")
    file = tmp_path / "notebook.html"
    file.write_text(f"<!doctype html><title>n</title>{explanation._repr_html_()}", "utf-8")
    opened = Page(browser, file)
    frame = opened.page.frame_locator("iframe")
    assert float(frame.locator("#loss").inner_text()) == printed(explanation.data["loss"]["value"])
    frame.locator('#values-1 rect[data-unit="1"]').click()
    assert "Unit 1 of layer 0" in frame.locator("#detail").inner_text()
    assert opened.messages == []
    opened.page.close()


def test_a_page_of_a_large_network(browser, tmp_path) -> None:
    layers = [cr.Dense(20, activation="relu"), cr.Dense(9000, activation="tanh"), cr.Dense(3)]
    net = cr.Sequential([cr.Input(9000), *layers], seed=0)
    row = np.random.default_rng(0).normal(size=9000)
    file = tmp_path / "page.html"
    net.explain(row, 1, loss="cross_entropy").save(file)
    opened = Page(browser, file)
    for node in opened.page.locator("#drawing [data-node]").all():
        node.dispatch_event("click")
    line = opened.page.locator("#drawing [data-weight]").first
    line.dispatch_event("click")
    assert "Weight w₀" in opened.page.locator("#detail").inner_text()
    numbers = opened.page.locator("#path-numbers").inner_text()
    assert "?" not in numbers
    opened.page.locator("#gradient-0").focus()
    opened.page.keyboard.press("ArrowRight")
    opened.page.keyboard.press("Enter")
    assert "The row has 9,000 numbers" in opened.page.locator("#notes").inner_text()
    for wrong in ("NaN", "undefined"):
        assert wrong not in opened.page.locator("body").inner_text()
    assert opened.messages == []
    opened.page.close()


@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_answer_every_click(browser, tmp_path, name: str) -> None:
    layers, target, loss = OTHERS[name]
    net = cr.Sequential([cr.Input(4), *layers], seed=0)
    file = tmp_path / "page.html"
    net.explain([0.5, -1.0, 2.0, 0.0], target, loss=loss).save(file)
    opened = Page(browser, file)
    for node in opened.page.locator("#drawing [data-node]").all():
        node.dispatch_event("click")
        assert "Choose a unit" not in opened.page.locator("#detail").inner_text()
    for line in opened.page.locator("#drawing [data-weight]").all():
        line.dispatch_event("click")
        assert "Weight w" in opened.page.locator("#detail").inner_text()
    for element in opened.page.locator("#strips svg").all():
        element.focus()
        opened.page.keyboard.press("ArrowRight")
        opened.page.keyboard.press("Enter")
    assert opened.messages == []
    assert "NaN" not in opened.page.locator("body").inner_text()
    assert "undefined" not in opened.page.locator("body").inner_text()
    opened.page.close()
